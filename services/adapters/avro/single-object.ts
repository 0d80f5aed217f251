// Avro single-object encoding: C3 01, the schema's CRC-64-AVRO fingerprint, the datum. The only file that names avsc.

import { readFileSync } from 'node:fs'
import avro from 'avsc'
import { MalformedRecordError } from '../../ports/wire.ts'

const MAGIC = 0xc301
const HEADER_BYTES = 10
/** A message above this size is refused before it is decoded: ours have a few kilobytes. */
export const MAX_MESSAGE_BYTES = 65_536
/** But for dead letters, which hold foreign records as they were: as much as a log takes. */
export const MAX_LETTER_BYTES = 1_000_000
const SCRATCH_BYTES = 8_192

const SCHEMAS = new URL('../../../schemas/', import.meta.url)

/** One message type: a schema with its codec. */
export interface MessageType {
  readonly name: string
  /** Hex of the fingerprint as it stands in the header. */
  readonly fingerprint: string
  encode(value: object): Uint8Array
  /** @throws MalformedRecordError */
  decode(bytes: Uint8Array): object
}

/** Load `schemas/<name>.avsc`. */
export function messageType(name: string): MessageType {
  const type = avro.Type.forSchema(JSON.parse(readFileSync(new URL(`${name}.avsc`, SCHEMAS), 'utf8')))
  const fingerprint = crc64(Buffer.from(JSON.stringify(type.schema()), 'utf8'))
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt16BE(MAGIC, 0)
  header.writeBigUInt64LE(fingerprint, 2)
  const scratch = Buffer.alloc(SCRATCH_BYTES)
  header.copy(scratch)

  function encode(value: object): Uint8Array {
    const end = type.encode(value, scratch, HEADER_BYTES)
    if (end > 0) return Buffer.from(scratch.subarray(0, end))
    return Buffer.concat([header, type.toBuffer(value)])
  }

  function decode(bytes: Uint8Array): object {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let value: unknown
    try {
      value = type.fromBuffer(buffer.subarray(HEADER_BYTES))
    } catch {
      throw new MalformedRecordError(`not a datum of ${name}`)
    }
    return withoutNulls(value) as object
  }

  return { name, fingerprint: header.subarray(2).toString('hex'), encode, decode }
}

/**
 * The fingerprint in the header of a message.
 * @throws MalformedRecordError when the bytes are no single-object encoding.
 */
export function fingerprintOf(bytes: Uint8Array | null, maxBytes = MAX_MESSAGE_BYTES): string {
  if (!bytes) throw new MalformedRecordError('no value')
  if (bytes.byteLength > maxBytes) throw new MalformedRecordError(`more than ${maxBytes} bytes`)
  if (bytes.byteLength < HEADER_BYTES || bytes[0] !== MAGIC >> 8 || bytes[1] !== (MAGIC & 0xff)) {
    throw new MalformedRecordError('not in Avro single-object encoding')
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset + 2, 8).toString('hex')
}

/** Absent optional fields are absent, not null, outside Avro. */
function withoutNulls(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Buffer.isBuffer(value)) return value
  if (Array.isArray(value)) return value.map(withoutNulls)
  const plain: Record<string, unknown> = {}
  for (const name in value) {
    const field = (value as Record<string, unknown>)[name]
    if (field === null || typeof field === 'function') continue
    plain[name] = typeof field === 'object' ? withoutNulls(field) : field
  }
  return plain
}

/** CRC-64-AVRO (Rabin) of a schema's canonical form, as the Avro specification defines it. */
export function crc64(bytes: Uint8Array): bigint {
  const EMPTY = 0xc15d213aa4d7a795n
  const table = Array.from({ length: 256 }, (_, byte) => {
    let value = BigInt(byte)
    for (let bit = 0; bit < 8; bit++) value = (value >> 1n) ^ (value & 1n ? EMPTY : 0n)
    return value
  })
  return bytes.reduce((crc, byte) => (crc >> 8n) ^ (table[Number((crc ^ BigInt(byte)) & 0xffn)] ?? 0n), EMPTY)
}
