// Which records of `authorization.events` count: those of an epoch of the store that was over are void for every reader.
// Judges batches of any partition, wherever reading begins, jumps to or goes back to.

import { Barriers, EpochHistory, type Standing } from '../core/subject/epochs.ts'
import type { Log, StoredRecord } from '../ports/log.ts'
import type { Wire } from '../ports/wire.ts'
import { readEpochsFrom } from '../runtime/epochs.ts'

interface Place {
  /** The offset that comes next, as far as is known. */
  next: bigint
  readonly barriers: Barriers
}

export class EpochGate {
  readonly #log: Pick<Log, 'read'>
  readonly #wire: Pick<Wire, 'decodeEvent'>
  readonly #history = new EpochHistory()
  readonly #places = new Map<number, Place>()
  #read = 0n
  #reading: Promise<void> = Promise.resolve()

  constructor(log: Pick<Log, 'read'>, wire: Pick<Wire, 'decodeEvent'>) {
    this.#log = log
    this.#wire = wire
  }

  /** @param records of one partition, in order. @returns the standing of each. @throws LogError */
  async judge(records: readonly StoredRecord[]): Promise<readonly Standing[]> {
    const [first] = records
    if (!first) return []
    const place = await this.#placeAt(first.partition, first.offset)
    return records.map((record) => {
      place.next = record.offset + 1n
      return place.barriers.judge(record)
    })
  }

  /** Goes on where the partition was left; anywhere else, what is in force there is looked up. */
  async #placeAt(partition: number, offset: bigint): Promise<Place> {
    const known = this.#places.get(partition)
    if (known?.next === offset) return known
    await this.#refresh()
    const inForce = this.#history.inForceAt(partition, offset)
    const place = { next: offset, barriers: new Barriers(() => inForce) }
    this.#places.set(partition, place)
    return place
  }

  /** One at a time: each goes on where the one before ended. */
  #refresh(): Promise<void> {
    const refreshed = this.#reading.then(async () => {
      this.#read = await readEpochsFrom(this.#log, this.#wire, this.#history, this.#read)
    })
    this.#reading = refreshed.catch(() => undefined)
    return refreshed
  }
}
