// Delivers again what is on the log since a time, to one subscription: in order for each subject, under the same message
// ids, beside the service and without moving its place.

import { setTimeout as sleep } from 'node:timers/promises'
import { EpochGate } from '../consumer/epoch-gate.ts'
import { failureReason, HandlerError, StopConsumingError } from '../consumer/handler.ts'
import { takeRecord } from '../consumer/intake.ts'
import { Lanes } from '../consumer/lanes.ts'
import type { PublicEvent } from '../consumer/public-event.ts'
import { RecentIds } from '../consumer/recent-ids.ts'
import { startOffsets, type Start } from '../consumer/start.ts'
import type { Log, StoredRecord } from '../ports/log.ts'
import type { Wire } from '../ports/wire.ts'
import { backoffMs, type Backoff } from '../runtime/backoff.ts'
import { TOPIC } from '../runtime/topics.ts'
import type { Delivery } from './delivery.ts'
import { wants, type Subscription } from './subscriptions.ts'

const REMEMBERED = 20_000

export interface RedeliveryOptions {
  readonly log: Log
  readonly wire: Wire
  readonly subscription: Subscription
  readonly delivery: Delivery
  readonly from: Start
  /** Up to, not including; 'end' is what is there when it begins. */
  readonly to: Start
  readonly retry: Backoff
  readonly concurrency: number
  readonly maxInFlight: number
  /** Counts, and delivers nothing. */
  readonly dryRun: boolean
  /** Ends it: no attempt is begun any more. */
  readonly signal: AbortSignal
  readonly progress: RedeliveryProgress
}

/** Grows while it goes on. */
export interface RedeliveryProgress {
  read: number
  /** Records to be read, all partitions together. */
  total: number
  matched: number
  delivered: number
  failed: number
  /** Reason of each failure, how often. */
  readonly reasons: Map<string, number>
}

export function noProgress(): RedeliveryProgress {
  return { read: 0, total: 0, matched: 0, delivered: 0, failed: 0, reasons: new Map() }
}

/**
 * Resolves at the end or when `signal` says so, with the first offset of each partition that is not done: where to go
 * on. @throws LogError; StopConsumingError when the receiver is gone.
 */
export async function redeliver(options: RedeliveryOptions): Promise<readonly bigint[]> {
  return new Redelivery(options).run()
}

class Redelivery {
  readonly #options: RedeliveryOptions
  readonly #lanes: Lanes
  readonly #recent = new RecentIds(REMEMBERED)
  readonly #gate: EpochGate
  /** Taken up and not done, by partition. */
  readonly #open = new Map<number, Set<bigint>>()
  #gone: StopConsumingError | null = null

  constructor(options: RedeliveryOptions) {
    this.#options = options
    this.#lanes = new Lanes(options.maxInFlight, options.concurrency)
    this.#gate = new EpochGate(options.log, options.wire)
  }

  async run(): Promise<readonly bigint[]> {
    const { log, from, to, progress } = this.#options
    const starts = await startOffsets(log, TOPIC.events, from)
    const ends = await startOffsets(log, TOPIC.events, to)
    const spans = starts.map((start, partition) => ({ partition, start, end: ends[partition] ?? start }))
    progress.total = spans.reduce((sum, { start, end }) => sum + Math.max(Number(end - start), 0), 0)
    const next = [...starts]
    for (const { partition, start, end } of spans) {
      if (start >= end) continue
      for await (const record of log.read(TOPIC.events, partition, start, end)) {
        if (!(await this.#take(record))) break
        next[partition] = record.offset + 1n
      }
    }
    await this.#lanes.drained()
    if (this.#gone) throw this.#gone
    return next.map((offset, partition) => lowest(this.#open.get(partition)) ?? offset)
  }

  get #over(): boolean {
    return this.#gone !== null || this.#options.signal.aborted
  }

  /** @returns false when nothing more is to be read. */
  async #take(record: StoredRecord): Promise<boolean> {
    const { wire, subscription, progress, dryRun } = this.#options
    if (this.#over) return false
    const [standing = 'valid'] = await this.#gate.judge([record])
    const taken = takeRecord(record, standing, wire)
    const wanted = taken.kind === 'event' && wants(subscription, taken.event) && !this.#recent.has(taken.event.id)
    if (wanted && !dryRun) {
      await this.#lanes.reserve()
      const open = this.#open.get(record.partition) ?? new Set()
      this.#open.set(record.partition, open.add(record.offset))
      this.#lanes.add(taken.event.subject ?? taken.event.id, async () => {
        if (await this.#deliver(taken.event)) open.delete(record.offset)
      })
    }
    progress.read++
    if (!wanted) return true
    this.#recent.add(taken.event.id)
    progress.matched++
    return true
  }

  /** @returns whether it is done: delivered, or given up. */
  async #deliver(event: PublicEvent): Promise<boolean> {
    const { delivery, retry, progress, signal } = this.#options
    for (let attempt = 1; !this.#over; attempt++) {
      try {
        const begun = await this.#lanes.run(async () => {
          if (this.#over) return false
          await delivery.deliver(event, signal)
          return true
        })
        if (begun) progress.delivered++
        return begun
      } catch (error) {
        if (error instanceof StopConsumingError) this.#gone = error
        if (this.#over) return false
        const delayMs = backoffMs(retry, attempt, Math.random())
        if (delayMs === null) {
          progress.failed++
          const reason = failureReason(error)
          progress.reasons.set(reason, (progress.reasons.get(reason) ?? 0) + 1)
          return true
        }
        const atLeastMs = error instanceof HandlerError ? error.retryAfterMs : 0
        await sleep(Math.max(delayMs, atLeastMs), undefined, { signal }).catch(() => undefined)
      }
    }
    return false
  }
}

function lowest(offsets: ReadonlySet<bigint> | undefined): bigint | undefined {
  let least: bigint | undefined
  for (const offset of offsets ?? []) if (least === undefined || offset < least) least = offset
  return least
}
