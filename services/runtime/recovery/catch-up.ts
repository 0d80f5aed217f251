// Reads the events that a store may lack, up to given ends, and applies those that count. Notes in the store how far it
// is after every batch, so that whoever goes on after a crash begins there.

import { Barriers, epochOf } from '../../core/subject/epochs.ts'
import type { Rules } from '../../core/subject/rules.ts'
import type { Clock } from '../../ports/clock.ts'
import { LogError, type Log, type StoredRecord } from '../../ports/log.ts'
import { StoreError } from '../../ports/store.ts'
import type { Progress, StoreUpkeep } from '../../ports/store-upkeep.ts'
import { MalformedRecordError, type Wire } from '../../ports/wire.ts'
import { hashOf } from '../event-hash.ts'
import { TOPIC } from '../topics.ts'
import { Restorer, type LoggedEvent } from './restorer.ts'

/**
 * Events applied at once: enough to share round trips, few enough that what is decoded is over before the collector of
 * garbage would have to move it.
 */
const MAX_BATCH_EVENTS = 250
const MAX_BATCH_BYTES = 4 * 1024 * 1024
/** Records read again before the noted position, as a margin: what is there already is passed over. */
const MARGIN_RECORDS = 1_000n
/** A catch-up that does nothing for this long may be taken over by another process. */
export const SEIZED_MS = 15_000
const SEIZE_AGAIN_MS = 3_000

/** How far a catch-up is, in records of all partitions. */
export interface CatchUpState {
  readonly done: number
  readonly total: number
}

export interface CatchUpOptions {
  readonly log: Pick<Log, 'read'>
  readonly wire: Pick<Wire, 'decodeEvent'>
  readonly upkeep: Pick<StoreUpkeep, 'peek' | 'restore' | 'seize' | 'advance'>
  readonly rules: Rules
  readonly clock: Clock
  readonly owner: string
  /** As the store notes it. */
  readonly progress: Progress
  /** Whether the store holds nothing of what is read; by default when it notes no progress. */
  readonly fromEmpty?: boolean
  /** Where to end, by partition of the events. */
  readonly ends: readonly bigint[]
  /** Whose barriers to look for. */
  readonly epoch: number
  readonly onProgress?: (state: CatchUpState) => void
  /** Only these slots and claims of these; all by default. */
  readonly only?: (slot: string) => boolean
  /** Asked between batches. */
  readonly stopped: () => boolean
}

export interface CaughtUp {
  /** Offset of the epoch's first barrier in each partition. */
  readonly barriers: readonly number[]
  readonly progress: Progress
  readonly records: number
}

/** Nobody wants the catch-up any more. */
export class CatchUpStopped extends Error {
  override readonly name = 'CatchUpStopped'
}

/**
 * @throws FoldError when log and store contradict each other. @throws LogError, StoreError; what was done by then is
 * noted. @throws CatchUpStopped
 */
export async function catchUp(options: CatchUpOptions): Promise<CaughtUp> {
  const { ends, progress } = options
  const begins = ends.map((end, partition) => {
    const noted = progress.get(partition)
    return noted && noted.next <= end ? { ...noted, next: before(noted.next) } : { next: 0n, epoch: 0 }
  })
  const total = Number(ends.reduce((sum, end, i) => sum + end - (begins[i]?.next ?? 0n), 0n))
  const run = new Run(options, total)
  const barriers = await Promise.all(
    ends.map((end, partition) => run.partition(partition, begins[partition] ?? { next: 0n, epoch: 0 }, end)),
  )
  return { barriers, progress: run.progress, records: run.done }
}

class Run {
  readonly progress = new Map<number, { readonly next: bigint; readonly epoch: number }>()
  done = 0
  readonly #options: CatchUpOptions
  readonly #total: number
  readonly #restorer: Restorer
  #seizedAt = performance.now()

  constructor(options: CatchUpOptions, total: number) {
    this.#options = options
    this.#total = total
    const { upkeep, rules, clock, progress, only } = options
    const fromEmpty = options.fromEmpty ?? progress.size === 0
    this.#restorer = new Restorer({ upkeep, rules, now: () => clock.now(), fromEmpty, ...(only ? { only } : {}) })
  }

  /** @returns the offset of the first barrier of the epoch; that of the end when it is not in this stretch. */
  async partition(partition: number, begin: { next: bigint; epoch: number }, end: bigint): Promise<number> {
    const barriers = new Barriers(() => begin.epoch)
    let raisedAt: number | undefined
    let batch: StoredRecord[] = []
    let bytes = 0
    let seen = 0
    const flush = async (next: bigint) => {
      if (this.#options.stopped()) throw new CatchUpStopped('the catch-up was stopped')
      await this.#restorer.apply(batch.flatMap((record) => this.#decode(record) ?? []))
      await this.#note(partition, { next, epoch: barriers.inForce(partition) })
      this.done += seen
      this.#options.onProgress?.({ done: this.done, total: this.#total })
      batch = []
      bytes = seen = 0
    }
    for await (const record of this.#options.log.read(TOPIC.events, partition, begin.next, end)) {
      seen++
      const standing = barriers.judge(record)
      if (standing === 'barrier' && barriers.inForce(partition) === this.#options.epoch) {
        raisedAt ??= Number(record.offset)
      }
      if (standing === 'valid') batch.push(record)
      bytes += record.value?.byteLength ?? 0
      if (seen >= MAX_BATCH_EVENTS || bytes >= MAX_BATCH_BYTES) await flush(record.offset + 1n)
    }
    await flush(end)
    return raisedAt ?? Number(end)
  }

  /** The owner's note, and sign of life. */
  async #note(partition: number, position: { readonly next: bigint; readonly epoch: number }): Promise<void> {
    const { upkeep, owner } = this.#options
    if (performance.now() - this.#seizedAt > SEIZE_AGAIN_MS) {
      this.#seizedAt = performance.now()
      if (!(await upkeep.seize(owner, SEIZED_MS)))
        throw new StoreError('another process brings the store up to the log')
    }
    await upkeep.advance({ owner }, new Map([[partition, position]]))
    this.progress.set(partition, position)
  }

  /**
   * Garbage is passed over: it was never an event.
   * @throws LogError for an event that a newer release published: an instance of that has to bring the store up.
   */
  #decode({ value, headers }: StoredRecord): LoggedEvent | null {
    try {
      return { event: this.#options.wire.decodeEvent(value), hash: hashOf(value ?? new Uint8Array()) }
    } catch (error) {
      if (!(error instanceof MalformedRecordError)) throw error
      if (epochOf(headers) === undefined) return null
      throw new LogError(`an event cannot be read by this release: ${error.message}`)
    }
  }
}

function before(next: bigint): bigint {
  return next > MARGIN_RECORDS ? next - MARGIN_RECORDS : 0n
}
