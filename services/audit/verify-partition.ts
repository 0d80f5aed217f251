// Verifies one partition: records against the ranges that checkpoints state, and every slot's chain. Holds what the
// chains need of each slot, one range of marks, and a batch; not the history.

import { hashRecord } from './record-hash.ts'
import { MerkleAccumulator } from './merkle.ts'
import { Chains, forked, type ChainVerdict, type Link } from './chain.ts'
import type { Fault } from './fault.ts'
import { localize, type Marked, type Place } from './localize.ts'
import type { Barriers } from '../core/subject/epochs.ts'
import type { StoredRecord } from '../ports/log.ts'
import { MalformedRecordError, type EventHead, type Wire } from '../ports/wire.ts'

/** What checkpoints state of one partition, in order. */
export interface StatedRange {
  readonly sequence: number
  readonly first: bigint
  readonly next: bigint
  readonly records: number
  readonly root: Uint8Array
  readonly marks: Uint32Array
}

export interface PartitionCounts {
  readonly partition: number
  readonly start: bigint
  end: bigint
  records: number
  /** In ranges of checkpoints. */
  covered: number
  /** Before what the first checkpoint in reach covers. */
  before: number
  /** After what the last one covers: only chain faults are found there. */
  after: number
  duplicates: number
  void: number
  /** Refusals, rules, barriers: they belong to no chain. */
  outsideChains: number
  /** No events of ours. */
  foreign: number
  slots: number
}

/** An older version that came again, to be compared with its first occurrence. */
export interface Suspect extends Link {
  readonly place: Fault
}

export interface PartitionDeps {
  readonly topic: string
  readonly partition: number
  readonly start: bigint
  readonly fromBeginning: boolean
  readonly wire: Pick<Wire, 'eventHead'>
  readonly barriers: Barriers
  /** The next range that lies whole in what is read, null behind the last. */
  readonly nextRange: () => Promise<StatedRange | null>
  readonly allowForeign: boolean
}

/** Found by a chain: the versions that are missing lead to whether they lie elsewhere. */
export interface ChainFault extends Fault {
  readonly missing?: { readonly slot: string; readonly versions: readonly [number, number] }
  /** Mark of the record that should be at the place. */
  readonly expectedMark?: number
}

/** Records of a partition in order, until `fault` is set; then no more are to be added. */
export class PartitionCheck {
  readonly counts: PartitionCounts
  readonly suspects: Suspect[] = []
  fault: ChainFault | null = null
  readonly #deps: PartitionDeps
  readonly #chains: Chains
  /** The range that the next record may be in; undefined before the first was asked for. */
  #range: StatedRange | null | undefined
  #tree = new MerkleAccumulator()
  #marked: Marked[] = []
  /** Of the running range: told only when its records are the signed ones. */
  #chainFault: ChainFault | null = null

  constructor(deps: PartitionDeps) {
    this.#deps = deps
    this.#chains = new Chains(deps.fromBeginning)
    const { partition, start } = deps
    const none = {
      records: 0,
      covered: 0,
      before: 0,
      after: 0,
      duplicates: 0,
      void: 0,
      outsideChains: 0,
      foreign: 0,
      slots: 0,
    }
    this.counts = { partition, start, end: start, ...none }
  }

  /** Whether the record lies behind the running range: then `enter` comes before `add`. */
  isBehind({ offset }: StoredRecord): boolean {
    return this.#range === undefined || (this.#range !== null && offset >= this.#range.next)
  }

  /** Closes the ranges that end before the record. */
  async enter(record: StoredRecord): Promise<void> {
    if (this.#range === undefined) await this.#advance()
    while (!this.fault && this.#range && record.offset >= this.#range.next) await this.#close(record)
  }

  add(record: StoredRecord): void {
    const { value, leaf, mark } = hashRecord(record)
    const inRange = this.#range && record.offset >= this.#range.first
    if (inRange) {
      this.#tree.add(leaf)
      this.#marked.push({ offset: record.offset, mark })
      this.counts.covered++
    } else if (this.#range) this.counts.before++
    else this.counts.after++
    this.counts.records++
    this.counts.end = record.offset + 1n
    const fault = this.#chainFault ?? this.#judge(record, value)
    if (!fault) return
    if (inRange) this.#chainFault = fault
    else this.fault = fault
  }

  /** Nothing follows: what is still stated is missing. */
  async finish(): Promise<void> {
    if (this.#range === undefined) await this.#advance()
    while (this.#range && !this.fault) await this.#close(null)
    this.fault ??= this.#chainFault
    this.counts.slots = this.#chains.slots
  }

  async #advance(): Promise<void> {
    this.#range = await this.#deps.nextRange()
    this.#tree = new MerkleAccumulator()
    this.#marked = []
  }

  /** The range's records have all been met. */
  async #close(following: StoredRecord | null): Promise<void> {
    const range = this.#range
    if (!range) return
    const marked = this.#marked
    const right = this.#tree.leaves === range.records && this.#tree.root().equals(range.root)
    const chainFault = this.#chainFault
    await this.#advance()
    if (right) {
      this.fault = chainFault
      return
    }
    const after = following ? [{ offset: following.offset, mark: hashRecord(following).mark }] : []
    const known = [...range.marks, ...(this.#range ? this.#range.marks.subarray(0, 1) : [])]
    const place = localize(known, [...marked, ...after], {
      first: range.first,
      next: range.next,
      marks: range.records,
      records: marked.length,
    })
    this.fault = this.#faultAt(place, range)
  }

  #faultAt(place: Place, { sequence }: StatedRange): ChainFault {
    const { topic, partition } = this.#deps
    const { kind, offset, detail, expected } = place
    return { kind, topic, partition, offset, detail: `${detail} (checkpoint ${sequence})`, expectedMark: expected }
  }

  #judge(record: StoredRecord, hash: Buffer | null): ChainFault | null {
    const { wire, barriers, allowForeign } = this.#deps
    const standing = barriers.judge(record)
    const head = headOf(wire, record)
    if (!head || !hash) {
      this.counts.foreign++
      return allowForeign
        ? null
        : this.#at(
            record,
            'added',
            'a record that is no event of this service (--allow-foreign passes over such records)',
          )
    }
    if (standing === 'void') {
      this.counts.void++
      return null
    }
    const { slot, version, previousHash } = head
    if (slot === undefined || version === undefined || previousHash === undefined) {
      this.counts.outsideChains++
      return null
    }
    if (record.key !== slot) return this.#at(record, 'changed', `an event of ${slot} under another key`)
    const link: Link = { slot, version, previousHash, offset: record.offset, hash }
    return this.#faultOf(record, link, this.#chains.judge(link))
  }

  #faultOf(record: StoredRecord, link: Link, verdict: ChainVerdict): ChainFault | null {
    switch (verdict.kind) {
      case 'next':
        return null
      case 'duplicate':
        this.counts.duplicates++
        return null
      case 'again':
        this.suspects.push({
          ...link,
          place: this.#at(record, 'forked', forked(link.slot, link.version, 'its first occurrence')),
        })
        return null
      case 'missing':
        return {
          ...this.#at(record, 'missing', verdict.detail),
          ...(verdict.versions ? { missing: { slot: link.slot, versions: verdict.versions } } : {}),
        }
      case 'changed':
      case 'forked':
        return this.#at(record, verdict.kind, verdict.detail)
    }
  }

  #at({ offset }: StoredRecord, kind: Fault['kind'], detail: string): ChainFault {
    const { topic, partition } = this.#deps
    return { kind, topic, partition, offset, detail }
  }
}

function headOf(wire: Pick<Wire, 'eventHead'>, { value }: StoredRecord): EventHead | null {
  try {
    return wire.eventHead(value)
  } catch (error) {
    if (error instanceof MalformedRecordError) return null
    throw error
  }
}
