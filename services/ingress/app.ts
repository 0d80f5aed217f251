// The HTTP edge as one Fastify app: wiring, start and shutdown. What it serves is in the dialects' folders.

import { setImmediate as afterThis, setTimeout as sleep } from 'node:timers/promises'
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { IngressDeps } from './deps.ts'
import { aspenDialect } from './aspen/routes.ts'
import { createDepartures } from './departures.ts'
import { dialectOf, type Dialect, type DialectDeps } from './dialect.ts'
import { evertecDialect } from './evertec/routes.ts'
import { recordAnswer, recordResponses } from './http/access-log.ts'
import { errorHandler } from './http/errors.ts'
import type { Fault } from './http/fault.ts'
import { healthRoutes } from './http/health.ts'
import { sendFault } from './http/problem.ts'
import { requestId } from './http/request-id.ts'
import { boundServer, clientErrors, serverOptions } from './http/server.ts'
import { createIngressMetrics, type IngressMetrics } from './metrics.ts'
import { documentRoutes } from './openapi/routes.ts'
import { openpayDialect } from './openpay/routes.ts'
import { createReadiness } from './readiness.ts'
import { createReplyReader } from './replies/reader.ts'
import { createTimerWheel } from './replies/timer-wheel.ts'
import { createWaiters, type Waiters } from './replies/waiters.ts'
import { createSubmit } from './submit.ts'

/** How long the start waits for the first replies to be followed; without them the app starts, and is not ready. */
const START_PATIENCE_MS = 1_000
/** After the open calls: for answers to be flushed and slow bodies to arrive. Then connections are cut. */
const CLOSING_PATIENCE_MS = 1_000
/** Over and above the shutdown's own time, before Fastify takes its hooks for stuck. */
const HOOK_SLACK_MS = 5_000

/**
 * The app, not yet listening. `ready()` starts to follow replies; `close()` refuses new calls, answers the open ones or
 * gives them their 500, and stops reading. Log, store and metrics registry stay their owner's to close.
 * @throws Error when two apps have one key, or the registry holds the ingress' metrics already.
 */
export function createIngress(deps: IngressDeps): FastifyInstance {
  const { log, wire, limits, logger } = deps
  const metrics = createIngressMetrics(deps.registry)
  const wheel = createTimerWheel()
  const waiters = createWaiters(limits, wheel, metrics.openCalls)
  const departures = createDepartures(() => waiters.open)
  const reader = createReplyReader({
    log,
    wire,
    logger,
    partition: deps.replyPartition,
    onMalformed: metrics.malformedReply,
    // To give answers takes milliseconds, in which workers would have nothing to do.
    onArrival: async (count) => {
      if (departures.answering(count)) await afterThis()
    },
    onReply: (reply) => {
      if (!waiters.answer(reply)) metrics.lateReply()
    },
  })
  let accepting = true
  const readiness = createReadiness({
    logPing: () => log.ping(),
    storePing: deps.storePing ?? (async () => {}),
    replies: () => reader.partition !== null,
    accepting: () => accepting,
    intervalMs: limits.probeIntervalMs,
  })
  const submit = createSubmit({
    log,
    wire,
    logger,
    waiters,
    departures,
    replyTimeoutMs: limits.replyTimeoutMs,
    replyPartition: () => reader.partition,
    accepting: () => accepting,
  })

  const dialects = dialectsOf({ ...deps, submit, ready: () => readiness.ready, hold: () => waiters.hold() })
  const app = createApp(deps, metrics, dialects)
  recordResponses(app, logger, metrics)
  // Hooks of every call are callbacks: an async function costs each a promise and a turn of the queue.
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (!accepting) void reply.header('connection', 'close')
    done()
  })
  healthRoutes(app, readiness, deps.registry)
  documentRoutes(app, dialects)
  for (const { plugin } of dialects) void app.register(plugin)
  app.addHook('onReady', async () => {
    await Promise.all([reader.start(START_PATIENCE_MS), readiness.start()])
  })
  app.addHook('preClose', async () => {
    accepting = false
    await drain(waiters, limits.shutdownTimeoutMs)
    setTimeout(() => app.server.closeAllConnections(), CLOSING_PATIENCE_MS).unref()
  })
  app.addHook('onClose', async () => {
    readiness.stop()
    wheel.stop()
    await Promise.race([reader.stop(), sleep(CLOSING_PATIENCE_MS, undefined, { ref: false })])
  })
  return app
}

/** Every dialect that is served. */
function dialectsOf(deps: DialectDeps): readonly Dialect[] {
  return [evertecDialect(deps), aspenDialect(deps), openpayDialect(deps)]
}

function createApp(
  { limits, logger }: IngressDeps,
  metrics: IngressMetrics,
  dialects: readonly Dialect[],
): FastifyInstance {
  /** In the form of the dialect whose prefix the route has, however the path was written, else as a problem. */
  const answerFault = (fault: Fault, request: FastifyRequest, reply: FastifyReply) =>
    (dialectOf(dialects, request.routeOptions.url ?? request.url)?.answerFault ?? sendFault)(fault, reply)
  const handleError = errorHandler(logger, answerFault)
  const onAnswered = (requestId: string, status: number) => recordAnswer(logger, metrics, requestId, status)
  const app = fastify({
    logger: false,
    http: serverOptions(limits),
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    pluginTimeout: limits.shutdownTimeoutMs + HOOK_SLACK_MS,
    genReqId: requestId,
    exposeHeadRoutes: false,
    // The app refuses new calls itself on shutdown, in the form of the contract.
    return503OnClosing: false,
    // The form of a consecutive is judged by its route, whatever its length.
    routerOptions: { maxParamLength: Number.MAX_SAFE_INTEGER },
    frameworkErrors: (error, request, reply) => void handleError(error, request, reply),
    clientErrorHandler: clientErrors(onAnswered),
  })
  boundServer(app.server, limits, onAnswered)
  app.setErrorHandler(handleError)
  app.setNotFoundHandler((request, reply) => answerFault('not-found', request, reply))
  app.removeAllContentTypeParsers()
  app.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id)
    if (request.headers.host !== undefined || request.raw.httpVersion !== '1.1') return done()
    void answerFault('bad-request', request, reply)
  })
  return app
}

/** Waits for the open calls to be answered; those that are not within the time end unanswered. */
async function drain(waiters: Waiters, timeoutMs: number): Promise<void> {
  const over = new AbortController()
  const timeout = sleep(timeoutMs, undefined, { signal: over.signal }).catch(() => undefined)
  await Promise.race([waiters.empty(), timeout])
  over.abort()
  waiters.giveUp()
}
