// The notary as a process: configuration, Kafka, health and metrics, shutdown. Only wiring.

import { createAvroWire } from '../adapters/avro/wire.ts'
import { createSignatureVerifier, createSigner, publicKeysOf } from '../adapters/keys/signing.ts'
import { readNotaryConfig, type NotaryConfig } from '../runtime/config-audit.ts'
import { serveHealth } from '../runtime/health.ts'
import type { Logger } from '../runtime/logging.ts'
import { createLogMetrics, createRegistry } from '../runtime/metrics.ts'
import { openLog } from '../runtime/open-log.ts'
import { runProcess, SHUTDOWN_SLACK_MS } from '../runtime/process.ts'
import { onShutdown } from '../runtime/shutdown.ts'
import { createNotaryMetrics } from './metrics.ts'
import { startNotary, type Notary } from './notary.ts'
import { observerOf } from './observer.ts'

async function run(config: NotaryConfig, logger: Logger): Promise<void> {
  const registry = createRegistry('notary')
  const log = await openLog({
    ...config.kafka,
    clientId: 'notary',
    logger,
    onMetric: createLogMetrics(registry),
  })
  let notary: Notary | null = null
  const health =
    config.healthPort === undefined
      ? null
      : await serveHealth(config.host, config.healthPort, {
          registry,
          parts: { events: () => notary !== null, log: () => log.ping() },
        })
  const shutdown = onShutdown(
    [
      { name: 'notary', run: () => notary?.stop() },
      { name: 'log', run: () => log.close() },
      { name: 'health', run: () => health?.close() },
    ],
    { logger, deadlineMs: config.shutdownTimeoutMs + SHUTDOWN_SLACK_MS },
  )
  notary = await startNotary({
    log,
    wire: createAvroWire(),
    signer: createSigner(config.signingKeys),
    verifier: createSignatureVerifier(publicKeysOf(config.signingKeys)),
    clock: { now: () => Date.now() },
    intervalMs: config.intervalMs,
    maxRecords: config.maxRecords,
    observer: observerOf(logger, createNotaryMetrics(registry)),
  })
  logger.info({ sequence: notary.tip.sequence, keyId: config.signingKeys[0]?.id }, 'signing')
  notary.failed.catch((error: unknown) => {
    logger.error({ error }, 'the subscription ended')
    return shutdown.begin('subscription ended', 1)
  })
}

await runProcess('notary', readNotaryConfig, run)
