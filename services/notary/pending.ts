// Records that the notary has read and no checkpoint covers yet, hashed, partition by partition. Bounded by who adds.

import { MARK_BYTES, marksOf } from '../audit/checkpoint.ts'
import { rootOf } from '../audit/merkle.ts'
import { hashRecord } from '../audit/record-hash.ts'
import type { StoredRecord } from '../ports/log.ts'
import type { Checkpoint, CheckpointRange } from '../ports/wire.ts'

interface Hashed {
  readonly offset: bigint
  readonly leaf: Buffer
  readonly mark: number
}

/** What a checkpoint would state now. */
export interface Taken {
  readonly ranges: readonly CheckpointRange[]
  readonly marks: readonly number[]
}

export class Pending {
  readonly #partitions: { covered: bigint; records: Hashed[] }[]
  #count = 0

  /** @param covered by partition, the first offset that no checkpoint covers. */
  constructor(covered: readonly bigint[]) {
    this.#partitions = covered.map((offset) => ({ covered: offset, records: [] }))
  }

  /** Records of all partitions. */
  get count(): number {
    return this.#count
  }

  /** What is covered already, or was added before, is passed over. */
  add(record: StoredRecord): void {
    const partition = this.#partitions[record.partition]
    if (!partition || record.offset < partition.covered) return
    const last = partition.records.at(-1)
    if (last && record.offset <= last.offset) return
    const { leaf, mark } = hashRecord(record)
    partition.records.push({ offset: record.offset, leaf, mark })
    this.#count++
  }

  /** At most `max` records, a fair share of each partition. Every partition has a range, also an empty one. */
  take(max: number): Taken {
    const shares = this.#shares(max)
    const parts = this.#partitions.map(({ covered, records }, partition) => {
      const taken = records.slice(0, shares[partition])
      const last = taken.at(-1)
      const range: CheckpointRange = {
        partition,
        first: Number(covered),
        next: Number(last ? last.offset + 1n : covered),
        records: taken.length,
        root: rootOf(taken.map(({ leaf }) => leaf)),
      }
      return { range, marks: taken.map(({ mark }) => mark) }
    })
    return { ranges: parts.map(({ range }) => range), marks: parts.flatMap(({ marks }) => marks) }
  }

  /**
   * Forget what a checkpoint covers.
   * @returns whether it agrees with what was read, as far as that is held whole.
   */
  cover(checkpoint: Pick<Checkpoint, 'ranges' | 'marks'>): boolean {
    let agrees =
      checkpoint.marks.length === marksOf(checkpoint).reduce((sum, part) => sum + part.length * MARK_BYTES, 0)
    for (const { partition, first, next, records, root } of checkpoint.ranges) {
      const held = this.#partitions[partition]
      if (!held || BigInt(next) <= held.covered) continue
      const inside = held.records.filter(({ offset }) => offset < BigInt(next))
      const whole = held.covered === BigInt(first) && (held.records.at(-1)?.offset ?? -1n) + 1n >= BigInt(next)
      const same = inside.length === records && rootOf(inside.map(({ leaf }) => leaf)).equals(root)
      if (whole && !same) agrees = false
      held.covered = BigInt(next)
      held.records = held.records.slice(inside.length)
      this.#count -= inside.length
    }
    return agrees
  }

  #shares(max: number): readonly number[] {
    const shares = this.#partitions.map(() => 0)
    let left = Math.min(max, this.#count)
    while (left > 0) {
      const open = this.#partitions.flatMap(({ records }, i) => (records.length > (shares[i] ?? 0) ? [i] : []))
      const each = Math.max(Math.floor(left / open.length), 1)
      for (const i of open) {
        const more = Math.min(each, (this.#partitions[i]?.records.length ?? 0) - (shares[i] ?? 0), left)
        shares[i] = (shares[i] ?? 0) + more
        left -= more
      }
    }
    return shares
  }
}
