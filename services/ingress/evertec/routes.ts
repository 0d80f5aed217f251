// The routes of the Evertec dialect: `POST /financial` and `GET /financial/{consecutive}` (contract, section 1).
// It translates and hands on. What is decided is decided behind the log, but for the `03` and `12` of the edge.

import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { createBasicAuthentication, type BasicAuthentication } from '../auth/basic.ts'
import { StoreError } from '../../ports/store.ts'
import { describeError } from '../../runtime/logging.ts'
import type { EvertecAppConfig } from '../../runtime/apps.ts'
import type { Dialect, DialectDeps } from '../dialect.ts'
import { acceptJsonBodies } from '../http/body.ts'
import { FaultError } from '../http/fault.ts'
import {
  badFields,
  NOT_DECIDED,
  NOT_JSON,
  sendFault,
  sendProblem,
  UNAUTHORIZED,
  UNAVAILABLE,
  UNKNOWN_OUTCOME,
} from '../http/problem.ts'
import { traceparentOf } from '../http/request-id.ts'
import { registerRoutes } from '../http/route-description.ts'
import { readInquiry } from './inquiry.ts'
import { protectRequest, type KeptKey } from './protect.ts'
import {
  edgeAnswer,
  financialAnswer,
  inquiryAnswer,
  isDecided,
  type FinancialAnswer,
  type InquiryAnswer,
} from './replies.ts'
import { readRequest } from './requests.ts'
import { EVERTEC_ROUTES } from './route-descriptions.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The app whose credentials came with the request; null before authentication. */
    evertecApp: EvertecAppConfig | null
  }
}

type EvertecDeps = Pick<
  DialectDeps,
  'keys' | 'clock' | 'evertecApps' | 'remoteCards' | 'limits' | 'logger' | 'submit' | 'ready'
>

const RATE_WINDOW_MS = 1_000

/**
 * The two routes, their authentication, rate limit and error form.
 * @throws Error when two apps have one key.
 */
export function evertecDialect(deps: EvertecDeps): Dialect {
  const authentication = createBasicAuthentication(deps.evertecApps)
  const plugin = async (scope: FastifyInstance) => {
    authenticate(scope, authentication)
    if (deps.evertecApps.some((app) => app.ratePerSecond !== undefined)) await limitRates(scope)
    scope.addHook('preParsing', (_request, _reply, _payload, done) =>
      done(deps.ready() ? null : new FaultError('unavailable')),
    )
    // Answers may hold a token.
    scope.addHook('onSend', (_request, reply, _payload, done) => {
      void reply.header('cache-control', 'no-store')
      done()
    })
    acceptJsonBodies(scope)
    registerRoutes(scope, EVERTEC_ROUTES, {
      postFinancial: (request, reply) => postFinancial(deps, request, reply),
      getFinancial: (request, reply) => getFinancial(deps, request, reply),
    })
  }
  const answerFault: Dialect['answerFault'] = (fault, reply) => sendFault(fault, reply, UNKNOWN_OUTCOME)
  return {
    prefix: '/financial',
    title: 'Evertec',
    description: 'Generation of payment tokens, and what is bought with them. Texts to callers are Spanish.',
    routes: EVERTEC_ROUTES,
    plugin,
    answerFault,
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
    errorResponseBuilder: () => new FaultError('too-many'),
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
  const { command, keep } = protectRequest(read.request, asked, deps.keys, deps.remoteCards?.ranges ?? [])
  if (keep && !(await kept(deps, keep))) return sendProblem(reply, UNAVAILABLE)
  const submitted = await deps.submit(command, traceparentOf(request))
  if (submitted === 'refused') return sendProblem(reply, UNAVAILABLE)
  if (submitted === 'unanswered' || !isDecided(submitted)) return sendProblem(reply, UNKNOWN_OUTCOME)
  return sendAnswer(reply, financialAnswer(consecutive, submitted, deps.clock.now(), deps.keys))
}

/** @returns false when the store may not have kept it: nothing is published then, and what is left expires. */
async function kept({ remoteCards, logger }: EvertecDeps, { slot, secrets }: KeptKey): Promise<boolean> {
  try {
    await remoteCards?.secrets.stash(slot, secrets)
    return true
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    logger.warn(describeError(error), "the key of a card's number may not have been kept")
    return false
  }
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
