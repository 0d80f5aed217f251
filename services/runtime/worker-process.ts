// A worker as a process: configuration, Kafka, Redis, health and metrics, shutdown. Only wiring; issuer and authorizer
// say which requests they take.

import { fastify } from 'fastify'
import type { Registry } from 'prom-client'
import { createAvroWire } from '../adapters/avro/wire.ts'
import { systemEntropy } from '../adapters/keys/entropy.ts'
import { createKeyRing } from '../adapters/keys/key-ring.ts'
import { createRedisStore } from '../adapters/redis/store.ts'
import type { Log } from '../ports/log.ts'
import type { Store } from '../ports/store.ts'
import { openAuthorizer } from './card-authorizer.ts'
import { readWorkerConfig, type WorkerConfig } from './config-worker.ts'
import type { Logger } from './logging.ts'
import { openLog } from './open-log.ts'
import { createLogMetrics, createRegistry, createStoreMetrics, createWorkerMetrics } from './metrics.ts'
import { runProcess, SHUTDOWN_SLACK_MS } from './process.ts'
import { onShutdown } from './shutdown.ts'
import { startWorker, type Worker, type WorkerObserver } from './worker/worker.ts'

export interface WorkerService {
  readonly name: string
  readonly topic: string
}

const PROBE_TIMEOUT_MS = 1_500

/** Runs until a signal. Configuration errors end it with exit code 1 and the variables' names. */
export function runWorker(service: WorkerService): Promise<void> {
  return runProcess(service.name, readWorkerConfig, (config, logger) => run(service, config, logger))
}

async function run({ name, topic }: WorkerService, config: WorkerConfig, logger: Logger): Promise<void> {
  const registry = createRegistry(name)
  const log = await openLog({ ...config.kafka, clientId: name, logger, onMetric: createLogMetrics(registry) })
  const store = await createRedisStore({ ...config.redis, log: logger })
  createStoreMetrics(registry, store)
  const cards = openAuthorizer(config.authorizer)
  let worker: Worker | null = null
  const health =
    config.healthPort === undefined
      ? null
      : await serveHealth(config.host, config.healthPort, {
          log,
          store,
          registry,
          working: () => worker !== null,
        })
  const shutdown = onShutdown(
    [
      { name: 'worker', run: () => worker?.stop(config.shutdownTimeoutMs) },
      { name: 'card authorizer', run: () => cards.close() },
      { name: 'log', run: () => log.close() },
      { name: 'store', run: () => store.close() },
      { name: 'health', run: () => health?.close() },
    ],
    { logger, deadlineMs: config.shutdownTimeoutMs + SHUTDOWN_SLACK_MS },
  )
  const observer: WorkerObserver = {
    ...createWorkerMetrics(registry),
    bug: (error) => {
      logger.fatal({ error }, 'a mistake in the program: stopping, offsets stay')
      process.exit(1)
    },
  }
  worker = await startWorker({
    log,
    store,
    wire: createAvroWire(),
    observer,
    topic,
    group: name,
    shell: {
      clock: { now: () => Date.now() },
      entropy: systemEntropy,
      keys: createKeyRing(config.keys),
      rules: config.rules,
    },
    maxRound: config.batchRecords,
    maxInFlight: config.maxInFlight,
    authorizer: cards.authorizer,
    maxOpenCalls: config.authorizer.maxOpen,
  })
  logger.info({ topic, group: name, cardAuthorizer: config.authorizer.kind }, 'taking requests')
  worker.failed.catch((error: unknown) => {
    logger.error({ error }, 'the subscription ended')
    return shutdown.begin('subscription ended', 1)
  })
}

interface Health {
  readonly log: Log
  readonly store: Store
  readonly registry: Registry
  working(): boolean
}

async function serveHealth(host: string, port: number, { log, store, registry, working }: Health) {
  const app = fastify({ logger: false })
  app.get('/health/live', async () => ({ status: 'live' }))
  app.get('/health/ready', async (_request, reply) => {
    const parts = { requests: working(), log: await answers(log.ping()), store: await answers(store.ping()) }
    const ready = Object.values(parts).every(Boolean)
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready', ...parts })
  })
  app.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()))
  await app.listen({ host, port })
  return app
}

async function answers(ping: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), PROBE_TIMEOUT_MS)
  })
  const answered = await Promise.race([
    ping.then(
      () => true,
      () => false,
    ),
    late,
  ])
  clearTimeout(timer)
  return answered
}
