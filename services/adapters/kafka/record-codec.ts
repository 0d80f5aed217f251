// Writes and reads single records in place of kafkajs 2.2.4, whose encoder makes a zeroed 512-byte buffer for the record
// and for each header, and whose decoder copies the headers for each header: about a tenth of the time. Same bytes, same
// fields.

/** What kafkajs passes to its record encoder. */
export interface RecordToWrite {
  readonly offsetDelta?: number
  readonly timestampDelta?: number
  readonly key?: string | Buffer | null
  readonly value?: Buffer | null
  readonly headers?: Readonly<Record<string, string | Buffer | readonly (string | Buffer)[]>>
}

/** What kafkajs' batch encoder takes for an encoder. */
export interface WrittenRecord {
  readonly buf: Buffer
  readonly offset: number
  readonly buffer: Buffer
}

/** kafkajs' decoder of one record's bytes. */
interface RecordBytes {
  readonly buffer: Buffer
  offset: number
}

interface BatchContext {
  readonly firstOffset: string
  readonly firstTimestamp: string
  readonly maxTimestamp?: string
  readonly magicByte?: number
  readonly isControlBatch?: boolean
  readonly timestampType?: number
}

const LOG_APPEND_TIME = 1
const MAX_VARINT_BYTES = 5
const SEVEN_BITS = 0x7f
const MORE = 0x80
const ABSENT = -1

/** Record => Length Attributes TimestampDelta OffsetDelta Key Value [HeaderKey HeaderValue], all varint-sized. */
export function writeRecord({
  offsetDelta = 0,
  timestampDelta = 0,
  key,
  value,
  headers = {},
}: RecordToWrite): WrittenRecord {
  const texts = headerTexts(headers)
  const lengths = texts.map(lengthOf)
  const [keyBytes, valueBytes] = [lengthOf(key), lengthOf(value)]
  let body =
    1 +
    sizeOf(timestampDelta) +
    sizeOf(offsetDelta) +
    sizeOf(keyBytes) +
    Math.max(keyBytes, 0) +
    sizeOf(valueBytes) +
    Math.max(valueBytes, 0) +
    sizeOf(texts.length / 2)
  for (const length of lengths) body += sizeOf(length) + length
  const writer = new Writer(body + MAX_VARINT_BYTES)
  writer.varint(body)
  writer.byte(0)
  writer.varint(timestampDelta)
  writer.varint(offsetDelta)
  writer.bytes(key, keyBytes)
  writer.bytes(value, valueBytes)
  writer.varint(texts.length / 2)
  for (let i = 0; i < texts.length; i++) writer.bytes(texts[i], lengths[i] ?? 0)
  const buf = writer.written()
  return { buf, offset: buf.length, buffer: buf }
}

/** Names and values in turn; a header with several values stands as often. */
function headerTexts(headers: NonNullable<RecordToWrite['headers']>): (string | Buffer)[] {
  const texts: (string | Buffer)[] = []
  for (const name of Object.keys(headers)) {
    const given = headers[name] ?? ''
    if (typeof given === 'string' || Buffer.isBuffer(given)) texts.push(name, given)
    else for (const one of given) texts.push(name, one)
  }
  return texts
}

/** The fields that kafkajs' own decoder gives. Throws when the bytes end too soon. */
export function readRecord(bytes: RecordBytes, context: BatchContext) {
  const { firstOffset, firstTimestamp, maxTimestamp, magicByte, isControlBatch = false, timestampType } = context
  const reader = new Reader(bytes.buffer, bytes.offset)
  const attributes = reader.byte()
  const timestampDelta = reader.varint()
  const offsetDelta = reader.varint()
  const key = reader.bytes()
  const value = reader.bytes()
  const headers: Record<string, Buffer | Buffer[] | null> = {}
  for (let left = reader.varint(); left > 0; left--) {
    const name = reader.bytes()?.toString() ?? ''
    const text = reader.bytes()
    const earlier = headers[name]
    headers[name] = earlier === undefined ? text : [earlier, text].flat().filter((one) => one !== null)
  }
  bytes.offset = reader.at
  const appended = timestampType === LOG_APPEND_TIME && maxTimestamp
  return {
    magicByte,
    attributes,
    key,
    value,
    headers,
    isControlRecord: isControlBatch,
    batchContext: context,
    timestamp: appended ? maxTimestamp : sum(firstTimestamp, timestampDelta),
    offset: sum(firstOffset, offsetDelta),
  }
}

/** 64-bit numbers as text: by doubles where they are exact. */
function sum(first: string, delta: number): string {
  const total = Number(first) + delta
  return Number.isSafeInteger(total) ? String(total) : String(BigInt(first) + BigInt(delta))
}

function lengthOf(data: string | Buffer | null | undefined): number {
  if (data === null || data === undefined) return ABSENT
  return typeof data === 'string' ? Buffer.byteLength(data) : data.length
}

function zigzag(value: number): number {
  return value < 0 ? -value * 2 - 1 : value * 2
}

function sizeOf(value: number): number {
  let rest = zigzag(value)
  let bytes = 1
  for (; rest > SEVEN_BITS; bytes++) rest = Math.floor(rest / MORE)
  return bytes
}

class Writer {
  readonly #buffer: Buffer
  #at = 0

  constructor(size: number) {
    this.#buffer = Buffer.allocUnsafe(size)
  }

  byte(value: number): void {
    this.#buffer[this.#at++] = value
  }

  varint(value: number): void {
    let rest = zigzag(value)
    for (; rest > SEVEN_BITS; rest = Math.floor(rest / MORE)) this.byte((rest % MORE) | MORE)
    this.byte(rest)
  }

  bytes(data: string | Buffer | null | undefined, length: number): void {
    this.varint(length)
    if (typeof data === 'string') this.#at += this.#buffer.write(data, this.#at)
    else if (data) this.#at += data.copy(this.#buffer, this.#at)
  }

  written(): Buffer {
    return this.#buffer.subarray(0, this.#at)
  }
}

class Reader {
  readonly #buffer: Buffer
  at: number

  constructor(buffer: Buffer, at: number) {
    this.#buffer = buffer
    this.at = at
  }

  byte(): number {
    return this.#buffer.readInt8(this.at++)
  }

  varint(): number {
    let value = 0
    for (let factor = 1; ; factor *= MORE) {
      const byte = this.#buffer.readUInt8(this.at++)
      value += (byte & SEVEN_BITS) * factor
      if (byte < MORE) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    }
  }

  bytes(): Buffer | null {
    const length = this.varint()
    if (length < 0) return null
    if (this.at + length > this.#buffer.length) throw new RangeError('a record ends too soon')
    this.at += length
    return this.#buffer.subarray(this.at - length, this.at)
  }
}
