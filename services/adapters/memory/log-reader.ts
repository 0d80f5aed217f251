// Reads one partition in order and hands its records over, one batch at a time; a batch whose handler fails comes
// again. Knows no groups: who reads what is decided elsewhere.

import type { StoredRecord } from '../../ports/log.ts'
import type { Partition } from './log-partition.ts'

/** Records handed over at once. */
const MAX_BATCH = 500
/** Before a batch whose handler failed is handed over again. */
const REDELIVERY_MS = 50

/** Runs a task later, never within the call. `setImmediate`, unless a simulation decides. */
export type Schedule = (task: () => void) => void

/** What the readers of one log share. */
export interface Delivery {
  readonly schedule: Schedule
  /** Nothing is delivered while it is true. */
  paused: boolean
}

export interface ReaderOptions {
  readonly partition: Partition
  readonly from: bigint
  readonly delivery: Delivery
  readonly deliver: (records: readonly StoredRecord[]) => void | Promise<void>
  /** Nothing is delivered before it settles. */
  readonly after?: Promise<void> | undefined
}

export class Reader {
  readonly partition: Partition
  readonly #options: ReaderOptions
  #position: bigint
  #stopped = false
  #busy = false
  #running: Promise<void>

  constructor(options: ReaderOptions) {
    this.partition = options.partition
    this.#options = options
    this.#position = options.from
    this.#running = options.after ?? Promise.resolve()
    if (options.after) void this.#start(options.after)
  }

  /** Look for records, unless a batch is with the handler already. */
  wake(): void {
    if (this.#busy || this.#stopped || this.#options.delivery.paused) return
    this.#busy = true
    this.#running = this.#run()
  }

  /** Hand nothing more over. Resolves when the running handler has ended. */
  stop(): Promise<void> {
    this.#stopped = true
    return this.#running
  }

  async #start(after: Promise<void>): Promise<void> {
    this.#busy = true
    await after
    this.#busy = false
    this.wake()
  }

  async #run(): Promise<void> {
    const { partition, delivery, deliver } = this.#options
    while (!this.#stopped && !delivery.paused) {
      const records = partition.slice(this.#position, partition.end, MAX_BATCH)
      const last = records.at(-1)
      if (!last) break
      try {
        await deliver(records)
        this.#position = last.offset + 1n
        if (partition.end === this.#position) break
        // Others get their turn between the batches of a long backlog.
        await new Promise<void>(delivery.schedule)
      } catch {
        await new Promise((resolve) => setTimeout(resolve, REDELIVERY_MS))
      }
    }
    this.#busy = false
  }
}
