// Verifies a log: the chain of checkpoints, the records they cover, every slot's chain. Reads partition after partition,
// so that what must be held is that of one.

import { Barriers } from '../core/subject/epochs.ts'
import type { SignatureVerifier } from '../ports/keys.ts'
import type { Wire } from '../ports/wire.ts'
import { TOPIC } from '../runtime/topics.ts'
import { forked } from './chain.ts'
import { checkChain, standingCheckpoints, type ChainSummary, type Named, type Standing } from './checkpoint-chain.ts'
import { marksOf } from './checkpoint.ts'
import { barriersOf, stretchesOf, type EventSource, type Selection, type Stretch } from './event-source.ts'
import type { Fault } from './fault.ts'
import { sha256 } from './merkle.ts'
import { hashRecord } from './record-hash.ts'
import {
  PartitionCheck,
  type ChainFault,
  type PartitionCounts,
  type StatedRange,
  type Suspect,
} from './verify-partition.ts'

export interface VerifyDeps {
  readonly source: EventSource
  readonly wire: Wire
  readonly verifier: SignatureVerifier
  readonly selection?: Selection
  /** A checkpoint that was seen before and must still be there. */
  readonly expected?: Pick<Named, 'sequence' | 'hash'>
  readonly allowForeign?: boolean
  /** So many more records were read. May throw, to end the run. */
  readonly onRecords?: (count: number) => void
  /** How many records there are to read. */
  readonly onTotal?: (count: number) => void
}

export interface Verified {
  readonly chain: ChainSummary
  readonly partitions: readonly PartitionCounts[]
  /** Ranges of checkpoints that lie partly outside what was looked at, and were not checked. */
  readonly cutRanges: number
  /** The first of each part, in the order in which they were met; none when all is well. */
  readonly faults: readonly Fault[]
}

/** Older versions that came again, beyond which they are compared with their first occurrences at once. */
const MAX_SUSPECTS = 10_000

/** @throws LogError, ContainerError, or what `onRecords` throws. */
export async function verify(deps: VerifyDeps): Promise<Verified> {
  const { source, selection = {}, expected = null } = deps
  const starts = new Map<number, bigint>()
  const chain = await checkChain(deps, expected, ({ checkpoint }) => noteStarts(starts, checkpoint.ranges))
  // After the checkpoints: all that they cover is there by now.
  const stretches = await stretchesOf(source, selection)
  deps.onTotal?.(stretches.reduce((sum, { start, end }) => sum + Number(end - start), 0))
  const barriers = await barriersOf(source, deps.wire, stretches)
  const partitions: PartitionCounts[] = []
  const faults: Fault[] = chain.fault ? [chain.fault] : []
  let cutRanges = 0
  for (const stretch of withEmptied(stretches, starts, selection)) {
    const ranges = new RangeReader(deps, stretch, chain, isWhole(selection))
    const { counts, fault } = await verifyPartition(deps, stretch, barriers, ranges)
    partitions.push(counts)
    cutRanges += ranges.cut
    if (fault) faults.push(plain(fault))
  }
  return { chain, partitions, cutRanges, faults }
}

function isWhole({ since, until, fromOffset, toOffset }: Selection): boolean {
  return [since, until, fromOffset, toOffset].every((bound) => bound === undefined)
}

function noteStarts(starts: Map<number, bigint>, ranges: Standing['checkpoint']['ranges']): void {
  for (const { partition, first, records } of ranges) {
    if (records > 0 && !starts.has(partition)) starts.set(partition, BigInt(first))
  }
}

/** A partition that checkpoints cover and that has no records any more must be looked at too. */
function withEmptied(
  stretches: readonly Stretch[],
  starts: ReadonlyMap<number, bigint>,
  selection: Selection,
): readonly Stretch[] {
  if (!isWhole(selection)) return stretches
  const emptied = [...starts.keys()].filter(
    (partition) =>
      partition === (selection.partition ?? partition) && stretches.every((stretch) => stretch.partition !== partition),
  )
  return [...stretches, ...emptied.map((partition) => ({ partition, start: 0n, end: 0n, fromBeginning: true }))].sort(
    (a, b) => a.partition - b.partition,
  )
}

async function verifyPartition(deps: VerifyDeps, stretch: Stretch, barriers: Barriers, ranges: RangeReader) {
  const { source, wire, allowForeign = false, onRecords } = deps
  const { partition, start, end, fromBeginning } = stretch
  const check = new PartitionCheck({
    topic: TOPIC.events,
    partition,
    start,
    fromBeginning,
    wire,
    barriers,
    nextRange: () => ranges.next(),
    allowForeign,
  })
  let resolved: ChainFault | null = null
  reading: for await (const batch of source.read(TOPIC.events, partition, start, end)) {
    for (const record of batch) {
      if (check.isBehind(record)) await check.enter(record)
      if (!check.fault) check.add(record)
      if (check.fault) break reading
    }
    onRecords?.(batch.length)
    if (check.suspects.length < MAX_SUSPECTS) continue
    resolved = await resolveSuspects(deps, stretch, check)
    if (resolved) break
  }
  if (!resolved && !check.fault) await check.finish()
  await ranges.close()
  resolved ??= await resolveSuspects(deps, stretch, check)
  const fault = earlier(resolved, check.fault)
  return { counts: check.counts, fault: fault && (await whetherMoved(deps, fault)) }
}

function earlier(a: ChainFault | null, b: ChainFault | null): ChainFault | null {
  if (!a || !b) return a ?? b
  return a.offset < b.offset ? a : b
}

/** Whether older versions that came again are the ones of their first occurrence, by reading those again. */
async function resolveSuspects(
  { source, wire, onRecords }: VerifyDeps,
  { partition, start }: Stretch,
  check: PartitionCheck,
): Promise<ChainFault | null> {
  const suspects = check.suspects.splice(0)
  const last = suspects.at(-1)
  if (!last) return null
  const open = new Map<string, Suspect[]>()
  for (const suspect of suspects) {
    const key = `${suspect.slot}#${suspect.version}`
    open.set(key, [...(open.get(key) ?? []), suspect])
  }
  const barriers = new Barriers()
  let found: Suspect | null = null
  for await (const batch of source.read(TOPIC.events, partition, start, last.offset)) {
    onRecords?.(0)
    for (const record of batch) {
      const standing = barriers.judge(record)
      if (standing !== 'valid' || !record.value) continue
      const { slot, version } = headOr(wire, record.value)
      const same = open.get(`${slot}#${version}`)
      if (!same) continue
      open.delete(`${slot}#${version}`)
      const first = sha256(record.value)
      for (const suspect of same) {
        if (suspect.hash.equals(first)) check.counts.duplicates++
        else if (!found || suspect.offset < found.offset) found = suspect
      }
    }
    if (open.size === 0) break
  }
  return found && { ...found.place, detail: forked(found.slot, found.version, 'its first occurrence') }
}

function headOr(wire: Wire, value: Uint8Array): { readonly slot?: string; readonly version?: number } {
  try {
    return wire.eventHead(value)
  } catch {
    return {}
  }
}

/** Looks for what should be at the place of a fault: if it lies elsewhere, it was moved. */
async function whetherMoved({ source, wire, onRecords }: VerifyDeps, fault: ChainFault): Promise<ChainFault> {
  const { missing, expectedMark, kind } = fault
  const sought = kind === 'missing' || kind === 'changed'
  if (!sought || (!missing && expectedMark === undefined)) return fault
  for (const partition of await source.partitions(TOPIC.events)) {
    for await (const batch of source.read(TOPIC.events, partition)) {
      onRecords?.(0)
      for (const record of batch) {
        if (partition === fault.partition && record.offset <= fault.offset) continue
        if (missing) {
          const { slot, version = 0 } = record.value ? headOr(wire, record.value) : {}
          const [from, to] = missing.versions
          if (slot !== missing.slot || version < from || version > to) continue
        } else if (hashRecord(record).mark !== expectedMark) continue
        return { ...fault, kind: 'moved', detail: `${fault.detail}; it lies at ${partition}/${record.offset}` }
      }
    }
  }
  return fault
}

function plain({ kind, topic, partition, offset, detail }: ChainFault): Fault {
  return { kind, topic, partition, offset, detail }
}

/** The ranges of one partition, as its records are read. */
class RangeReader {
  /** Not whole within what is read. */
  cut = 0
  readonly #stretch: Stretch
  readonly #whole: boolean
  readonly #last: number
  readonly #standing: AsyncGenerator<Standing>

  constructor(deps: VerifyDeps, stretch: Stretch, chain: ChainSummary, whole: boolean) {
    this.#stretch = stretch
    this.#whole = whole
    this.#last = chain.last?.sequence ?? 0
    this.#standing = standingCheckpoints({ ...deps, verifier: { ...deps.verifier, verify: () => 'right' } })
  }

  async next(): Promise<StatedRange | null> {
    for (;;) {
      const { value, done } = await this.#standing.next()
      if (done === true || value.checkpoint.sequence > this.#last) return null
      const { checkpoint } = value
      const place = checkpoint.ranges.findIndex(({ partition }) => partition === this.#stretch.partition)
      const range = checkpoint.ranges[place]
      if (!range || range.first === range.next) continue
      const [first, next] = [BigInt(range.first), BigInt(range.next)]
      const inside = first >= this.#stretch.start && next <= this.#stretch.end
      if (!inside && !this.#whole) {
        if (next > this.#stretch.start && first < this.#stretch.end) this.cut++
        continue
      }
      const { sequence } = checkpoint
      return {
        sequence,
        first,
        next,
        records: range.records,
        root: range.root,
        marks: marksOf(checkpoint)[place] ?? new Uint32Array(),
      }
    }
  }

  async close(): Promise<void> {
    await this.#standing.return(undefined)
  }
}
