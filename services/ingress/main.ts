// The ingress as a process: configuration, Kafka, HTTP, shutdown. Only wiring; what it serves is in `app.ts`.

import { createAvroWire } from '../adapters/avro/wire.ts'
import { createKafkaLog } from '../adapters/kafka/log.ts'
import { createKeyRing } from '../adapters/keys/key-ring.ts'
import { readIngressConfig, type IngressConfig } from '../runtime/config-ingress.ts'
import { ConfigError, type Environment } from '../runtime/env.ts'
import { createLogger, type Logger } from '../runtime/logging.ts'
import { createLogMetrics, createRegistry } from '../runtime/metrics.ts'
import { onShutdown } from '../runtime/shutdown.ts'
import { createIngress } from './app.ts'
import { limitsOf } from './deps.ts'

/** Over and above the open calls: for connections to close and the log to flush. Milliseconds. */
const SHUTDOWN_SLACK_MS = 2_000

async function run(config: IngressConfig, logger: Logger): Promise<void> {
  const registry = createRegistry('ingress')
  const log = await createKafkaLog({
    ...config.kafka, clientId: 'ingress', logger, requestTimeoutMs: config.replyTimeoutMs,
    onMetric: createLogMetrics(registry),
  })
  const app = createIngress({
    log, logger, registry,
    wire: createAvroWire(), keys: createKeyRing(config.keys), clock: { now: () => Date.now() },
    evertecApps: config.apps.evertec, replyPartition: config.replyPartition,
    limits: limitsOf(config),
  })
  onShutdown([
    { name: 'http', run: () => app.close() },
    { name: 'log', run: () => log.close() },
  ], { logger, deadlineMs: config.shutdownTimeoutMs + SHUTDOWN_SLACK_MS })
  await app.listen({ host: config.host, port: config.port })
  logger.info({ host: config.host, port: config.port }, 'listening')
}

/** Starts, or says what of the configuration is wrong and gives up. */
async function main(env: Environment): Promise<void> {
  let config: IngressConfig
  try {
    config = readIngressConfig(env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
    return
  }
  const logger = createLogger({ service: 'ingress', level: config.logLevel })
  try {
    await run(config, logger)
  } catch (error) {
    logger.fatal({ error }, 'did not start')
    process.exit(1)
  }
}

await main(process.env)
