// Reads Avro object container files that this service wrote, block by block, without building objects of the values:
// each comes back as the bytes it was on the topic. Whoever wants typed values reads the file with any Avro tool.

import { open, type FileHandle } from 'node:fs/promises'
import { promisify } from 'node:util'
import { inflateRaw } from 'node:zlib'
import type { StoredRecord } from '../../ports/log.ts'
import { ByteReader, ContainerError } from './container-bytes.ts'
import { FOREIGN_VALUE, NO_VALUE } from './container-schema.ts'
import { MAGIC, METADATA, SYNC_BYTES } from './container-write.ts'

export interface ContainerInfo {
  readonly path: string
  readonly topic: string
  readonly partition: number
  /** Of the whole file. */
  readonly bytes: number
  /** Offset of the first record; null for a file without records. */
  readonly first: bigint | null
}

/** Bytes asked of the disk at once. */
const CHUNK_BYTES = 1_048_576
/** Of the header: the schema has some 50,000. */
const MAX_HEADER_BYTES = 1_048_576
/** Of a block, packed or not: we write a quarter of a million; one record may have a million. */
const MAX_BLOCK_BYTES = 16_777_216
const MAX_LONG_BYTES = 10
/** The fields of a row as we read them; a file with others is not ours. */
const FIELDS = 'partition,offset,timestamp,key,headers,framing,datumBytes,value'
const unpack = promisify(inflateRaw)

/** What a file says of itself. @throws ContainerError when it is no export of ours. */
export async function containerInfo(path: string): Promise<ContainerInfo> {
  for await (const batch of readBlocks(path, true)) return batch.info
  throw new ContainerError('the file is empty')
}

/** Its records in batches, in the order of the file. @throws ContainerError when the file is damaged or cut. */
export async function* readContainer(path: string): AsyncGenerator<readonly StoredRecord[]> {
  for await (const { records } of readBlocks(path, false)) if (records.length > 0) yield records
}

interface Block {
  readonly info: ContainerInfo
  readonly records: readonly StoredRecord[]
}

async function* readBlocks(path: string, onlyFirst: boolean): AsyncGenerator<Block> {
  const file = await open(path, 'r')
  try {
    const bytes = (await file.stat()).size
    const source = new Chunks(file)
    const { sync, codec, topic, partition } = await readHeader(source)
    let first: bigint | null = null
    while (!(await source.ended())) {
      const [count, size] = await source.longs()
      if (!(count > 0 && size >= 0 && size <= MAX_BLOCK_BYTES))
        throw new ContainerError('the file is damaged: a block has no sane size')
      const data = await source.take(size)
      if (!(await source.take(SYNC_BYTES)).equals(sync))
        throw new ContainerError('the file is damaged: a block does not end as it must')
      const records = rowsOf(codec === 'deflate' ? await inflated(data) : data, count, topic, partition)
      first ??= records[0]?.offset ?? null
      yield { info: { path, topic, partition, bytes, first }, records }
      if (onlyFirst) return
    }
    if (first === null) yield { info: { path, topic, partition, bytes, first }, records: [] }
  } finally {
    await file.close()
  }
}

async function inflated(data: Buffer): Promise<Buffer> {
  try {
    return await unpack(data, { maxOutputLength: MAX_BLOCK_BYTES })
  } catch {
    throw new ContainerError('the file is damaged: a block does not unpack')
  }
}

async function readHeader(source: Chunks) {
  const bytes = await source.peek(MAX_HEADER_BYTES)
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw new ContainerError('not an Avro object container file')
  const reader = new ByteReader(bytes)
  reader.raw(MAGIC.length)
  const metadata = reader.map()
  const sync = Buffer.from(reader.raw(SYNC_BYTES))
  source.skip(reader.at)
  const { [METADATA.topic]: topic, [METADATA.partition]: partition, [METADATA.codec]: codec = 'null' } = metadata
  if (topic === undefined || fieldsOf(metadata[METADATA.schema] ?? '') !== FIELDS) {
    throw new ContainerError('an Avro file, but no export of this service')
  }
  if (codec !== 'null' && codec !== 'deflate')
    throw new ContainerError('packed in a way that is not read here: use null or deflate')
  return { sync, codec, topic, partition: Number(partition) }
}

function fieldsOf(schema: string): string {
  try {
    const { fields } = JSON.parse(schema) as { readonly fields: readonly { readonly name: string }[] }
    return fields.map(({ name }) => name).join(',')
  } catch {
    return ''
  }
}

function rowsOf(data: Buffer, count: number, topic: string, partition: number): readonly StoredRecord[] {
  const reader = new ByteReader(data)
  const records: StoredRecord[] = []
  for (let row = 0; row < count; row++) {
    if (reader.long() !== partition) throw new ContainerError('the file is damaged: a record of another partition')
    const offset = BigInt(reader.long())
    const timestamp = reader.long()
    const key = reader.long() === 0 ? null : reader.text()
    const headers = reader.map()
    const framing = reader.bytes()
    const length = reader.long()
    const branch = reader.long()
    const value =
      branch === NO_VALUE ? null : branch === FOREIGN_VALUE ? reader.bytes() : reader.joined(framing, length)
    records.push({ topic, partition, offset, key, headers, timestamp, value })
  }
  if (reader.left > 0) throw new ContainerError('the file is damaged: a block has more than its records')
  return records
}

/** A file from its beginning, a chunk at a time. */
class Chunks {
  readonly #file: FileHandle
  #bytes: Buffer = Buffer.alloc(0)
  #complete = false

  constructor(file: FileHandle) {
    this.#file = file
  }

  async ended(): Promise<boolean> {
    return (await this.peek(1)).length === 0
  }

  /** Up to `count` of the bytes that are next. */
  async peek(count: number): Promise<Buffer> {
    while (this.#bytes.length < count && !this.#complete) {
      const chunk = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, count - this.#bytes.length))
      const { bytesRead } = await this.#file.read(chunk)
      this.#complete = bytesRead === 0
      this.#bytes =
        this.#bytes.length === 0
          ? chunk.subarray(0, bytesRead)
          : Buffer.concat([this.#bytes, chunk.subarray(0, bytesRead)])
    }
    return this.#bytes.subarray(0, count)
  }

  skip(count: number): void {
    this.#bytes = this.#bytes.subarray(count)
  }

  async take(count: number): Promise<Buffer> {
    const bytes = await this.peek(count)
    if (bytes.length < count) throw new ContainerError('the file is cut off: its end is missing')
    this.skip(count)
    return bytes
  }

  async longs(): Promise<readonly [number, number]> {
    const reader = new ByteReader(await this.peek(2 * MAX_LONG_BYTES))
    const pair = [reader.long(), reader.long()] as const
    this.skip(reader.at)
    return pair
  }
}
