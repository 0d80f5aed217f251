// Writes record batches, and what stands before them in a request, into one buffer. Knows no request.

const MAGIC = 2
const NO_PRODUCER = -1n
const ABSENT = -1
const SEVEN_BITS = 0x7f
const MORE = 0x80
/** Of the length of a record of 64 to 8,191 bytes, as nearly all are. */
const COMMON_LENGTH_BYTES = 2

/** A record as it comes from the sender: its time is that of the request. */
export interface RecordToWrite {
  readonly key?: string | Buffer | null
  readonly value?: Buffer | null
  readonly headers?: Readonly<Record<string, string | Buffer | readonly (string | Buffer)[]>>
}

/** A buffer of a fixed size, which nothing may exceed: there is no check. */
export class BatchWriter {
  readonly #buffer: Buffer
  #at = 0

  constructor(mostBytes: number) {
    this.#buffer = Buffer.allocUnsafe(mostBytes)
  }

  int8(value: number): void {
    this.#at = this.#buffer.writeInt8(value, this.#at)
  }

  int16(value: number): void {
    this.#at = this.#buffer.writeInt16BE(value, this.#at)
  }

  int32(value: number): void {
    this.#at = this.#buffer.writeInt32BE(value, this.#at)
  }

  int64(value: bigint): void {
    this.#at = this.#buffer.writeBigInt64BE(value, this.#at)
  }

  name(text: string): void {
    const length = this.#buffer.write(text, this.#at + 2)
    this.int16(length)
    this.#at += length
  }

  /**
   * Size; then RecordBatch => FirstOffset Length PartitionLeaderEpoch Magic CRC Attributes LastOffsetDelta
   * FirstTimestamp MaxTimestamp ProducerId ProducerEpoch FirstSequence [Record]
   */
  batch(records: readonly RecordToWrite[], timestamp: bigint): void {
    const start = this.#at
    this.int32(0)
    this.int64(0n)
    this.int32(0)
    const counted = this.#at
    this.int32(0)
    this.int8(MAGIC)
    this.int32(0)
    const checked = this.#at
    this.int16(0)
    this.int32(records.length - 1)
    this.int64(timestamp)
    this.int64(timestamp)
    this.int64(NO_PRODUCER)
    this.int16(0)
    this.int32(0)
    this.int32(records.length)
    for (let offset = 0; offset < records.length; offset++) this.#record(records[offset] ?? {}, offset)
    this.#buffer.writeInt32BE(this.#at - start - 4, start)
    this.#buffer.writeInt32BE(this.#at - counted, counted - 4)
    this.#buffer.writeUInt32BE(crc32c(this.#buffer, checked, this.#at) >>> 0, checked - 4)
  }

  written(): Buffer {
    return this.#buffer.subarray(0, this.#at)
  }

  /** Record => Length Attributes TimestampDelta OffsetDelta Key Value [HeaderKey HeaderValue], all varint-sized. */
  #record({ key, value, headers = {} }: RecordToWrite, offset: number): void {
    const start = this.#at
    this.#at += COMMON_LENGTH_BYTES
    this.int8(0)
    this.#varint(0)
    this.#varint(offset)
    this.#bytes(key)
    this.#bytes(value)
    const names = Object.keys(headers)
    let count = names.length
    for (const name of names) if (Array.isArray(headers[name])) count += headers[name].length - 1
    this.#varint(count)
    for (const name of names) {
      const given = headers[name] ?? ''
      const many = typeof given === 'string' || Buffer.isBuffer(given) ? [given] : given
      for (const one of many) {
        this.#bytes(name)
        this.#bytes(one)
      }
    }
    this.#putLength(start, COMMON_LENGTH_BYTES)
  }

  #bytes(data: string | Buffer | null | undefined): void {
    if (data === null || data === undefined) return this.#varint(ABSENT)
    if (typeof data !== 'string') {
      this.#varint(data.length)
      this.#at += data.copy(this.#buffer, this.#at)
      return
    }
    // Nearly all texts are ASCII: a byte for each character.
    const start = this.#at
    const reserved = sizeOf(data.length)
    this.#at += reserved
    this.#at += this.#buffer.write(data, this.#at)
    this.#putLength(start, reserved)
  }

  /** The length of what was written behind `start` and the bytes that were reserved for it; moves that if they differ. */
  #putLength(start: number, reserved: number): void {
    const length = this.#at - start - reserved
    const needed = sizeOf(length)
    if (needed !== reserved) this.#buffer.copyWithin(start + needed, start + reserved, this.#at)
    this.#at = start
    this.#varint(length)
    this.#at += length
  }

  #varint(value: number): void {
    let rest = zigzag(value)
    for (; rest > SEVEN_BITS; rest = Math.floor(rest / MORE)) this.#buffer[this.#at++] = (rest % MORE) | MORE
    this.#buffer[this.#at++] = rest
  }
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

/** Castagnoli's polynomial, bits reversed (RFC 3720, appendix B.4). */
const POLYNOMIAL = 0x82f63b78
/** Bytes taken at a time ("slicing by 8"): half of the time of one by one. */
const SLICE = 8
/** What a byte makes of the sum, for each place in a slice from its end: 256 numbers a place. */
const CRC_TABLE = new Int32Array(256 * SLICE)
for (let at = 0; at < CRC_TABLE.length; at++) {
  let crc = at < 256 ? at : tableAt(at - 256)
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0)
  CRC_TABLE[at] = crc
}

function tableAt(index: number): number {
  return CRC_TABLE[index] ?? 0
}

function crc32c(bytes: Uint8Array, from: number, to: number): number {
  let crc = -1
  let at = from
  for (; at + SLICE <= to; at += SLICE) {
    crc ^=
      byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8) | (byteAt(bytes, at + 2) << 16) | (byteAt(bytes, at + 3) << 24)
    crc =
      tableAt(0x700 + (crc & 0xff)) ^
      tableAt(0x600 + ((crc >>> 8) & 0xff)) ^
      tableAt(0x500 + ((crc >>> 16) & 0xff)) ^
      tableAt(0x400 + (crc >>> 24)) ^
      tableAt(0x300 + byteAt(bytes, at + 4)) ^
      tableAt(0x200 + byteAt(bytes, at + 5)) ^
      tableAt(0x100 + byteAt(bytes, at + 6)) ^
      tableAt(byteAt(bytes, at + 7))
  }
  for (; at < to; at++) crc = (crc >>> 8) ^ tableAt((crc ^ byteAt(bytes, at)) & 0xff)
  return ~crc
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0
}
