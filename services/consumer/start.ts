// Where a consumer begins, as people write it and as offsets of each partition.

import type { Log } from '../ports/log.ts'

/**
 * The beginning, the end, the first record of a time (Unix milliseconds) or later, or an offset of each partition
 * (partitions that are not named: the beginning).
 */
export type Start = 'beginning' | 'end' | { readonly time: number } | { readonly offsets: ReadonlyMap<number, bigint> }

/** How `parseStart` wants it, for `--help`. */
export const START_FORMS =
  'beginning, end, a time (2026-01-31, 2026-01-31T08:00:00Z, 90s, 15m, 2h, 7d ago) or offsets (0:1200,1:980)'

const DURATION = /^(\d{1,6})([smhd])$/
const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2}))?$/
const OFFSETS = /^\d{1,6}:\d{1,18}(,\d{1,6}:\d{1,18})*$/

/** What a person wrote, or null when it is none of `START_FORMS`. A date alone is midnight UTC. @param now Unix ms */
export function parseStart(text: string, now: number): Start | null {
  if (text === 'beginning' || text === 'end') return text
  if (OFFSETS.test(text)) {
    const pairs = text.split(',').map((pair) => pair.split(':') as [string, string])
    return { offsets: new Map(pairs.map(([partition, offset]) => [Number(partition), BigInt(offset)])) }
  }
  const time = parseTime(text, now)
  return time === null ? null : { time }
}

/** Unix milliseconds of a date, a time with its zone, or a length of time before `now`; null for anything else. */
export function parseTime(text: string, now: number): number | null {
  const [, count, unit] = DURATION.exec(text) ?? []
  if (unit !== undefined) return now - Number(count) * (UNIT_MS[unit] ?? 0)
  const time = TIME.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(time) ? null : time
}

/** The first offset of each partition. @throws LogError */
export async function startOffsets(log: Log, topic: string, start: Start): Promise<readonly bigint[]> {
  const partitions = Array.from({ length: await log.partitions(topic) }, (_, partition) => partition)
  return Promise.all(partitions.map((partition) => startOffset(log, topic, partition, start)))
}

async function startOffset(log: Log, topic: string, partition: number, start: Start): Promise<bigint> {
  if (start === 'beginning') return 0n
  if (start === 'end') return log.end(topic, partition)
  if ('time' in start) return log.offsetAt(topic, partition, start.time)
  return start.offsets.get(partition) ?? 0n
}
