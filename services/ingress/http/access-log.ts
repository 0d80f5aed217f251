// One line and one count a response. The route's pattern, never its path: nothing here comes from a caller unchecked.

import type { FastifyInstance } from 'fastify'
import type { Logger } from '../deps.ts'
import type { IngressMetrics } from '../metrics.ts'
import { routeName, UNROUTED } from './errors.ts'

declare module 'fastify' {
  interface FastifyReply {
    /** The response code of the decision that is answered, '' without one. */
    responseCode: string
  }
}

/** Logs and counts an answer that was given before there was a request to route. */
export function recordAnswer(logger: Logger, metrics: IngressMetrics, requestId: string, status: number): void {
  metrics.response(UNROUTED, status, '', 0)
  logger.info({ requestId, route: UNROUTED, status }, 'response')
}

const MS_PER_SECOND = 1_000

/** Logs and counts every response of the app. */
export function recordResponses(app: FastifyInstance, logger: Logger, metrics: IngressMetrics): void {
  app.decorateReply('responseCode', '')
  app.addHook('onResponse', (request, reply, done) => {
    const { statusCode: status, elapsedTime, responseCode } = reply
    const route = routeName(request)
    metrics.response(route, status, responseCode, elapsedTime / MS_PER_SECOND)
    const decided = responseCode === '' ? {} : { responseCode }
    const ms = Math.round(elapsedTime * 100) / 100
    logger.info({ requestId: request.id, method: request.method, route, status, ms, ...decided }, 'response')
    done()
  })
}
