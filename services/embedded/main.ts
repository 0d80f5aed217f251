// Everything in one process on memory: to try the service out and to develop against it. It forgets all when it ends, so
// it is never a fallback for a broker that is missing.

import type { Registry } from 'prom-client'
import { createAvroWire } from '../adapters/avro/wire.ts'
import { systemEntropy } from '../adapters/keys/entropy.ts'
import { createKeyRing } from '../adapters/keys/key-ring.ts'
import { createSignatureVerifier, createSigner, publicKeysOf } from '../adapters/keys/signing.ts'
import { createMemoryLog } from '../adapters/memory/log.ts'
import { createMemorySessions } from '../adapters/memory/sessions.ts'
import { createMemoryStore } from '../adapters/memory/store.ts'
import { importAccounts } from '../cli/account-import.ts'
import { rowsOfCards } from '../cli/account-rows.ts'
import { createRequester } from '../cli/requester.ts'
import { curlExamples } from '../demo/examples.ts'
import { createIngress } from '../ingress/app.ts'
import { limitsOf } from '../ingress/deps.ts'
import { openAuthorizer } from '../runtime/card-authorizer.ts'
import { createNotaryMetrics } from '../notary/metrics.ts'
import { startNotary, type Notary } from '../notary/notary.ts'
import { observerOf } from '../notary/observer.ts'
import type { Clock } from '../ports/clock.ts'
import type { KeyRing } from '../ports/keys.ts'
import type { Log } from '../ports/log.ts'
import type { Wire } from '../ports/wire.ts'
import { readEmbeddedConfig, type EmbeddedConfig } from '../runtime/config-embedded.ts'
import { openDelivery } from '../runtime/delivery.ts'
import type { Logger } from '../runtime/logging.ts'
import { createRecoveryMetrics, createRegistry, createWorkerMetrics } from '../runtime/metrics.ts'
import { runProcess, SHUTDOWN_SLACK_MS } from '../runtime/process.ts'
import { recoveryObserver } from '../runtime/recovery/observer.ts'
import { onShutdown } from '../runtime/shutdown.ts'
import { TOPIC, TOPICS } from '../runtime/topics.ts'
import { startWorker, type Worker, type WorkerDeps, type WorkerObserver } from '../runtime/worker/worker.ts'
import { lendLog, socketPath } from './log-server.ts'

async function run(config: EmbeddedConfig, logger: Logger): Promise<void> {
  const clock = { now: () => Date.now() }
  const registry = createRegistry('embedded')
  const log = createMemoryLog({ topics: TOPICS, clock })
  const store = createMemoryStore({ clock })
  const wire = createAvroWire()
  const keys = createKeyRing(config.keys)
  const shell = { clock, entropy: systemEntropy, keys, rules: config.rules }
  const observer = workerObserver(registry, logger)
  const cards = openAuthorizer(config.authorizer, logger)
  const workers = await startWorkers({ log, store, wire, shell, observer, authorizer: cards.authorizer }, config)
  await loadCards(config, { log, wire, keys, clock, logger })
  const notary = config.notary && (await startNotaryOn(log, wire, clock, config.notary, registry, logger))
  const { shutdownTimeoutMs } = config
  const delivery = openDelivery(config.delivery, logger)
  const app = createIngress({
    log,
    wire,
    keys,
    clock,
    logger,
    registry,
    evertecApps: config.apps.evertec,
    remoteCards: { ranges: config.remoteCardRanges, secrets: store },
    openpay: { merchants: config.apps.openpay, cardTokens: config.cardTokens, secrets: store },
    aspen: { apps: config.apps.aspen, sessions: createMemorySessions({ clock }), delivery },
    ...(config.publicUrl === undefined ? {} : { publicUrl: config.publicUrl }),
    storePing: () => store.ping(),
    limits: limitsOf(config),
  })
  const lent = await lendLog(log, socketPath(config.port))
  onShutdown(
    [
      { name: 'http', run: () => app.close() },
      { name: 'delivery', run: async () => delivery.close() },
      { name: 'lent log', run: () => lent.close() },
      {
        name: 'workers',
        run: async () => void (await Promise.all(workers.map((worker) => worker.stop(shutdownTimeoutMs)))),
      },
      { name: 'notary', run: () => notary?.stop() },
      { name: 'card authorizer', run: () => cards.close() },
      { name: 'log', run: () => log.close() },
    ],
    { logger, deadlineMs: shutdownTimeoutMs + SHUTDOWN_SLACK_MS },
  )
  await app.listen({ host: config.host, port: config.port })
  greet(config)
}

type Bounds = Pick<WorkerDeps, 'maxRound' | 'maxInFlight' | 'maxOpenCalls' | 'callRetry'>

/** Issuer and authorizer: one worker of each topic of requests. */
async function startWorkers(
  shared: Omit<WorkerDeps, 'group' | 'topic' | keyof Bounds>,
  { batchRecords, maxInFlight, authorizer }: EmbeddedConfig,
): Promise<readonly Worker[]> {
  const { maxOpen: maxOpenCalls, retry: callRetry } = authorizer
  const bounds: Bounds = { maxRound: batchRecords, maxInFlight, maxOpenCalls, callRetry }
  const services = [
    ['issuer', TOPIC.tokenRequests],
    ['authorizer', TOPIC.purchaseRequests],
  ] as const
  return Promise.all(services.map(([group, topic]) => startWorker({ ...shared, ...bounds, group, topic })))
}

async function loadCards(
  { apps, replyTimeoutMs }: EmbeddedConfig,
  parts: {
    readonly log: Log
    readonly wire: Wire
    readonly keys: KeyRing
    readonly clock: Clock
    readonly logger: Logger
  },
): Promise<void> {
  const requester = await createRequester(parts.log, parts.wire, replyTimeoutMs)
  const { refused } = await importAccounts(rowsOfCards(apps.cards), { ...parts, ask: requester.ask })
  await requester.close()
  if (refused.length > 0) parts.logger.warn({ count: refused.length }, 'cards of the apps file were refused')
}

/** Everything but the keys is as in the notary's own process. */
async function startNotaryOn(
  log: Log,
  wire: Wire,
  clock: Clock,
  { signingKeys, intervalMs, maxRecords }: NonNullable<EmbeddedConfig['notary']>,
  registry: Registry,
  logger: Logger,
): Promise<Notary> {
  return startNotary({
    log,
    wire,
    clock,
    intervalMs,
    maxRecords,
    signer: createSigner(signingKeys),
    verifier: createSignatureVerifier(publicKeysOf(signingKeys)),
    observer: observerOf(logger, createNotaryMetrics(registry)),
  })
}

function workerObserver(registry: Registry, logger: Logger): WorkerObserver {
  return {
    ...createWorkerMetrics(registry),
    ...recoveryObserver(createRecoveryMetrics(registry), logger),
    bug: (error) => {
      logger.fatal({ error }, 'a mistake in the program')
      process.exit(1)
    },
  }
}

function greet({ port, apps }: EmbeddedConfig): void {
  const set = apps.demo ? `with the demo set (${apps.cards.length} cards)` : `with ${apps.evertec.length} apps`
  process.stdout
    .write(`The payment-token service listens on http://127.0.0.1:${port}, in memory, ${set}. Ctrl-C ends it.
Everything is forgotten when it ends; \`npm run stack\` runs it on a real Kafka and Redis.

${apps.demo ? curlExamples(port) : ''}

# What was decided, as events, and whether anything was changed since:
PORT=${port} npm run events
PORT=${port} npm run audit -- verify
`)
}

await runProcess('embedded', readEmbeddedConfig, run)
