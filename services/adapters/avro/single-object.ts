// Avro single-object encoding: C3 01, the schema's CRC-64-AVRO fingerprint, the datum. Knows bytes, no schema.

import { MalformedRecordError } from '../../ports/wire.ts'

const MAGIC = 0xc301
const MAGIC_BYTES = 2
export const HEADER_BYTES = 10
/** What a record in Confluent's wire format begins with: a zero, then a registry's id of the schema. */
const CONFLUENT_MAGIC = 0
const CONFLUENT_HEADER_BYTES = 5
/** A message above this size is refused before it is decoded: ours have a few kilobytes. */
export const MAX_MESSAGE_BYTES = 65_536
/** But for dead letters, which hold foreign records as they were: as much as a log takes. */
export const MAX_LETTER_BYTES = 1_000_000

/** The bytes before a datum of that schema. */
export function headerOf(fingerprint: string): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt16BE(MAGIC, 0)
  header.write(fingerprint, MAGIC_BYTES, 'hex')
  return header
}

/** The last fingerprint that was read, and its bytes: that of the next message is mostly the same. */
const last = { text: '', bytes: Buffer.alloc(HEADER_BYTES - MAGIC_BYTES) }

/** The fingerprint in the header, or null when the bytes are no single-object encoding. */
export function singleObjectFingerprint(bytes: Uint8Array): string | null {
  if (bytes.byteLength < HEADER_BYTES || bytes[0] !== MAGIC >> 8 || bytes[1] !== (MAGIC & 0xff)) return null
  let same = last.text !== ''
  for (let at = MAGIC_BYTES; same && at < HEADER_BYTES; at++) same = bytes[at] === last.bytes[at - MAGIC_BYTES]
  if (!same) {
    last.bytes.set(bytes.subarray(MAGIC_BYTES, HEADER_BYTES))
    last.text = last.bytes.toString('hex')
  }
  return last.text
}

/** The registry's id of the schema, or null when the bytes are not in Confluent's wire format. */
export function confluentId(bytes: Uint8Array): number | null {
  if (bytes.byteLength < CONFLUENT_HEADER_BYTES || bytes[0] !== CONFLUENT_MAGIC) return null
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(1)
}

/** The same datum under a registry's id. @throws RangeError unless the bytes are in single-object encoding. */
export function toConfluent(bytes: Uint8Array, id: number): Buffer {
  if (singleObjectFingerprint(bytes) === null) throw new RangeError('not in Avro single-object encoding')
  const datum = bytes.subarray(HEADER_BYTES)
  const framed = Buffer.allocUnsafe(CONFLUENT_HEADER_BYTES + datum.byteLength)
  framed[0] = CONFLUENT_MAGIC
  framed.writeUInt32BE(id, 1)
  framed.set(datum, CONFLUENT_HEADER_BYTES)
  return framed
}

/** The same datum under its schema's fingerprint. */
export function toSingleObject(bytes: Uint8Array, fingerprint: string): Buffer {
  return Buffer.concat([headerOf(fingerprint), bytes.subarray(CONFLUENT_HEADER_BYTES)])
}

/**
 * The fingerprint in the header of a message.
 * @throws MalformedRecordError when the bytes are no single-object encoding.
 */
export function fingerprintOf(bytes: Uint8Array | null, maxBytes = MAX_MESSAGE_BYTES): string {
  if (!bytes) throw new MalformedRecordError('no value')
  if (bytes.byteLength > maxBytes) throw new MalformedRecordError(`more than ${maxBytes} bytes`)
  const fingerprint = singleObjectFingerprint(bytes)
  if (fingerprint !== null) return fingerprint
  const id = confluentId(bytes)
  if (id === null) throw new MalformedRecordError('not in Avro single-object encoding')
  throw new MalformedRecordError(
    `in Confluent wire format with schema id ${id}, which leads to no schema of ours: set SCHEMA_REGISTRY_URL here, or look at that id in the registry`,
  )
}
