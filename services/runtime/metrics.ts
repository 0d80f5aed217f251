// Metrics that every process may have: the process itself, workers, the log and the store. Labels are bounded sets,
// never anything of a caller. What only the edge counts stands with the edge.

import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

/** Seconds, from a round trip on one machine to the deadline of a call. */
const SECONDS_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15]
const SIZE_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000]
/** Different reasons that one label may take; more are counted as `other`. */
const MAX_REASONS = 20

/** A registry that labels everything with its service and knows memory, CPU, event loop and garbage collection. */
export function createRegistry(service: string): Registry {
  const registry = new Registry()
  registry.setDefaultLabels({ service })
  collectDefaultMetrics({ register: registry })
  return registry
}

/** What a worker tells of its rounds. */
export interface WorkerMetrics {
  round(transactions: number, seconds: number): void
  decided(transactionCode: string, responseCode: string): void
  conflict(): void
  retried(reason: string): void
  deadLetter(reason: string): void
  inFlight(count: number): void
  called(call: string, answer: string, seconds: number): void
  away(count: number): void
}

/** What a worker tells of the store's epochs. */
export interface RecoveryMetrics {
  deciding(yes: boolean): void
  recovered(records: number): void
  epoch(epoch: number): void
}

/** Registers the metrics of a recovery. @throws Error when the registry holds them already. */
export function createRecoveryMetrics(registry: Registry): RecoveryMetrics {
  const registers = [registry]
  const deciding = new Gauge({
    name: 'worker_deciding',
    help: '1 while the store is known to hold what the log says, else 0: nothing is decided then',
    registers,
  })
  const records = new Counter({
    name: 'recovery_records_total',
    help: 'Records of the log read to bring the store up to it',
    registers,
  })
  const epoch = new Gauge({ name: 'store_epoch', help: 'Epoch of the store, by the log', registers })
  return {
    deciding: (yes) => deciding.set(yes ? 1 : 0),
    recovered: (count) => records.inc(count),
    epoch: (number) => epoch.set(number),
  }
}

/** Registers the metrics of a worker. @throws Error when the registry holds them already. */
export function createWorkerMetrics(registry: Registry): WorkerMetrics {
  const registers = [registry]
  const sizes = new Histogram({
    name: 'worker_round_transactions',
    help: 'Transactions of a round',
    buckets: SIZE_BUCKETS,
    registers,
  })
  const times = new Histogram({
    name: 'worker_round_seconds',
    help: 'Time from load to acknowledged events',
    buckets: SECONDS_BUCKETS,
    registers,
  })
  const decisions = new Counter({
    name: 'worker_decisions_total',
    help: 'Decisions',
    labelNames: ['transaction_code', 'code'],
    registers,
  })
  const conflicts = new Counter({ name: 'worker_conflicts_total', help: 'Units that met a newer version', registers })
  const labelNames = ['reason']
  const retries = new Counter({ name: 'worker_retries_total', help: 'Transactions taken again', labelNames, registers })
  const dead = new Counter({
    name: 'worker_dead_letters_total',
    help: 'Records that are no message',
    labelNames,
    registers,
  })
  let inFlight = 0
  readGauge({ name: 'worker_in_flight', help: 'Requests taken up and not finished', registers }, () => inFlight)
  const deadReason = boundedReasons()
  return {
    round: (transactions, seconds) => {
      sizes.observe(transactions)
      times.observe(seconds)
    },
    decided: (transactionCode, code) => decisions.inc({ transaction_code: transactionCode, code }),
    conflict: () => conflicts.inc(),
    retried: (reason) => retries.inc({ reason }),
    deadLetter: (reason) => dead.inc({ reason: deadReason(reason) }),
    inFlight: (count) => void (inFlight = count),
    ...createCallMetrics(registers),
  }
}

/** Calls to the authorizer of cards. */
function createCallMetrics(registers: Registry[]): Pick<WorkerMetrics, 'called' | 'away'> {
  const calls = new Counter({
    name: 'worker_card_calls_total',
    help: 'Calls to the authorizer of cards',
    labelNames: ['call', 'answer'],
    registers,
  })
  const times = new Histogram({
    name: 'worker_card_call_seconds',
    help: 'Time until the authorizer of cards answered, or was given up',
    labelNames: ['call'],
    buckets: SECONDS_BUCKETS,
    registers,
  })
  const away = new Gauge({
    name: 'worker_card_transactions_open',
    help: 'Transactions that the authorizer of cards was asked for, and that are not at their end',
    registers,
  })
  return {
    called: (call, answer, seconds) => {
      calls.inc({ call, answer })
      times.observe({ call }, seconds)
    },
    away: (count) => away.set(count),
  }
}

interface Published {
  readonly records: number
  readonly bytes: number
  readonly seconds: number
}

/** What the Kafka adapter tells of itself. */
export type LogMetric =
  | ({ readonly kind: 'batch'; readonly topic: string; readonly queued: number } & Published)
  | { readonly kind: 'publish-failed'; readonly topic: string; readonly reason: string }
  | { readonly kind: 'consumer-restarted'; readonly reason: string }

/** Registers the metrics of the log, and gives what they are told by. @throws Error when the registry holds them. */
export function createLogMetrics(registry: Registry): (metric: LogMetric) => void {
  const registers = [registry]
  const labelNames = ['topic']
  const times = new Histogram({
    name: 'log_publish_seconds',
    help: 'Time until records were acknowledged',
    labelNames,
    buckets: SECONDS_BUCKETS,
    registers,
  })
  const records = new Counter({
    name: 'log_published_records_total',
    help: 'Records acknowledged',
    labelNames,
    registers,
  })
  const bytes = new Counter({ name: 'log_published_bytes_total', help: 'Bytes acknowledged', labelNames, registers })
  const failures = new Counter({
    name: 'log_publish_failures_total',
    help: 'Publications that failed',
    labelNames: ['topic', 'reason'],
    registers,
  })
  const queued = new Gauge({ name: 'log_queued_records', help: 'Records that are not acknowledged yet', registers })
  const restarts = new Counter({
    name: 'log_consumer_restarts_total',
    help: 'Consumers made anew',
    labelNames: ['reason'],
    registers,
  })
  const [failure, restart] = [boundedReasons(), boundedReasons()]
  return (metric) => {
    switch (metric.kind) {
      case 'batch':
        times.observe({ topic: metric.topic }, metric.seconds)
        records.inc({ topic: metric.topic }, metric.records)
        bytes.inc({ topic: metric.topic }, metric.bytes)
        return queued.set(metric.queued)
      case 'publish-failed':
        return failures.inc({ topic: metric.topic, reason: failure(metric.reason) })
      case 'consumer-restarted':
        return restarts.inc({ reason: restart(metric.reason) })
      default:
        metric satisfies never
    }
  }
}

/** Registers the state of a store's connection, read when metrics are asked for. @throws Error when there already. */
export function createStoreMetrics(registry: Registry, store: { readonly generation: number }): void {
  const help = 'Raised by every change of the connection to the store'
  readGauge({ name: 'store_generation', help, registers: [registry] }, () => store.generation)
}

/** Registers a gauge that is read when metrics are asked for, however often it changes in between. */
export function readGauge(about: { name: string; help: string; registers: Registry[] }, read: () => number): void {
  const gauge: Gauge = new Gauge({ ...about, collect: (): void => gauge.set(read()) })
}

/** Lets through so many different reasons; what comes after them is `other`. */
export function boundedReasons(): (reason: string) => string {
  const known = new Set<string>()
  return (reason) => {
    if (!known.has(reason) && known.size >= MAX_REASONS) return 'other'
    known.add(reason)
    return reason
  }
}
