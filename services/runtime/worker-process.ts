// A worker as a process: configuration, Kafka, Redis, health and metrics, shutdown. Only wiring; issuer and authorizer
// say which requests they take.

import { createAvroWire } from '../adapters/avro/wire.ts'
import { systemEntropy } from '../adapters/keys/entropy.ts'
import { createKeyRing } from '../adapters/keys/key-ring.ts'
import { createRedisStore } from '../adapters/redis/store.ts'
import { openAuthorizer } from './card-authorizer.ts'
import { readWorkerConfig, type WorkerConfig } from './config-worker.ts'
import { serveHealth } from './health.ts'
import type { Logger } from './logging.ts'
import { openLog } from './open-log.ts'
import {
  createLogMetrics,
  createRecoveryMetrics,
  createRegistry,
  createStoreMetrics,
  createWorkerMetrics,
} from './metrics.ts'
import { runProcess, SHUTDOWN_SLACK_MS } from './process.ts'
import { recoveryObserver } from './recovery/observer.ts'
import { onShutdown } from './shutdown.ts'
import { startWorker, type Worker, type WorkerObserver } from './worker/worker.ts'

export interface WorkerService {
  readonly name: string
  readonly topic: string
}

/** Runs until a signal. Configuration errors end it with exit code 1 and the variables' names. */
export function runWorker(service: WorkerService): Promise<void> {
  return runProcess(service.name, readWorkerConfig, (config, logger) => run(service, config, logger))
}

async function run({ name, topic }: WorkerService, config: WorkerConfig, logger: Logger): Promise<void> {
  const registry = createRegistry(name)
  const log = await openLog({ ...config.kafka, clientId: name, logger, onMetric: createLogMetrics(registry) })
  const store = await createRedisStore({ ...config.redis, log: logger })
  createStoreMetrics(registry, store)
  const cards = openAuthorizer(config.authorizer, logger)
  let worker: Worker | null = null
  const health =
    config.healthPort === undefined
      ? null
      : await serveHealth(config.host, config.healthPort, {
          registry,
          parts: {
            requests: () => worker !== null,
            deciding: () => worker?.deciding() ?? false,
            log: () => log.ping(),
            store: () => store.ping(),
          },
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
    ...recoveryObserver(createRecoveryMetrics(registry), logger),
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
    callRetry: config.authorizer.retry,
  })
  logger.info({ topic, group: name, cardAuthorizer: config.authorizer.kind }, 'taking requests')
  worker.failed.catch((error: unknown) => {
    logger.error({ error }, 'the subscription ended')
    return shutdown.begin('subscription ended', 1)
  })
}
