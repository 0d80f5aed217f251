// A consumer in a group: each event at least once, the offset recorded after the handler. Instances share the partitions;
// what fails is tried again within a bound, then goes to the dead-letter topic and holds back nobody any more.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Batch, Log, StoredRecord, Subscription } from '../ports/log.ts'
import type { Wire } from '../ports/wire.ts'
import { backoffMs, type Backoff } from '../runtime/backoff.ts'
import { deadLetterOf, untilPublished } from '../runtime/dead-letters.ts'
import { TOPIC } from '../runtime/topics.ts'
import { Offsets } from '../runtime/worker/offsets.ts'
import { failureReason, HandlerError, StopConsumingError, type EventHandler } from './handler.ts'
import { EpochGate } from './epoch-gate.ts'
import { takeRecord } from './intake.ts'
import { Lanes } from './lanes.ts'
import type { PublicEvent } from './public-event.ts'
import { RecentIds } from './recent-ids.ts'
import { startOffsets, type Start } from './start.ts'

export const DEFAULT_RETRY: Backoff = { attempts: 8, firstMs: 250, maxMs: 30_000 }
export const DEFAULT_WINDOW = 20_000
const DEFAULT_CONCURRENCY = 8
const DEFAULT_MAX_IN_FLIGHT = 500
const DEFAULT_MAX_UNRECORDED = 10_000
const DRAIN_POLL_MS = 10

export interface ConsumerOptions {
  readonly log: Log
  readonly wire: Wire
  /** The consumer group: one name for all instances, and a place in the log of its own. */
  readonly group: string
  readonly handle: EventHandler
  /** Where a new group begins; one that has a place recorded goes on there. Default: the beginning. */
  readonly start?: Start
  /** Events that the handler is not asked for. Default: none. */
  readonly wanted?: (event: PublicEvent) => boolean
  /** Handlers running at one time, of different subjects. */
  readonly concurrency?: number
  /** Events taken up and not finished, beyond which the reader waits. */
  readonly maxInFlight?: number
  /**
   * Records of a partition behind one that is not finished, beyond which that partition waits: after a crash they come
   * again.
   */
  readonly maxUnrecorded?: number
  readonly retry?: Backoff
  /** When the attempts are used up: on to the dead-letter topic, or end the consumer and keep the offset. */
  readonly onGiveUp?: 'dead-letter' | 'stop'
  /** Records that are no event of ours: to the dead-letter topic too, or only told to the observer. */
  readonly onMalformed?: 'dead-letter' | 'pass-over'
  /** Ids of handled events that are remembered, so that repeats are dropped. */
  readonly window?: number
  readonly observer?: Partial<ConsumerObserver>
  /** From 0 up to, not including, 1. */
  readonly random?: () => number
  readonly topic?: string
  readonly deadLetterTopic?: string
}

/** Told of everything that happens. Reasons are safe to log. */
export interface ConsumerObserver {
  handled(event: PublicEvent, attempts: number): void
  /** Dropped without the handler: a repeat, void, malformed. */
  dropped(why: 'repeat' | 'void' | 'malformed'): void
  failed(event: PublicEvent, reason: string, attempt: number): void
  deadLettered(reason: string): void
  inFlight(count: number): void
}

export interface Consumer {
  /** Takes no more, lets running handlers end within `timeoutMs`, records offsets, leaves the group. */
  stop(timeoutMs: number): Promise<void>
  /** Rejects when the consumer ended by itself: StopConsumingError, LogError. */
  readonly failed: Promise<never>
}

/** Resolves when the group was joined. @throws LogError */
export async function startConsumer(options: ConsumerOptions): Promise<Consumer> {
  const { log, group, topic = TOPIC.events, start = 'beginning' } = options
  const running = new Running(options)
  const offsets = start === 'beginning' ? undefined : await startOffsets(log, topic, start)
  const consumeOptions = offsets && { start: new Map([[topic, offsets]]) }
  const subscription = await log.consume(group, [topic], (batch) => running.take(batch), consumeOptions)
  subscription.failed.catch((error: unknown) => running.end(error))
  return { failed: running.failed, stop: (timeoutMs) => running.stop(subscription, timeoutMs) }
}

class Running {
  readonly failed: Promise<never>
  readonly #options: ConsumerOptions
  readonly #fail: (error: unknown) => void
  readonly #lanes: Lanes
  readonly #offsets = new Offsets()
  readonly #gate: EpochGate
  /** Partitions that are too far ahead of their first unfinished record. */
  #waiting: (() => void)[] = []
  readonly #recent: RecentIds
  /** No event is begun and no wait is waited any more. */
  readonly #stopping = new AbortController()
  /** The handlers' time is up. */
  readonly #over = new AbortController()

  constructor(options: ConsumerOptions) {
    const { maxInFlight = DEFAULT_MAX_IN_FLIGHT, concurrency = DEFAULT_CONCURRENCY, window = DEFAULT_WINDOW } = options
    this.#options = options
    this.#lanes = new Lanes(maxInFlight, concurrency, (count) => options.observer?.inFlight?.(count))
    this.#recent = new RecentIds(window)
    this.#gate = new EpochGate(options.log, options.wire)
    const { promise, reject } = Promise.withResolvers<never>()
    this.failed = promise
    this.failed.catch(() => undefined)
    this.#fail = reject
  }

  /** Resolves when all records of the batch are taken up, not when they are handled. */
  async take(batch: Batch): Promise<void> {
    const { wire, wanted = () => true, onMalformed = 'dead-letter', observer } = this.#options
    const standings = await this.#gate.judge(batch.records)
    for (const [index, record] of batch.records.entries()) {
      await this.#whileTooFarAhead(batch)
      const taken = takeRecord(record, standings[index] ?? 'valid', wire)
      const buried = taken.kind === 'malformed' && onMalformed === 'dead-letter'
      const kept = buried || (taken.kind === 'event' && wanted(taken.event))
      const begins = kept ? await this.#lanes.reserve() : !this.#stopping.signal.aborted
      if (!begins) return
      const finished = this.#finishing(this.#offsets.take(batch, record.offset))
      if (kept && taken.kind === 'event') {
        this.#add(taken.event.subject ?? taken.event.id, () => this.#handle(taken.event, record, finished))
      } else if (kept && taken.kind === 'malformed') {
        observer?.dropped?.('malformed')
        this.#add(`malformed ${record.partition}`, () => this.#bury(record, taken.reason, finished))
      } else {
        if (taken.kind === 'void' || taken.kind === 'malformed') observer?.dropped?.(taken.kind)
        finished()
      }
    }
  }

  /** Ends by itself: `failed` says why. */
  end(error: unknown): void {
    this.#stopNow()
    this.#fail(error)
  }

  async stop(subscription: Subscription, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs
    this.#stopNow()
    while (this.#lanes.taken > 0 && performance.now() < deadline) await sleep(DRAIN_POLL_MS)
    this.#over.abort()
    await subscription.stop()
  }

  async #whileTooFarAhead({ topic, partition }: Batch): Promise<void> {
    const { maxUnrecorded = DEFAULT_MAX_UNRECORDED } = this.#options
    while (this.#offsets.open(topic, partition) >= maxUnrecorded && !this.#stopping.signal.aborted) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  #finishing(finished: () => void): () => void {
    return () => {
      finished()
      for (const resume of this.#waiting.splice(0)) resume()
    }
  }

  #stopNow(): void {
    this.#stopping.abort()
    this.#lanes.close()
    for (const resume of this.#waiting.splice(0)) resume()
  }

  #add(lane: string, work: () => Promise<void>): void {
    this.#lanes.add(lane, () => work().catch((error: unknown) => this.end(error)))
  }

  async #handle(event: PublicEvent, record: StoredRecord, finished: () => void): Promise<void> {
    const { handle, observer, retry = DEFAULT_RETRY, random = Math.random } = this.#options
    const { partition, offset } = record
    if (this.#recent.has(event.id)) {
      observer?.dropped?.('repeat')
      return finished()
    }
    const { signal } = this.#over
    for (let attempt = 1; !this.#stopping.signal.aborted; attempt++) {
      try {
        const begun = await this.#lanes.run(async () => {
          if (this.#stopping.signal.aborted) return false
          await handle(event, { partition, offset, attempt, signal })
          return true
        })
        if (!begun) return
        observer?.handled?.(event, attempt)
        this.#recent.add(event.id)
        return finished()
      } catch (error) {
        if (signal.aborted) return
        observer?.failed?.(event, failureReason(error), attempt)
        if (error instanceof StopConsumingError) return this.end(error)
        const delayMs = backoffMs(retry, attempt, random())
        if (delayMs === null) return this.#giveUp(event, record, error, attempt, finished)
        await this.#wait(Math.max(delayMs, error instanceof HandlerError ? error.retryAfterMs : 0))
      }
    }
  }

  async #giveUp(
    event: PublicEvent,
    record: StoredRecord,
    error: unknown,
    attempts: number,
    finished: () => void,
  ): Promise<void> {
    const { group, onGiveUp = 'dead-letter' } = this.#options
    const reason = `${group} gave up after ${attempts} attempts: ${failureReason(error)}`
    if (onGiveUp === 'stop') return this.end(new StopConsumingError(reason))
    await this.#bury(record, reason, () => {
      this.#recent.add(event.id)
      finished()
    })
  }

  async #bury(record: StoredRecord, reason: string, finished: () => void): Promise<void> {
    const { log, wire, deadLetterTopic, observer } = this.#options
    const letter = deadLetterOf(wire, record, reason, deadLetterTopic)
    const published = await untilPublished(
      () => log.publish([letter]),
      () => this.#stopping.signal.aborted,
    )
    if (!published) return
    observer?.deadLettered?.(reason)
    finished()
  }

  async #wait(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
  }
}
