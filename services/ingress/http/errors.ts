// What becomes of a thrown error: a fault, in the form that `answer` has for it. The error's own message never reaches a
// caller or a log line.

import type { FastifyReply, FastifyRequest } from 'fastify'
import { describeError } from '../../runtime/logging.ts'
import type { Logger } from '../deps.ts'
import { faultOf, type Fault } from './fault.ts'

/** Answers what was thrown, and logs what nobody expected. */
export function errorHandler(
  logger: Logger,
  answer: (fault: Fault, request: FastifyRequest, reply: FastifyReply) => FastifyReply,
) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    // Fastify closes the connection on a bad body; the rest of the body is read and dropped instead, within the time a
    // request may take, so that the caller surely sees the answer and not a reset.
    void reply.removeHeader('connection')
    const fault = faultOf(error)
    if (fault === 'internal') {
      logger.error({ requestId: request.id, route: routeName(request), ...describeError(error) }, 'request failed')
    }
    return answer(fault, request, reply)
  }
}

/** The route of what has none. */
export const UNROUTED = 'unknown'

/** The pattern of a route, never a path: paths hold what callers send. */
export function routeName(request: FastifyRequest): string {
  return request.is404 ? UNROUTED : (request.routeOptions.url ?? UNROUTED)
}
