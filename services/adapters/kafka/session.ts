// Keeps one kafkajs consumer running: makes it anew after a crash or a silence, however long the outage. Says who it
// reads for to nobody: what is done with records and positions is its owner's.

import type { Consumer, EachBatchPayload, PartitionAssigner } from 'kafkajs'
import { LogError } from '../../ports/log.ts'
import { createClient, reasonOf, RETRY } from './client.ts'
import type { Settings } from './options.ts'
import { settled, within } from './waiting.ts'

/** How soon a record is seen is not this, but how soon a rebalance and a stop are. */
const MAX_WAIT_MS = 100
/** A member that died is missed after this. The broker's own minimum. */
const SESSION_TIMEOUT_MS = 6_000
const HEARTBEAT_MS = 500
const REBALANCE_TIMEOUT_MS = 10_000
/** Of one fetch, all partitions together. */
const MAX_FETCH_BYTES = 8 * 1024 * 1024
/**
 * A consumer that gave no sign for this long, with no handler running, is made anew. A request may take ten seconds.
 */
const SILENCE_MS = 30_000
const WATCH_MS = 1_000
/** Between two attempts to get a consumer running. */
const RESTART_MIN_MS = 100
const RESTART_MAX_MS = 2_000
/** Of attempts that fail one after the other, the first and then one in this many are logged. */
export const LOG_EVERY = 30
/** To join for the first time; a group whose member died without leaving waits for its session to end. */
const FIRST_JOIN_MS = 30_000
/** For the running handlers, and for leaving. */
const HANDLER_TIMEOUT_MS = 10_000
const LEAVE_TIMEOUT_MS = 5_000
/** Before a batch whose handler failed is fetched again. */
const REDELIVERY_MS = 100
/** No later attempt can mend these. */
const HOPELESS = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'UNSUPPORTED_VERSION',
  'INVALID_GROUP_ID',
  'INCONSISTENT_GROUP_PROTOCOL',
  'INVALID_SESSION_TIMEOUT',
  'KafkaJSSASLAuthenticationError',
  'KafkaJSServerDoesNotSupportApiKey',
])

/** The partitions of each topic that a member has. */
export type Assigned = Readonly<Record<string, readonly number[]>>

export interface SessionOptions {
  readonly settings: Settings
  /** For log lines and metrics: few different ones. */
  readonly name: string
  /** Asked for each new consumer. */
  readonly groupId: () => string
  readonly topics: readonly string[]
  readonly assigner?: PartitionAssigner
  readonly maxBytesPerPartition: number
  /** Partitions handed over at the same time. */
  readonly concurrency: number
  /** The partitions of this member are fixed anew; nothing of them was fetched yet. `seek` here is obeyed. */
  readonly onJoined: (consumer: Consumer, assigned: Assigned) => void
  /** They are about to be. */
  readonly onRebalancing?: (consumer: Consumer) => void
  /** Resolving moves the position behind the batch, rejecting leaves it before: the batch is fetched again. */
  readonly onBatch: (payload: EachBatchPayload) => Promise<void>
  /** The position moved up to and including this offset, also over what is no record. */
  readonly onPassed?: (topic: string, partition: number, offset: bigint) => void
}

export class ConsumerSession {
  readonly failed: Promise<never>
  readonly #options: SessionOptions
  readonly #fail: (error: LogError) => void
  /** Batches that are with the handler. */
  readonly #busy = new Set<EachBatchPayload>()
  readonly #stopping = new AbortController()
  /** Partitions whose batch came back without being handled. */
  readonly #unmoved = new Set<string>()
  #beforeLeaving: ((consumer: Consumer) => Promise<void>) | null = null
  #lastSign = 0
  #ended: Promise<void> = Promise.resolve()

  constructor(options: SessionOptions) {
    this.#options = options
    const { promise, reject } = Promise.withResolvers<never>()
    this.failed = promise
    this.#fail = reject
    // Whoever wants to know listens; nobody has to.
    this.failed.catch(() => {})
  }

  /** Resolves at the first join. @throws LogError when that does not come in time. */
  async start(): Promise<void> {
    const { promise: joined, resolve } = Promise.withResolvers<void>()
    this.#ended = this.#keepRunning(resolve)
    try {
      const late = () => new LogError('the group was not joined in time')
      await within(FIRST_JOIN_MS, Promise.race([joined, this.failed]), late)
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  /** Waits for running handlers, lets `last` say what is done, leaves. Bounded. */
  async stop(last?: (consumer: Consumer) => Promise<void>): Promise<void> {
    this.#beforeLeaving = last ?? null
    this.#stopping.abort()
    await settled(HANDLER_TIMEOUT_MS + 2 * LEAVE_TIMEOUT_MS, this.#ended)
  }

  get stopping(): boolean {
    return this.#stopping.signal.aborted
  }

  async #keepRunning(onFirstJoin: () => void): Promise<void> {
    const {
      settings: { logger, onMetric },
      name,
    } = this.#options
    for (let attempts = 0; !this.stopping; attempts++) {
      const reason = await this.#runOnce(() => {
        attempts = 0
        onFirstJoin()
      })
      if (this.stopping) return
      if (HOPELESS.has(reason)) return this.#fail(new LogError(`the subscription ended: ${reason}`))
      if (attempts % LOG_EVERY === 0) logger.warn({ subscription: name, reason }, 'kafka: the consumer is made anew')
      onMetric({ kind: 'consumer-restarted', subscription: name, reason })
      const delayMs = Math.min(RESTART_MIN_MS * 2 ** Math.min(attempts, 10), RESTART_MAX_MS)
      await new Promise((resolve) => setTimeout(resolve, delayMs))
    }
  }

  /** Resolves with the reason when the consumer is of no use any more, or was stopped. */
  async #runOnce(onJoined: () => void): Promise<string> {
    const { promise: over, resolve: end } = Promise.withResolvers<string>()
    const consumer = this.#create(end, onJoined)
    const stop = () => end('stopped')
    this.#stopping.signal.addEventListener('abort', stop)
    this.#lastSign = performance.now()
    const watch = setInterval(() => this.#watch(end), WATCH_MS)
    const beat = setInterval(() => this.#beat(), HEARTBEAT_MS)
    this.#run(consumer).catch((error: unknown) => end(reasonOf(error)))
    const reason = await over
    clearInterval(watch)
    this.#stopping.signal.removeEventListener('abort', stop)
    if (reason === 'stopped') {
      await this.#idle()
      if (this.#beforeLeaving) await settled(LEAVE_TIMEOUT_MS, this.#beforeLeaving(consumer))
    }
    clearInterval(beat)
    await settled(LEAVE_TIMEOUT_MS, consumer.disconnect())
    return reason
  }

  #create(end: (reason: string) => void, onJoined: () => void): Consumer {
    const { settings, groupId, assigner, maxBytesPerPartition, onRebalancing, onPassed } = this.#options
    const consumer = createClient(settings).consumer({
      groupId: groupId(),
      maxBytesPerPartition,
      maxBytes: MAX_FETCH_BYTES,
      maxWaitTimeInMs: MAX_WAIT_MS,
      sessionTimeout: SESSION_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_MS,
      rebalanceTimeout: REBALANCE_TIMEOUT_MS,
      allowAutoTopicCreation: false,
      partitionAssigners: assigner && [assigner],
      // Restarting is done here: kafkajs gives up on errors that pass, and does not notice a silence.
      retry: { ...RETRY, retries: 5, restartOnFailure: async () => false },
    })
    const sign = () => void (this.#lastSign = performance.now())
    consumer.on('consumer.crash', ({ payload }) => end(reasonOf(payload.error)))
    consumer.on('consumer.fetch', sign)
    consumer.on('consumer.heartbeat', sign)
    consumer.on('consumer.rebalancing', () => onRebalancing?.(consumer))
    consumer.on('consumer.group_join', ({ payload }) => {
      sign()
      this.#options.onJoined(consumer, payload.memberAssignment)
      onJoined()
    })
    consumer.on('consumer.end_batch_process', ({ payload }) => {
      sign()
      if (this.#unmoved.delete(`${payload.topic}/${payload.partition}`) || payload.lastOffset === null) return
      onPassed?.(payload.topic, payload.partition, BigInt(payload.lastOffset))
    })
    return consumer
  }

  async #run(consumer: Consumer): Promise<void> {
    await consumer.connect()
    // An offset that is gone must lead to the oldest record: the newest would skip what nobody has seen.
    await consumer.subscribe({ topics: [...this.#options.topics], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: this.#options.concurrency,
      eachBatch: (payload) => this.#handle(payload),
    })
  }

  async #handle(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload
    const { topic, partition } = batch
    const last = batch.messages.at(-1)
    if (this.stopping || !payload.isRunning() || payload.isStale() || !last) {
      this.#unmoved.add(`${topic}/${partition}`)
      return
    }
    this.#busy.add(payload)
    try {
      await this.#options.onBatch(payload)
      payload.resolveOffset(last.offset)
    } catch (error) {
      this.#unmoved.add(`${topic}/${partition}`)
      const reason = error instanceof Error ? error.name : 'unknown'
      const fields = { topic, partition, offset: batch.firstOffset(), reason }
      this.#options.settings.logger.error(fields, 'a batch failed and comes again')
      // Only this partition waits: kafkajs would retry a few times with all of them, and then crash.
      setTimeout(payload.pause(), REDELIVERY_MS)
    } finally {
      this.#busy.delete(payload)
      this.#lastSign = performance.now()
    }
  }

  /** kafkajs sends none while handlers run. That the group rebalances is found out again after the batch. */
  #beat(): void {
    const [payload] = this.#busy
    payload?.heartbeat().catch(() => {})
  }

  #watch(end: (reason: string) => void): void {
    if (this.#busy.size === 0 && performance.now() - this.#lastSign > SILENCE_MS) end('silence')
  }

  /** Resolves when no handler runs, or they take too long. */
  async #idle(): Promise<void> {
    const deadline = performance.now() + HANDLER_TIMEOUT_MS
    while (this.#busy.size > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
