// What a checkpoint covers of a record: offset, key, headers and value, to the byte. The record's timestamp is Kafka's
// own and not covered: the time of a decision stands in the event.

import { crc32 } from 'node:zlib'
import type { StoredRecord } from '../ports/log.ts'
import { HASH_BYTES, sha256 } from './merkle.ts'

export type Covered = Pick<StoredRecord, 'offset' | 'key' | 'headers' | 'value'>

export interface RecordHash {
  /** SHA-256 of the value, which the slot's next event names; null for a record without a value. */
  readonly value: Buffer | null
  /** The record as a leaf of the Merkle tree. */
  readonly leaf: Buffer
  /** 32 bits of the record without its offset: tells where records are not as they were. Proves nothing. */
  readonly mark: number
}

const LEAF_PREFIX = 0x00
const OFFSET_BYTES = 8
const LENGTH_BYTES = 4
const ABSENT = 0xffffffff
const HEADERS_AT = 1 + OFFSET_BYTES
/** For all but the largest records; those get bytes of their own. */
const SCRATCH = Buffer.allocUnsafe(8_192)

/**
 * Leaf = SHA-256(00, offset, key, number of headers, each header's name and value, SHA-256(value)). Offset: 8 bytes; lengths
 * and the number: 4 bytes, big endian, each before its UTF-8 text, ffffffff for an absent key; headers by name in
 * the order of UTF-16 units; an absent value counts as 32 zeros.
 */
export function hashRecord({ offset, key, headers, value }: Covered): RecordHash {
  const names = sortedNames(headers)
  let size = HEADERS_AT + 2 * LENGTH_BYTES + HASH_BYTES + (key?.length ?? 0) * 3
  for (const name of names) size += 2 * LENGTH_BYTES + name.length * 3 + (headers[name]?.length ?? 0) * 3
  const bytes = size <= SCRATCH.length ? SCRATCH : Buffer.allocUnsafe(size)
  bytes[0] = LEAF_PREFIX
  bytes.writeBigUInt64BE(offset, 1)
  let at = key === null ? bytes.writeUInt32BE(ABSENT, HEADERS_AT) : putText(bytes, key, HEADERS_AT)
  at = bytes.writeUInt32BE(names.length, at)
  for (const name of names) at = putText(bytes, headers[name] ?? '', putText(bytes, name, at))
  const valueHash = value === null ? null : sha256(value)
  const content = crc32(bytes.subarray(HEADERS_AT, at))
  if (valueHash) bytes.set(valueHash, at)
  else bytes.fill(0, at, at + HASH_BYTES)
  const mark = valueHash ? (content ^ valueHash.readInt32BE(0)) >>> 0 : content
  return { value: valueHash, leaf: sha256(bytes.subarray(0, at + HASH_BYTES)), mark }
}

let last: { readonly names: readonly string[]; readonly sorted: readonly string[] } = { names: [], sorted: [] }

/** Those of one record are mostly those of the one before. */
function sortedNames(headers: Covered['headers']): readonly string[] {
  const names = Object.keys(headers)
  const same = names.length === last.names.length && names.every((name, i) => name === last.names[i])
  if (!same) last = { names, sorted: names.toSorted() }
  return last.sorted
}

function putText(bytes: Buffer, text: string, at: number): number {
  const length = bytes.write(text, at + LENGTH_BYTES)
  bytes.writeUInt32BE(length, at)
  return at + LENGTH_BYTES + length
}
