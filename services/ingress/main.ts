// The ingress as a process: configuration, Kafka, HTTP, shutdown. Only wiring; what it serves is in `app.ts`.

import { createAvroWire } from '../adapters/avro/wire.ts'
import { createKeyRing } from '../adapters/keys/key-ring.ts'
import { createRedisSessions } from '../adapters/redis/sessions.ts'
import { createRedisStore } from '../adapters/redis/store.ts'
import { readIngressConfig, type IngressConfig } from '../runtime/config-ingress.ts'
import { openDelivery } from '../runtime/delivery.ts'
import type { Logger } from '../runtime/logging.ts'
import { openLog } from '../runtime/open-log.ts'
import { createLogMetrics, createRegistry } from '../runtime/metrics.ts'
import { runProcess, SHUTDOWN_SLACK_MS } from '../runtime/process.ts'
import { onShutdown } from '../runtime/shutdown.ts'
import { createIngress } from './app.ts'
import { limitsOf } from './deps.ts'

async function run(config: IngressConfig, logger: Logger): Promise<void> {
  const registry = createRegistry('ingress')
  const log = await openLog({
    ...config.kafka,
    clientId: 'ingress',
    logger,
    requestTimeoutMs: config.replyTimeoutMs,
    onMetric: createLogMetrics(registry),
  })
  const store = await createRedisStore({ ...config.redis, log: logger })
  const sessions = await createRedisSessions({ ...config.redis, log: logger })
  const delivery = openDelivery(config.delivery, logger)
  const app = createIngress({
    log,
    logger,
    registry,
    storePing: () => store.ping(),
    wire: createAvroWire(),
    keys: createKeyRing(config.keys),
    clock: { now: () => Date.now() },
    evertecApps: config.apps.evertec,
    remoteCards: { ranges: config.remoteCardRanges, secrets: store },
    openpay: { merchants: config.apps.openpay, cardTokens: config.cardTokens, secrets: store },
    aspen: { apps: config.apps.aspen, sessions, delivery },
    ...(config.publicUrl === undefined ? {} : { publicUrl: config.publicUrl }),
    replyPartition: config.replyPartition,
    limits: limitsOf(config),
  })
  onShutdown(
    [
      { name: 'http', run: () => app.close() },
      { name: 'delivery', run: async () => delivery.close() },
      { name: 'log', run: () => log.close() },
      { name: 'sessions', run: () => sessions.close() },
      { name: 'store', run: () => store.close() },
    ],
    { logger, deadlineMs: config.shutdownTimeoutMs + SHUTDOWN_SLACK_MS },
  )
  await app.listen({ host: config.host, port: config.port })
  logger.info({ host: config.host, port: config.port }, 'listening')
}

await runProcess('ingress', readIngressConfig, run)
