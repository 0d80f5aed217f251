// Exported files as a source. Files are ordered by their first offset; where two overlap, what was read already is
// passed over, since an export that was repeated holds the same records twice.

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ContainerError } from '../adapters/avro/container-bytes.ts'
import { containerEnd, containerInfo, readContainer, type ContainerInfo } from '../adapters/avro/container-read.ts'
import type { StoredRecord } from '../ports/log.ts'
import type { EventSource, Topic } from './event-source.ts'

export const EXPORT_SUFFIX = '.avro'
/** Files of one audit: years of days of some partitions. */
const MAX_FILES = 100_000

interface File extends ContainerInfo {
  readonly first: bigint
  /** Offset after the last record, once it was asked for. */
  next?: bigint
}

/** @throws ContainerError naming the file, when one is none of ours; the system's error when one cannot be read. */
export async function openFiles(paths: readonly string[]): Promise<EventSource> {
  const files: File[] = []
  for (const path of await listed(paths)) {
    const info = await naming(path, () => containerInfo(path))
    if (info.first !== null) files.push({ ...info, first: info.first })
  }
  files.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))
  return new Files(files)
}

class Files implements EventSource {
  readonly name: string
  readonly #files: readonly File[]

  constructor(files: readonly File[]) {
    this.#files = files
    this.name = `${files.length} files`
  }

  async partitions(topic: Topic): Promise<readonly number[]> {
    const found = this.#files.filter((file) => file.topic === topic).map(({ partition }) => partition)
    return [...new Set(found)].sort((a, b) => a - b)
  }

  async extent(topic: Topic, partition: number) {
    const files = this.#of(topic, partition)
    const ends = await Promise.all(files.slice(-1).map((file) => endOf(file)))
    return { start: files[0]?.first ?? 0n, end: ends[0] ?? 0n }
  }

  async offsetAt(topic: Topic, partition: number, timestamp: number): Promise<bigint> {
    for await (const batch of this.read(topic, partition)) {
      const found = batch.find((record) => record.timestamp >= timestamp)
      if (found) return found.offset
    }
    return (await this.extent(topic, partition)).end
  }

  async *read(topic: Topic, partition: number, from = 0n, to?: bigint): AsyncGenerator<readonly StoredRecord[]> {
    const files = this.#of(topic, partition)
    let next = from
    for (const [place, file] of files.entries()) {
      const following = files[place + 1]
      // All that this one has lies before what is wanted.
      if (following && following.first <= next) continue
      if (to !== undefined && file.first >= to) return
      for await (const batch of namingEach(file.path, readContainer(file.path))) {
        const records = wanted(batch, next, to)
        const last = records.at(-1)
        if (!last) continue
        next = last.offset + 1n
        yield records
      }
    }
  }

  #of(topic: Topic, partition: number): readonly File[] {
    return this.#files.filter((file) => file.topic === topic && file.partition === partition)
  }
}

function wanted(batch: readonly StoredRecord[], from: bigint, to: bigint | undefined): readonly StoredRecord[] {
  const [first, last] = [batch[0], batch.at(-1)]
  if (!first || !last) return []
  if (first.offset >= from && (to === undefined || last.offset < to)) return batch
  return batch.filter(({ offset }) => offset >= from && (to === undefined || offset < to))
}

async function endOf(file: File): Promise<bigint> {
  file.next ??= (await naming(file.path, () => containerEnd(file.path))) ?? file.first
  return file.next
}

/** Folders are looked into, not through. */
async function listed(paths: readonly string[]): Promise<readonly string[]> {
  const found: string[] = []
  for (const path of paths) {
    if (!(await stat(path)).isDirectory()) found.push(path)
    else
      found.push(
        ...(await readdir(path)).filter((name) => name.endsWith(EXPORT_SUFFIX)).map((name) => join(path, name)),
      )
    if (found.length > MAX_FILES) throw new ContainerError(`more than ${MAX_FILES} files`)
  }
  return [...new Set(found)]
}

async function naming<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof ContainerError ? new ContainerError(`${path}: ${error.message}`) : error
  }
}

async function* namingEach<T>(path: string, items: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* items
  } catch (error) {
    throw error instanceof ContainerError ? new ContainerError(`${path}: ${error.message}`) : error
  }
}
