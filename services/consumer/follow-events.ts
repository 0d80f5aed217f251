// A consumer that keeps its own place in the log, together with what it makes of the events: then each event has its
// effect exactly once. Reads all partitions; one batch at a time is with the handler.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Log, StoredRecord, Subscription } from '../ports/log.ts'
import type { Wire } from '../ports/wire.ts'
import { backoffMs, type Backoff } from '../runtime/backoff.ts'
import { TOPIC } from '../runtime/topics.ts'
import { failureReason, StopConsumingError } from './handler.ts'
import { EpochGate } from './epoch-gate.ts'
import { takeRecord } from './intake.ts'
import type { PublicEvent } from './public-event.ts'
import { RecentIds } from './recent-ids.ts'

const DEFAULT_RETRY: Backoff = { attempts: 8, firstMs: 250, maxMs: 10_000 }
const DEFAULT_WINDOW = 20_000

/** Events of one partition in order, and where it goes on after them. There may be no events, but a new place. */
export interface EventBatch {
  readonly partition: number
  readonly events: readonly PublicEvent[]
  /** To be kept together with what the events led to, and handed over as `from` next time. */
  readonly next: bigint
}

export interface FollowEventsOptions {
  readonly log: Log
  readonly wire: Wire
  /** First offset of each partition: what was kept, else of `startOffsets`. */
  readonly from: readonly bigint[]
  /** Resolves when effect and place are kept. Comes again when it rejects, then `failed` rejects. */
  readonly handle: (batch: EventBatch) => Promise<void> | void
  readonly wanted?: (event: PublicEvent) => boolean
  readonly retry?: Backoff
  /** Ids of handled events that are remembered, so that repeats are dropped. */
  readonly window?: number
  /** Ids handled by an earlier process, oldest first. */
  readonly remembered?: Iterable<string>
  /** A record that is no event of ours was passed over. */
  readonly onMalformed?: (record: StoredRecord, reason: string) => void
  readonly onFailure?: (reason: string, attempt: number) => void
  readonly topic?: string
}

export interface FollowingEvents {
  /** Waits for the running handler. */
  stop(): Promise<void>
  /** Rejects when it ended by itself: StopConsumingError, LogError. */
  readonly failed: Promise<never>
}

/** Resolves when every partition is followed. @throws LogError */
export async function followEvents(options: FollowEventsOptions): Promise<FollowingEvents> {
  const { log, wire, handle, topic = TOPIC.events, wanted = () => true } = options
  const gate = new EpochGate(log, wire)
  const recent = new RecentIds(options.window ?? DEFAULT_WINDOW, options.remembered)
  const stopping = new AbortController()
  const { promise: failed, reject: fail } = Promise.withResolvers<never>()
  failed.catch(() => undefined)
  let turn: Promise<void> = Promise.resolve()

  const take = async (records: readonly StoredRecord[]): Promise<void> => {
    const last = records.at(-1)
    if (!last || stopping.signal.aborted) throw new StopConsumingError('stopping')
    const events: PublicEvent[] = []
    const ids = new Set<string>()
    const standings = await gate.judge(records)
    for (const [index, record] of records.entries()) {
      const taken = takeRecord(record, standings[index] ?? 'valid', wire)
      if (taken.kind === 'malformed') options.onMalformed?.(record, taken.reason)
      if (taken.kind !== 'event' || !wanted(taken.event)) continue
      if (recent.has(taken.event.id) || ids.has(taken.event.id)) continue
      ids.add(taken.event.id)
      events.push(taken.event)
    }
    await attempts({ partition: last.partition, events, next: last.offset + 1n })
    for (const id of ids) recent.add(id)
  }

  const attempts = async (batch: EventBatch): Promise<void> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await handle(batch)
      } catch (error) {
        const reason = failureReason(error)
        options.onFailure?.(reason, attempt)
        const delayMs = backoffMs(options.retry ?? DEFAULT_RETRY, attempt, Math.random())
        if (delayMs === null || error instanceof StopConsumingError) {
          stopping.abort()
          fail(error instanceof StopConsumingError ? error : new StopConsumingError(`gave up: ${reason}`))
          throw error
        }
        await sleep(delayMs, undefined, { signal: stopping.signal })
      }
    }
  }

  /** One after the other, whichever partition they are of. A batch that is not handled comes again. */
  const onRecords = (records: readonly StoredRecord[]): Promise<void> => {
    const mine = turn.then(() => take(records))
    turn = mine.catch(() => undefined)
    return mine
  }
  const following = await followPartitions(log, topic, options.from, onRecords)
  following.failed.catch(fail)
  const stop = async () => {
    stopping.abort()
    await following.stop()
  }
  return { failed, stop }
}

/** Follows all partitions as one subscription. @throws LogError */
export async function followPartitions(
  log: Log,
  topic: string,
  from: readonly bigint[],
  onRecords: (records: readonly StoredRecord[]) => void | Promise<void>,
): Promise<Subscription> {
  const subscriptions = await Promise.all(
    from.map((offset, partition) => log.follow({ topic, partition, from: offset, onRecords })),
  )
  return {
    failed: Promise.race(subscriptions.map((subscription) => subscription.failed)),
    stop: async () => void (await Promise.all(subscriptions.map((subscription) => subscription.stop()))),
  }
}
