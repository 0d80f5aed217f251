// The routes of the Aspen dialect, `/api/app` (contract, section 2). It translates and hands on: what is decided is
// decided behind the log.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { TokenUse } from '../../core/transaction/command.ts'
import { StoreError } from '../../ports/store.ts'
import type { AspenAppConfig } from '../../runtime/apps-aspen.ts'
import { describeError } from '../../runtime/logging.ts'
import type { Dialect, DialectDeps } from '../dialect.ts'
import { acceptJsonBodies } from '../http/body.ts'
import { FaultError, type Fault } from '../http/fault.ts'
import { traceparentOf } from '../http/request-id.ts'
import { registerRoutes } from '../http/route-description.ts'
import { createGate, type AspenAction, type AspenGate } from './admission.ts'
import { sendEvent, withTime } from './errors.ts'
import { EVENTS, type AspenEvent } from './events.ts'
import { sendHelp } from './help.ts'
import { TOKEN_TTL_SECONDS, tokenUseOf, type Asked } from './protect.ts'
import { claimAnswer, useAnswer } from './replies.ts'
import { cancellationBody, claimBody, readBody, sendBody } from './requests.ts'
import { ASPEN_ROUTES, HELP_ROUTES } from './route-descriptions.ts'
import { sendToken } from './send.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The app that was admitted; null before. */
    aspenApp: AspenAppConfig | null
  }
}

type AspenDeps = Pick<
  DialectDeps,
  'aspen' | 'publicUrl' | 'keys' | 'clock' | 'limits' | 'logger' | 'submit' | 'hold' | 'ready'
>

/** What the call of each route wants to do. */
const ACTIONS: Readonly<Record<keyof typeof ASPEN_ROUTES, AspenAction>> = {
  aspenSignIn: 'signin',
  claimToken: 'validate',
  sendToken: 'send',
  listTokenChannels: 'channels',
  cancelToken: 'cancel',
}

const FAULT_EVENTS: Readonly<Record<Fault, AspenEvent>> = {
  'bad-request': EVENTS.badRequest,
  'not-json': EVENTS.notJson,
  'not-found': EVENTS.noRoute,
  'too-large': EVENTS.tooLarge,
  'not-json-type': EVENTS.notJsonType,
  'too-many': EVENTS.unavailable,
  unavailable: EVENTS.unavailable,
  internal: EVENTS.internal,
}

/** @throws Error when two apps have one key. */
export function aspenDialect(deps: AspenDeps): Dialect {
  const { delivery } = deps.aspen
  const gate = createGate({ ...deps.aspen, keys: deps.keys, clock: deps.clock })
  const refuse = (reply: FastifyReply, event: AspenEvent) => sendEvent(reply, event, deps.publicUrl)
  const plugin = async (scope: FastifyInstance) => {
    admitCalls(scope, gate, refuse, deps)
    scope.addHook('preParsing', (_request, _reply, _payload, done) =>
      done(deps.ready() ? null : new FaultError('unavailable')),
    )
    scope.addHook('onSend', (_request, reply, _payload, done) => {
      // Answers may hold a token, and a repeated sign-in must not be answered with an old one.
      void withTime(reply).header('cache-control', 'no-store')
      done()
    })
    acceptJsonBodies(scope)
    registerRoutes(scope, ASPEN_ROUTES, {
      aspenSignIn: async (request, reply) =>
        reply.type('text/plain; charset=utf-8').send(await gate.signIn(appOf(request))),
      claimToken: (request, reply) => useToken('TOKEN_CLAIM', deps, refuse, request, reply),
      sendToken: (request, reply) => postSend(deps, refuse, request, reply),
      listTokenChannels: async (_request, reply) => reply.send([{ key: delivery.key, name: delivery.name }]),
      cancelToken: (request, reply) => useToken('TOKEN_CANCELLATION', deps, refuse, request, reply),
    })
  }
  return {
    prefix: '/api/app',
    title: 'Aspen',
    description: 'Validation of payment tokens, and their delivery to users. Texts to callers are Spanish.',
    routes: { ...ASPEN_ROUTES, ...HELP_ROUTES },
    plugin: async (scope) => {
      registerRoutes(scope, HELP_ROUTES, { getEventHelp: sendHelp })
      await scope.register(plugin)
    },
    answerFault: (fault, reply) => refuse(reply, FAULT_EVENTS[fault]),
  }
}

type Refuse = (reply: FastifyReply, event: AspenEvent) => FastifyReply

function admitCalls(scope: FastifyInstance, gate: AspenGate, refuse: Refuse, { logger }: AspenDeps): void {
  scope.decorateRequest('aspenApp', null)
  scope.addHook('onRequest', async (request, reply) => {
    const operation = request.routeOptions.config.operationId as keyof typeof ASPEN_ROUTES
    try {
      const admitted = await gate.admit(request.headers, ACTIONS[operation])
      if ('app' in admitted) request.aspenApp = admitted.app
      else refused(refuse, reply, admitted.refused)
    } catch (error) {
      throw unavailable(error, logger)
    }
  })
}

/** Without the store no nonce is known, so nothing may be accepted. */
function unavailable(error: unknown, logger: AspenDeps['logger']): unknown {
  if (!(error instanceof StoreError)) return error
  logger.warn(describeError(error), 'sessions cannot be asked for')
  return new FaultError('unavailable')
}

function refused(refuse: Refuse, reply: FastifyReply, event: AspenEvent): FastifyReply {
  if (event === EVENTS.wrongBasic) void reply.header('www-authenticate', 'Basic realm="api/app", charset="UTF-8"')
  return refuse(reply, event)
}

function appOf(request: FastifyRequest): AspenAppConfig {
  if (request.aspenApp === null) throw new Error('a route without admission')
  return request.aspenApp
}

function askedOf(request: FastifyRequest, { clock, limits }: AspenDeps): Asked {
  const { clientId, key: appKey } = appOf(request)
  return { clientId, appKey, now: clock.now(), replyTimeoutMs: limits.replyTimeoutMs }
}

async function useToken(
  kind: TokenUse['kind'],
  deps: AspenDeps,
  refuse: Refuse,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const read = readBody(kind === 'TOKEN_CLAIM' ? claimBody : cancellationBody, request.body)
  if ('refused' in read) return refuse(reply, read.refused)
  const { token } = request.params as { readonly token: string }
  const command = tokenUseOf(kind, token, read.fields, askedOf(request, deps), deps.keys)
  const answered = useAnswer(await deps.submit(command, traceparentOf(request)))
  if ('refused' in answered) {
    reply.responseCode = answered.code
    return refuse(reply, answered.refused)
  }
  reply.responseCode = '00'
  return kind === 'TOKEN_CLAIM' ? reply.send(claimAnswer(answered.approved)) : reply.send()
}

async function postSend(
  deps: AspenDeps,
  refuse: Refuse,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const read = readBody(sendBody, request.body)
  if ('refused' in read) return refuse(reply, read.refused)
  const sent = await sendToken(appOf(request), read.fields, {
    ...deps,
    delivery: deps.aspen.delivery,
    asked: askedOf(request, deps),
    traceparent: traceparentOf(request),
  })
  if ('answer' in sent) {
    reply.responseCode = '00'
    return reply.send(sent.answer)
  }
  reply.responseCode = sent.code
  // By then at least one of the tokens that stand in the way is over, if they have the usual life.
  if (sent.refused === EVENTS.tooManyTokens) void reply.header('retry-after', String(TOKEN_TTL_SECONDS))
  return refuse(reply, sent.refused)
}
