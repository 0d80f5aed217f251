// Reads a stretch of one partition whose end is fixed when it begins. Holds one fetch at a time; ends also where the
// last offsets of the stretch are no records (transaction markers, gaps).

import { LogError, type StoredRecord } from '../../ports/log.ts'
import type { ClusterView } from './cluster-view.ts'
import type { Settings } from './options.ts'
import { createPartitionReader } from './partition-reader.ts'

/**
 * Without any progress, while the caller waits. An open transaction of a foreign producer can hold a reader back for
 * ever.
 */
const STALL_MS = 60_000

export interface Stretch {
  readonly topic: string
  readonly partition: number
  /** First offset; the oldest by default. */
  readonly from: bigint | undefined
  /** The offset to end before; the present end by default, and at the latest. */
  readonly to: bigint | undefined
}

/** @throws LogError when there is no such partition, or reading makes no progress. */
export async function* readStretch(
  settings: Settings,
  cluster: ClusterView,
  stretch: Stretch,
): AsyncGenerator<StoredRecord> {
  const { topic, partition } = stretch
  const { low, high } = await cluster.range(topic, partition)
  const begin = max(stretch.from ?? low, low)
  const end = stretch.to !== undefined && stretch.to < high ? stretch.to : high
  if (begin >= end) return
  const handover = new Handover(end)
  const session = createPartitionReader({
    settings,
    topic,
    partition,
    from: begin,
    onRecords: (records) => handover.offer(records),
    onPosition: (next) => handover.moved(next),
  })
  session.failed.catch((error: LogError) => handover.fail(error))
  try {
    await session.start()
    for (;;) {
      const records = await handover.take()
      if (!records) return
      yield* records
    }
  } finally {
    handover.close()
    await session.stop()
  }
}

interface Offer {
  readonly records: readonly StoredRecord[]
  taken(): void
}

/** From the reader to the caller; the reader is held back while the caller has not taken what it offered. */
class Handover {
  readonly #end: bigint
  /** More than one only when the reader had to begin anew while one was not taken. */
  #offers: Offer[] = []
  /** What comes again after a cut is not offered again. */
  #next = 0n
  #complete = false
  #error: LogError | null = null
  #wake: (() => void) | null = null

  constructor(end: bigint) {
    this.#end = end
  }

  offer(fetched: readonly StoredRecord[]): Promise<void> {
    const records = fetched.filter(({ offset }) => offset >= this.#next && offset < this.#end)
    const last = records.at(-1)
    if (!last) return Promise.resolve()
    this.#next = last.offset + 1n
    return new Promise((taken) => {
      this.#offers.push({ records, taken })
      this.#notify()
    })
  }

  moved(next: bigint): void {
    if (next >= this.#end) this.#complete = true
    this.#notify()
  }

  fail(error: LogError): void {
    this.#error = error
    this.#notify()
  }

  close(): void {
    for (const offer of this.#offers.splice(0)) offer.taken()
  }

  /** @returns null at the end. */
  async take(): Promise<readonly StoredRecord[] | null> {
    for (;;) {
      if (this.#error) throw this.#error
      const offer = this.#offers.shift()
      if (offer) {
        offer.taken()
        return offer.records
      }
      if (this.#complete) return null
      await this.#notified()
    }
  }

  async #notified(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      timer = setTimeout(() => this.fail(new LogError('reading makes no progress')), STALL_MS)
    })
    clearTimeout(timer)
  }

  #notify(): void {
    this.#wake?.()
    this.#wake = null
  }
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
