// Where audits read from: the log, exported files, or both after each other. All commands of the audit take their
// records from here and know no other place.

import { TOPIC } from '../runtime/topics.ts'
import { Barriers, EpochHistory } from '../core/subject/epochs.ts'
import type { AuthorizationEvent } from '../core/subject/event.ts'
import type { Extent, Log, StoredRecord } from '../ports/log.ts'
import { MalformedRecordError, type Wire } from '../ports/wire.ts'

/** What an audit reads, and an export holds. */
export const AUDITED_TOPICS = [TOPIC.events, TOPIC.checkpoints, TOPIC.epochs] as const
export type Topic = (typeof AUDITED_TOPICS)[number]

export interface EventSource {
  /** For people: what is read. */
  readonly name: string
  /** Partitions of a topic that there are, ascending; none when there is nothing. */
  partitions(topic: Topic): Promise<readonly number[]>
  /** What can be read. Files are trusted to go on from one to the next; `read` shows what they have. */
  extent(topic: Topic, partition: number): Promise<Extent>
  /** Offset of the first record of that time (Unix ms) or later, else the end. */
  offsetAt(topic: Topic, partition: number, timestamp: number): Promise<bigint>
  /** Records of a partition in offset order, from `from` up to, not including, `to`, in batches that are not empty. */
  read(topic: Topic, partition: number, from?: bigint, to?: bigint): AsyncIterable<readonly StoredRecord[]>
}

/** What of a source is looked at. By default all of it. */
export interface Selection {
  /** Unix milliseconds, by the records' timestamps; from included, until not. */
  readonly since?: number
  readonly until?: number
  readonly partition?: number
  readonly fromOffset?: bigint
  readonly toOffset?: bigint
}

/** A stretch of a partition. */
export interface Stretch extends Extent {
  readonly partition: number
  /** Whether the log begins here, so that every slot's first event is in it. */
  readonly fromBeginning: boolean
}

export interface SourceEvent {
  readonly partition: number
  readonly offset: bigint
  readonly value: Uint8Array
  readonly event: AuthorizationEvent
}

/** Told of what is read and not handed on. */
export interface Skipped {
  foreign(record: StoredRecord): void
  void(record: StoredRecord): void
}

const BATCH_RECORDS = 500

/** The stretches that a selection means, partition by partition. Empty ones are left out. */
export async function stretchesOf(source: EventSource, selection: Selection = {}): Promise<readonly Stretch[]> {
  const { since, until, fromOffset = 0n, toOffset } = selection
  const wanted = (await source.partitions(TOPIC.events)).filter((p) => p === (selection.partition ?? p))
  const stretches = await Promise.all(
    wanted.map(async (partition) => {
      const { start, end } = await source.extent(TOPIC.events, partition)
      const at = (time: number) => source.offsetAt(TOPIC.events, partition, time)
      const from = largest(start, fromOffset, since === undefined ? start : await at(since))
      const to = smallest(end, toOffset ?? end, until === undefined ? end : await at(until))
      return { partition, start: from, end: to, fromBeginning: from === 0n }
    }),
  )
  return stretches.filter(({ start, end }) => start < end)
}

/**
 * Decoded events that count, partition after partition, each in offset order. Equal duplicates are not dropped: fold by
 * slot and version.
 */
export async function* readEvents(
  source: EventSource,
  wire: Pick<Wire, 'decodeEvent'>,
  stretches: readonly Stretch[],
  skipped?: Partial<Skipped>,
): AsyncGenerator<SourceEvent> {
  const barriers = await barriersOf(source, wire, stretches)
  for (const { partition, start, end } of stretches) {
    for await (const batch of source.read(TOPIC.events, partition, start, end)) {
      for (const record of batch) {
        const event = decoded(wire, record)
        const standing = barriers.judge(record)
        if (!event) skipped?.foreign?.(record)
        else if (standing === 'void') skipped?.void?.(record)
        else yield { partition, offset: record.offset, value: record.value ?? new Uint8Array(), event }
      }
    }
  }
}

/** Tells void records of these stretches from those that count. Every record must be judged, in the order it is read. */
export async function barriersOf(
  source: EventSource,
  wire: Pick<Wire, 'decodeEvent'>,
  stretches: readonly Stretch[],
): Promise<Barriers> {
  const history = new EpochHistory()
  for (const partition of await source.partitions(TOPIC.epochs)) {
    for await (const batch of source.read(TOPIC.epochs, partition)) {
      for (const record of batch) {
        const event = decoded(wire, record)
        if (event?.type === 'epoch-raised') history.add(event)
      }
    }
  }
  const starts = new Map(stretches.map(({ partition, start }) => [partition, start]))
  return new Barriers((partition) => history.inForceAt(partition, starts.get(partition) ?? 0n))
}

function decoded(wire: Pick<Wire, 'decodeEvent'>, { value }: StoredRecord): AuthorizationEvent | null {
  try {
    return wire.decodeEvent(value)
  } catch (error) {
    if (error instanceof MalformedRecordError) return null
    throw error
  }
}

/** The topics of a running system, or of an embedded one. */
export function logSource(log: Log): EventSource {
  return {
    name: 'the log',
    partitions: async (topic) => Array.from({ length: await log.partitions(topic) }, (_, partition) => partition),
    extent: (topic, partition) => log.extent(topic, partition),
    offsetAt: (topic, partition, timestamp) => log.offsetAt(topic, partition, timestamp),
    async *read(topic, partition, from, to) {
      let batch: StoredRecord[] = []
      for await (const record of log.read(topic, partition, from, to)) {
        batch.push(record)
        if (batch.length < BATCH_RECORDS) continue
        yield batch
        batch = []
      }
      if (batch.length > 0) yield batch
    },
  }
}

/** The first source, and of the second what goes on from there: an export and the topic it was taken from. */
export function sourceAfter(first: EventSource, second: EventSource): EventSource {
  /** Where the second takes over: nothing of the first is read twice. */
  const seam = async (topic: Topic, partition: number): Promise<bigint> =>
    (await first.partitions(topic)).includes(partition) ? (await first.extent(topic, partition)).end : 0n
  return {
    name: `${first.name}, then ${second.name}`,
    partitions: async (topic) =>
      [...new Set([...(await first.partitions(topic)), ...(await second.partitions(topic))])].sort((a, b) => a - b),
    async extent(topic, partition) {
      const later = (await second.partitions(topic)).includes(partition)
      if (!later) return first.extent(topic, partition)
      const extent = await second.extent(topic, partition)
      if (!(await first.partitions(topic)).includes(partition)) return extent
      const earlier = await first.extent(topic, partition)
      return { start: smallest(earlier.start, extent.start), end: largest(earlier.end, extent.end) }
    },
    async offsetAt(topic, partition, timestamp) {
      const end = await seam(topic, partition)
      const at = end > 0n ? await first.offsetAt(topic, partition, timestamp) : end
      return at < end ? at : largest(end, await second.offsetAt(topic, partition, timestamp))
    },
    async *read(topic, partition, from = 0n, to) {
      const end = await seam(topic, partition)
      if (from < end) yield* first.read(topic, partition, from, to)
      if (to === undefined || to > end) yield* second.read(topic, partition, largest(from, end), to)
    },
  }
}

function smallest(...offsets: readonly bigint[]): bigint {
  return offsets.reduce((a, b) => (a < b ? a : b))
}

function largest(...offsets: readonly bigint[]): bigint {
  return offsets.reduce((a, b) => (a > b ? a : b))
}
