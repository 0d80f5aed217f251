// The routes of the Evertec dialect: `POST /financial` and `GET /financial/{consecutive}` (contract, section 1).
// It translates and hands on. What is decided is decided behind the log, but for the `03` and `12` of the edge.

import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { createBasicAuthentication, type BasicAuthentication } from '../auth/basic.ts'
import type { EvertecAppConfig } from '../../runtime/apps.ts'
import type { IngressDeps } from '../deps.ts'
import { acceptJsonBodies } from '../http/body.ts'
import { errorHandler } from '../http/errors.ts'
import {
  badFields,
  NOT_DECIDED,
  NOT_JSON,
  ProblemError,
  sendProblem,
  TOO_MANY,
  UNAUTHORIZED,
  UNAVAILABLE,
  UNKNOWN_OUTCOME,
} from '../http/problem.ts'
import { traceparentOf } from '../http/request-id.ts'
import type { Submit } from '../submit.ts'
import { readInquiry } from './inquiry.ts'
import { protect } from './protect.ts'
import {
  edgeAnswer,
  financialAnswer,
  inquiryAnswer,
  isDecided,
  type FinancialAnswer,
  type InquiryAnswer,
} from './replies.ts'
import { readRequest } from './requests.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The app whose credentials came with the request; null before authentication. */
    evertecApp: EvertecAppConfig | null
  }
}

export interface EvertecDeps extends Pick<IngressDeps, 'keys' | 'clock' | 'evertecApps' | 'limits' | 'logger'> {
  readonly submit: Submit
  /** Whether calls may be taken now. */
  readonly ready: () => boolean
}

const RATE_WINDOW_MS = 1_000

/**
 * A plugin with the two routes, their authentication, rate limit and error form.
 * @throws Error when two apps have one key.
 */
export function evertecRoutes(deps: EvertecDeps): (scope: FastifyInstance) => Promise<void> {
  const authentication = createBasicAuthentication(deps.evertecApps)
  return async (scope) => {
    scope.setErrorHandler(errorHandler(deps.logger, UNKNOWN_OUTCOME))
    authenticate(scope, authentication)
    if (deps.evertecApps.some((app) => app.ratePerSecond !== undefined)) await limitRates(scope)
    scope.addHook('preParsing', (_request, _reply, _payload, done) =>
      done(deps.ready() ? null : new ProblemError(UNAVAILABLE)),
    )
    // Answers may hold a token.
    scope.addHook('onSend', (_request, reply, _payload, done) => {
      void reply.header('cache-control', 'no-store')
      done()
    })
    acceptJsonBodies(scope)
    scope.post('/financial', (request, reply) => postFinancial(deps, request, reply))
    scope.get('/financial/:consecutive', (request, reply) => getFinancial(deps, request, reply))
  }
}

function authenticate(scope: FastifyInstance, authentication: BasicAuthentication<EvertecAppConfig>): void {
  scope.decorateRequest('evertecApp', null)
  scope.addHook('onRequest', (request, reply, done) => {
    request.evertecApp = authentication(request.headers.authorization)
    if (request.evertecApp !== null) return done()
    void reply.header('www-authenticate', 'Basic realm="financial", charset="UTF-8"')
    void sendProblem(reply, UNAUTHORIZED)
  })
}

async function limitRates(scope: FastifyInstance): Promise<void> {
  await scope.register(rateLimit, {
    timeWindow: RATE_WINDOW_MS,
    keyGenerator: (request) => appOf(request).key,
    max: (request) => appOf(request).ratePerSecond ?? Infinity,
    allowList: (request) => appOf(request).ratePerSecond === undefined,
    errorResponseBuilder: () => new ProblemError(TOO_MANY),
  })
}

function appOf(request: FastifyRequest): EvertecAppConfig {
  if (request.evertecApp === null) throw new Error('a route without authentication')
  return request.evertecApp
}

async function postFinancial(deps: EvertecDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const app = appOf(request)
  const { body } = request
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return sendProblem(reply, NOT_JSON)
  const read = readRequest(app, body)
  if (read.kind === 'malformed') return sendProblem(reply, badFields(read.errors))
  const { consecutive, acquirerId } =
    read.kind === 'request'
      ? { consecutive: read.request.fields.consecutive, acquirerId: read.request.fields.acquirer.id }
      : read
  if (!app.acquirers.includes(acquirerId)) return sendAnswer(reply, edgeAnswer(consecutive, '03'))
  if (read.kind === 'unknown-code') return sendAnswer(reply, edgeAnswer(consecutive, '12'))

  const { clientId, key: appKey } = app
  const asked = { clientId, appKey, now: deps.clock.now(), replyTimeoutMs: deps.limits.replyTimeoutMs }
  const submitted = await deps.submit(protect(read.request, asked, deps.keys), traceparentOf(request))
  if (submitted === 'refused') return sendProblem(reply, UNAVAILABLE)
  if (submitted === 'unanswered' || !isDecided(submitted)) return sendProblem(reply, UNKNOWN_OUTCOME)
  return sendAnswer(reply, financialAnswer(consecutive, submitted, deps.clock.now(), deps.keys))
}

async function getFinancial(deps: EvertecDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const app = appOf(request)
  const read = readInquiry(app, request.params, request.query)
  if (read.kind === 'malformed') return sendProblem(reply, badFields(read.errors))
  if (!app.acquirers.includes(read.inquiry.of.acquirerId)) return sendProblem(reply, NOT_DECIDED)
  const submitted = await deps.submit(read.inquiry, traceparentOf(request))
  if (submitted === 'refused') return sendProblem(reply, UNAVAILABLE)
  if (submitted === 'unanswered') return sendProblem(reply, UNKNOWN_OUTCOME)
  if (!isDecided(submitted)) return sendProblem(reply, NOT_DECIDED)
  return sendAnswer(reply, inquiryAnswer(read.inquiry.of.consecutive, submitted))
}

function sendAnswer(reply: FastifyReply, answer: FinancialAnswer | InquiryAnswer): FastifyReply {
  reply.responseCode = answer.responseCode
  return reply.code(200).send(answer)
}
