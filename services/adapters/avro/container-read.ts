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
/** Unpacked at once, so that the other thread need not come back for each 16 kB: somewhat more than the blocks we write. */
const UNPACKED_BYTES = 524_288
const MAX_LONG_BYTES = 10
/** The fields of a row as we read them; a file with others is not ours. */
const FIELDS = 'partition,offset,timestamp,key,headers,framing,datumBytes,value'
const unpack = promisify(inflateRaw)

/** What a file says of itself. @throws ContainerError when it is no export of ours. */
export async function containerInfo(path: string): Promise<ContainerInfo> {
  return reading(path, async (container, file) => {
    const { topic, partition } = container.head
    const block = await container.next()
    const first = block ? (await container.recordsOf(block))[0]?.offset : undefined
    return { path, topic, partition, bytes: (await file.stat()).size, first: first ?? null }
  })
}

/** Offset after its last record; null for a file without records. Unpacks one block. @throws ContainerError */
export async function containerEnd(path: string): Promise<bigint | null> {
  return reading(path, async (container) => {
    let last: PackedBlock | null = null
    for (let block = await container.next(); block; block = await container.next()) last = block
    const offset = last ? (await container.recordsOf(last)).at(-1)?.offset : undefined
    return offset === undefined ? null : offset + 1n
  })
}

/** Its records in batches, in the order of the file. @throws ContainerError when the file is damaged or cut. */
export async function* readContainer(path: string): AsyncGenerator<readonly StoredRecord[]> {
  const file = await open(path, 'r')
  try {
    const container = await Container.of(file)
    let ahead = nextRecords(container)
    for (let records = await ahead; records; records = await ahead) {
      // Another thread unpacks the next block while whoever reads works on this one. What goes wrong is told in its turn.
      ahead = nextRecords(container)
      ahead.catch(() => {})
      yield records
    }
  } finally {
    await file.close()
  }
}

async function nextRecords(container: Container): Promise<readonly StoredRecord[] | null> {
  const block = await container.next()
  return block && container.recordsOf(block)
}

async function reading<T>(path: string, use: (container: Container, file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, 'r')
  try {
    return await use(await Container.of(file), file)
  } finally {
    await file.close()
  }
}

interface Head {
  readonly topic: string
  readonly partition: number
  readonly codec: string
  readonly sync: Buffer
}

/** A block as it stands in the file. */
interface PackedBlock {
  readonly count: number
  readonly data: Buffer
}

class Container {
  readonly head: Head
  readonly #source: Chunks

  private constructor(head: Head, source: Chunks) {
    this.head = head
    this.#source = source
  }

  static async of(file: FileHandle): Promise<Container> {
    const source = new Chunks(file)
    return new Container(await readHeader(source), source)
  }

  /** Null at the end. */
  async next(): Promise<PackedBlock | null> {
    if (await this.#source.ended()) return null
    const [count, size] = await this.#source.longs()
    if (!(count > 0 && size >= 0 && size <= MAX_BLOCK_BYTES))
      throw new ContainerError('the file is damaged: a block has no sane size')
    const data = await this.#source.take(size)
    if (!(await this.#source.take(SYNC_BYTES)).equals(this.head.sync))
      throw new ContainerError('the file is damaged: a block does not end as it must')
    return { count, data }
  }

  async recordsOf({ count, data }: PackedBlock): Promise<readonly StoredRecord[]> {
    const { topic, partition } = this.head
    return rowsOf(await this.#unpacked(data), count, topic, partition)
  }

  async #unpacked(data: Buffer): Promise<Buffer> {
    if (this.head.codec !== 'deflate') return data
    try {
      return await unpack(data, { chunkSize: UNPACKED_BYTES, maxOutputLength: MAX_BLOCK_BYTES })
    } catch {
      throw new ContainerError('the file is damaged: a block does not unpack')
    }
  }
}

async function readHeader(source: Chunks): Promise<Head> {
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
