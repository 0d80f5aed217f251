// Epochs of the store: which records of the log count, and which are void. An epoch begins when the store may have lost
// something; its barrier lies in every partition, and a record of an older epoch behind it is void for every reader.

import type { EpochEvent, StoreEpoch } from './event.ts'

/** Header of every fenced record: the epoch of the store under which its publisher had loaded what it publishes. */
export const EPOCH_HEADER = 'epoch'
/** CloudEvents type of a barrier. */
export const EPOCH_RAISED = 'epoch-raised'
/** Of the first barrier ever; what is in force before it is 0. */
export const FIRST_EPOCH = 1

/** A barrier is no message of its own to most readers: they pass it over, like what is void. */
export type Standing = 'valid' | 'void' | 'barrier'

/** What of a record tells its standing. */
export interface Fenced {
  readonly partition: number
  readonly headers: Readonly<Record<string, string>>
}

/** The epoch that a record's headers name; undefined for records that no barrier concerns, such as rules. */
export function epochOf(headers: Fenced['headers']): number | undefined {
  const epoch = Number(headers[EPOCH_HEADER])
  return Number.isSafeInteger(epoch) && epoch >= FIRST_EPOCH ? epoch : undefined
}

/**
 * Tells valid records of one topic from void ones. Every record of a partition must be judged, in the order of its
 * offsets.
 */
export class Barriers {
  readonly #start: (partition: number) => number
  readonly #inForce = new Map<number, number>()

  /**
   * @param start the epoch in force where reading begins: 0 at a partition's beginning, else by `EpochHistory`.
   */
  constructor(start: (partition: number) => number = () => 0) {
    this.#start = start
  }

  /** @param epoch the record's, where it does not stand in its headers. */
  judge(record: Fenced, epoch: number | undefined = epochOf(record.headers)): Standing {
    const inForce = this.inForce(record.partition)
    const raises = record.headers['ce_type'] === EPOCH_RAISED
    if (epoch === undefined) return raises ? 'barrier' : 'valid'
    if (epoch > inForce) this.#inForce.set(record.partition, epoch)
    if (raises) return 'barrier'
    return epoch < inForce ? 'void' : 'valid'
  }

  /** The epoch in force behind the last record that was judged. */
  inForce(partition: number): number {
    return this.#inForce.get(partition) ?? this.#start(partition)
  }
}

/**
 * The topic `epochs`, folded in its order. An epoch's number belongs to the first that named it, and counts only when
 * it is above all before.
 */
export class EpochHistory {
  #latest: StoreEpoch | null = null
  /** For each epoch the offsets of its barriers in `authorization.events`, by partition; oldest epoch first. */
  readonly #raised: { readonly epoch: number; readonly barriers: readonly number[] }[] = []

  add({ epoch, runId, barriers }: EpochEvent): void {
    if (this.#latest === null || epoch > this.#latest.epoch) this.#latest = { epoch, runId }
    if (this.#latest.epoch !== epoch || this.#latest.runId !== runId || barriers.length === 0) return
    if (this.#raised.at(-1)?.epoch !== epoch) this.#raised.push({ epoch, barriers })
  }

  get latest(): StoreEpoch | null {
    return this.#latest
  }

  /** The epoch in force in a partition of `authorization.events` before the record at `offset`, as far as is known. */
  inForceAt(partition: number, offset: bigint): number {
    const before = this.#raised.findLast(({ barriers }) => offset > (barriers[partition] ?? Number.POSITIVE_INFINITY))
    return before?.epoch ?? 0
  }
}
