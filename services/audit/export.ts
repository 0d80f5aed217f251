// Exports a log to files: one for each day of a partition, events first and checkpoints last, going on where the folder's
// files end. A cut leaves whole files only.

import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createContainer, UNFINISHED, type Codec, type ContainerFile } from '../adapters/avro/container-write.ts'
import type { Extent, StoredRecord } from '../ports/log.ts'
import { TOPIC } from '../runtime/topics.ts'
import type { EventSource, Topic } from './event-source.ts'
import { EXPORT_SUFFIX, openFiles } from './file-source.ts'
import { hashRecord } from './record-hash.ts'

export interface ExportDeps {
  readonly source: EventSource
  readonly folder: string
  readonly codec: Codec
  /** So many more records were written. May throw, to end the run. */
  readonly onRecords?: (count: number) => void
  readonly onTotal?: (count: number) => void
}

export interface Exported {
  readonly files: readonly string[]
  readonly records: number
  /** Records that the folder had already. */
  readonly before: number
  /** Offsets that are neither in the folder nor in the log any more. */
  readonly gone: readonly {
    readonly topic: Topic
    readonly partition: number
    readonly from: bigint
    readonly to: bigint
  }[]
}

/** The folder cannot be used: it holds another log's files, or cannot be made. The message is for people. */
export class ExportError extends Error {
  override readonly name = 'ExportError'
}

const DAY_MS = 86_400_000
const OFFSET_DIGITS = 12
/** Written in this order: an export that was cut has events without checkpoints, never the other way round. */
const WRITTEN: readonly Topic[] = [TOPIC.events, TOPIC.epochs, TOPIC.checkpoints]

interface Part extends Extent {
  readonly topic: Topic
  readonly partition: number
}

/** Not the folders above it: a path with a slip makes none, and under /proc Node would try for ever. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') throw new ExportError(`${folder} cannot be made: make the folder above it first`)
    if (code !== 'EEXIST') throw error
  }
}

/** @throws ExportError, ContainerError, LogError, the system's errors, or what `onRecords` throws. */
export async function exportLog(deps: ExportDeps): Promise<Exported> {
  const { source, folder } = deps
  const ends = await endsOf(source)
  if (ends.every(({ start, end }) => start === end)) return { files: [], records: 0, before: 0, gone: [] }
  await makeFolder(folder)
  for (const name of await readdir(folder)) if (name.endsWith(EXPORT_SUFFIX + UNFINISHED)) await rm(join(folder, name))
  const present = await openFiles([folder])
  const gone: Exported['gone'][number][] = []
  const parts: Part[] = []
  let before = 0
  for (const part of ends) {
    const { topic, partition, start, end } = part
    const held = await present.extent(topic, partition)
    if (held.end > 0n) await mustBeTheSame(present, source, part, held.end - 1n)
    if (start > held.end) gone.push({ topic, partition, from: held.end, to: start })
    before += Number(held.end - held.start)
    parts.push({ topic, partition, start: held.end > start ? held.end : start, end })
  }
  deps.onTotal?.(parts.reduce((sum, { start, end }) => sum + Math.max(Number(end - start), 0), 0))
  const files: string[] = []
  let records = 0
  for (const part of parts) {
    const written = await exportPart(deps, part)
    files.push(...written.files)
    records += written.records
  }
  return { files, records, before, gone }
}

/** Checkpoints are looked at first: what they cover is among the events then. */
async function endsOf(source: EventSource): Promise<readonly Part[]> {
  const parts: Part[] = []
  for (const topic of WRITTEN.toReversed()) {
    for (const partition of (await source.partitions(topic)).toReversed()) {
      parts.unshift({ topic, partition, ...(await source.extent(topic, partition)) })
    }
  }
  return parts
}

/** @throws ExportError unless folder and log agree in the last record that the folder has. */
async function mustBeTheSame(
  present: EventSource,
  source: EventSource,
  { topic, partition, start, end }: Part,
  offset: bigint,
): Promise<void> {
  if (offset < start) return
  const [held, there] = [
    await recordAt(present, topic, partition, offset),
    await recordAt(source, topic, partition, offset),
  ]
  // A compacted topic may have lost it.
  if (topic === TOPIC.epochs && held && !there) return
  const same = offset < end && held && there && hashRecord(held).leaf.equals(hashRecord(there).leaf)
  if (!same)
    throw new ExportError(
      `the folder holds another log: ${topic} ${partition}/${offset} is not the same record. Use a new folder`,
    )
}

async function recordAt(
  source: EventSource,
  topic: Topic,
  partition: number,
  offset: bigint,
): Promise<StoredRecord | null> {
  for await (const [record] of source.read(topic, partition, offset, offset + 1n)) return record ?? null
  return null
}

async function exportPart({ source, folder, codec, onRecords }: ExportDeps, { topic, partition, start, end }: Part) {
  const files: string[] = []
  let records = 0
  let open: { readonly file: ContainerFile; readonly path: string; readonly day: number } | null = null
  try {
    for await (const batch of source.read(topic, partition, start, end)) {
      for (const record of batch) {
        const day = Math.floor(record.timestamp / DAY_MS)
        // A clock that went back does not: a file holds offsets without a gap.
        if (open && day > open.day) {
          await open.file.finish()
          files.push(open.path)
          open = null
        }
        if (!open) {
          const path = join(folder, fileName(topic, partition, record.offset, day))
          open = { file: await createContainer(path, { topic, partition, codec }), path, day }
        }
        await open.file.append(record)
      }
      records += batch.length
      onRecords?.(batch.length)
    }
    await open?.file.finish()
    if (open) files.push(open.path)
    return { files, records }
  } catch (error) {
    await open?.file.abandon()
    throw error
  }
}

/** Sorts by topic, partition and offset. */
function fileName(topic: Topic, partition: number, first: bigint, day: number): string {
  const date = new Date(day * DAY_MS).toISOString().slice(0, 10)
  return `${topic}-p${partition}-${String(first).padStart(OFFSET_DIGITS, '0')}-${date}${EXPORT_SUFFIX}`
}
