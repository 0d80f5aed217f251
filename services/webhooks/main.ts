// npm run webhooks: events to receivers by HTTP. Without a command it is the service; `redeliver` and `secret` are for
// whoever operates it.

import { randomBytes } from 'node:crypto'
import { createAvroWire } from '../adapters/avro/wire.ts'
import { createProgram, runProgram } from '../cli/program.ts'
import { openLog } from '../runtime/open-log.ts'
import { serveHealth } from '../runtime/health.ts'
import type { Logger } from '../runtime/logging.ts'
import { createLogMetrics, createRegistry } from '../runtime/metrics.ts'
import { runProcess, SHUTDOWN_SLACK_MS } from '../runtime/process.ts'
import { onShutdown } from '../runtime/shutdown.ts'
import { createWebhookMetrics } from './metrics.ts'
import { addRedeliver } from './redeliver-command.ts'
import { startWebhooks, type Webhooks } from './service.ts'
import { readSettings, type WebhooksSettings } from './subscriptions.ts'

const SERVICE = 'webhooks'
const SECRET_BYTES = 32

const program = createProgram('npm run webhooks --')
  .description('Delivers events to the receivers of WEBHOOKS_FILE, signed by the Standard Webhooks specification.')
  .action(() => runProcess(SERVICE, readSettings, run))
addRedeliver(program)
program
  .command('secret')
  .description('print a new signing secret')
  .action(() => void process.stdout.write(`whsec_${randomBytes(SECRET_BYTES).toString('base64')}\n`))
await runProgram(program)

async function run(config: WebhooksSettings, logger: Logger): Promise<void> {
  const registry = createRegistry(SERVICE)
  const metrics = createWebhookMetrics(registry)
  const log = await openLog({
    ...config.kafka,
    clientId: SERVICE,
    logger,
    onMetric: createLogMetrics(registry),
  })
  let webhooks: Webhooks | null = null
  const health =
    config.healthPort === undefined
      ? null
      : await serveHealth(config.host, config.healthPort, {
          registry,
          parts: { deliveries: () => webhooks !== null, log: () => log.ping() },
        })
  const shutdown = onShutdown(
    [
      { name: 'deliveries', run: () => webhooks?.stop(config.shutdownTimeoutMs) },
      { name: 'log', run: () => log.close() },
      { name: 'health', run: () => health?.close() },
    ],
    { logger, deadlineMs: config.shutdownTimeoutMs + SHUTDOWN_SLACK_MS },
  )
  webhooks = await startWebhooks({ ...config, log, wire: createAvroWire(), metrics, logger })
  webhooks.failed.catch((error: unknown) => {
    logger.error({ error }, 'a subscription ended')
    return shutdown.begin('a subscription ended', 1)
  })
}
