// Writes records of one partition into an Avro object container file. The file has another name until it is whole, so
// that a cut leaves none that looks finished.

import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { promisify } from 'node:util'
import { deflateRaw } from 'node:zlib'
import type { StoredRecord } from '../../ports/log.ts'
import { ByteWriter } from './container-bytes.ts'
import { FOREIGN_VALUE, rowLayout, type RowLayout } from './container-schema.ts'

export const MAGIC: Buffer = Buffer.from('Obj\u0001')
export const SYNC_BYTES = 16
export const METADATA = {
  schema: 'avro.schema',
  codec: 'avro.codec',
  topic: 'payment.topic',
  partition: 'payment.partition',
} as const
export const CODECS = ['null', 'deflate'] as const
export type Codec = (typeof CODECS)[number]
/** What is not whole yet has this behind its name. */
export const UNFINISHED = '.unfinished'

/** Bytes of a block before it is packed: small enough to hold several, large enough for few system calls. */
const BLOCK_BYTES = 262_144
const NO_BYTES = Buffer.alloc(0)
const pack = promisify(deflateRaw)

export interface ContainerFile {
  /** In the order of their offsets. */
  append(record: StoredRecord): Promise<void>
  /** Bytes on the disk under the file's name, or nothing. */
  finish(): Promise<void>
  /** Leaves no file. */
  abandon(): Promise<void>
}

let layout: RowLayout | undefined

/** Replaces an unfinished file of the same name. Rejects with the system's error, EEXIST for a finished one included. */
export async function createContainer(
  path: string,
  { topic, partition, codec }: { readonly topic: string; readonly partition: number; readonly codec: Codec },
): Promise<ContainerFile> {
  layout ??= rowLayout()
  const unfinished = path + UNFINISHED
  const file = await open(unfinished, constants.O_CREAT | constants.O_TRUNC | constants.O_WRONLY, 0o640)
  const sync = randomBytes(SYNC_BYTES)
  const header = new ByteWriter(65_536)
  header.raw(MAGIC)
  const metadata: Readonly<Record<string, string>> = {
    [METADATA.schema]: JSON.stringify(layout.schema),
    [METADATA.codec]: codec,
    [METADATA.topic]: topic,
    [METADATA.partition]: String(partition),
  }
  header.long(Object.keys(metadata).length)
  for (const [name, text] of Object.entries(metadata)) {
    header.text(name)
    header.text(text)
  }
  header.long(0)
  header.raw(sync)
  await file.writeFile(header.take())
  return new Writing(path, file, sync, codec, layout)
}

class Writing implements ContainerFile {
  readonly #path: string
  readonly #file: FileHandle
  readonly #sync: Buffer
  readonly #codec: Codec
  readonly #layout: RowLayout
  readonly #block = new ByteWriter(BLOCK_BYTES * 2)
  readonly #frame = new ByteWriter(64)
  #rows = 0

  constructor(path: string, file: FileHandle, sync: Buffer, codec: Codec, rows: RowLayout) {
    this.#path = path
    this.#file = file
    this.#sync = sync
    this.#codec = codec
    this.#layout = rows
  }

  async append({ partition, offset, timestamp, key, headers, value }: StoredRecord): Promise<void> {
    const row = this.#block
    row.long(partition)
    row.long(Number(offset))
    row.long(timestamp)
    row.long(key === null ? 0 : 1)
    if (key !== null) row.text(key)
    const names = Object.keys(headers)
    if (names.length > 0) row.long(names.length)
    for (const name of names) {
      row.text(name)
      row.text(headers[name] ?? '')
    }
    row.long(0)
    const { branch, framingBytes } = this.#layout.typed(value)
    const bytes = value ?? NO_BYTES
    const datum = bytes.subarray(framingBytes)
    row.bytes(bytes.subarray(0, framingBytes))
    row.long(datum.byteLength)
    row.long(branch)
    if (branch === FOREIGN_VALUE) row.bytes(datum)
    else row.raw(datum)
    this.#rows++
    if (row.length >= BLOCK_BYTES) await this.#flush()
  }

  async finish(): Promise<void> {
    await this.#flush()
    await this.#file.sync()
    await this.#file.close()
    await rename(this.#path + UNFINISHED, this.#path)
  }

  async abandon(): Promise<void> {
    await this.#file.close()
    await rm(this.#path + UNFINISHED, { force: true })
  }

  async #flush(): Promise<void> {
    if (this.#rows === 0) return
    const rows = this.#block.take()
    const data = this.#codec === 'deflate' ? await pack(rows) : rows
    this.#frame.long(this.#rows)
    this.#frame.long(data.length)
    this.#rows = 0
    await this.#file.writev([Buffer.from(this.#frame.take()), data, this.#sync])
  }
}
