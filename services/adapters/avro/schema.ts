// One Avro schema: parsed, fingerprinted, and safe to decode with. Refuses what a few bytes could blow up.

import avro, { type Type } from 'avsc'
import { PlainRecord } from './plain-record.ts'
import { codecOf, type AvscTap } from './tap.ts'

/** A schema that cannot be used. The message names the place and what to do. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError'
}

export interface Schema {
  /** Namespace and name of the record: `payment.token.DecisionEvent`. */
  readonly fullName: string
  /** CRC-64-AVRO of the canonical form, in hex as it stands in the header of a message. */
  readonly fingerprint: string
  /** The canonical form itself: two schemas of one fingerprint must agree in it. */
  readonly canonical: string
  readonly text: string
  readonly type: Type
}

/** Characters; ours have some 20,000. Larger ones, of a registry, are not looked at. */
const MAX_SCHEMA_TEXT = 262_144
const FINGERPRINT_BYTES = 8

/** @throws SchemaError when the text is no Avro record, or one that must not be decoded. */
export function parseSchema(text: string): Schema {
  if (text.length > MAX_SCHEMA_TEXT) throw new SchemaError(`a schema of more than ${MAX_SCHEMA_TEXT} characters`)
  let type: Type
  try {
    type = avro.Type.forSchema(JSON.parse(text) as avro.Schema, { typeHook: bounded })
  } catch (error) {
    throw new SchemaError(`not an Avro schema: ${error instanceof Error ? error.message.slice(0, 300) : 'unknown'}`)
  }
  if (!avro.Type.isType(type, 'record') || type.name === undefined) throw new SchemaError('not a record')
  leastBytes(type, type.name, new Set())
  const canonical = JSON.stringify(type.schema())
  const fingerprint = Buffer.alloc(FINGERPRINT_BYTES)
  fingerprint.writeBigUInt64LE(crc64(Buffer.from(canonical, 'utf8')))
  return { fullName: type.name, fingerprint: fingerprint.toString('hex'), canonical, text, type }
}

/**
 * avsc believes the count that stands before the items of an array or a map, and a size that may point backwards: four
 * bytes could ask for gigabytes, or for ever. Each item has a byte at least (`leastBytes`), so the bytes that are left
 * bound it.
 */
class BoundedArray extends avro.types.ArrayType {
  _read(tap: AvscTap): unknown[] {
    const items: unknown[] = []
    const reader = codecOf(this.itemsType)
    eachItem(tap, () => void items.push(reader._read(tap)))
    return items
  }

  _skip(tap: AvscTap): void {
    const reader = codecOf(this.itemsType)
    eachItem(tap, () => reader._skip(tap))
  }
}

/** Anyone may choose the keys, so one of them is passed over: it would set the prototype. */
class BoundedMap extends avro.types.MapType {
  _read(tap: AvscTap): object {
    const values: Record<string, unknown> = {}
    const reader = codecOf(this.valuesType as Type)
    eachItem(tap, () => {
      const key = tap.readString()
      const value = reader._read(tap)
      if (key !== '__proto__') values[key] = value
    })
    return values
  }

  _skip(tap: AvscTap): void {
    const reader = codecOf(this.valuesType as Type)
    eachItem(tap, () => {
      tap.skipString()
      reader._skip(tap)
    })
  }
}

/** Blocks of items up to an empty one. A negative count is followed by a size, which nobody here needs. */
function eachItem(tap: AvscTap, read: () => void): void {
  for (let count = tap.readLong(); count !== 0; count = tap.readLong()) {
    if (count < 0) tap.readLong()
    const items = Math.abs(count)
    if (items > tap.buf.length - tap.pos) throw new RangeError('more items than bytes')
    for (let n = 0; n < items; n++) read()
  }
}

function bounded(schema: avro.Schema, options: unknown): Type | undefined {
  if (typeof schema !== 'object' || !('type' in schema)) return undefined
  if (schema.type === 'array') return new BoundedArray(schema as never, options)
  if (schema.type === 'record') return new PlainRecord(schema as never, options)
  return schema.type === 'map' ? new BoundedMap(schema as never, options) : undefined
}

/**
 * How few bytes a value can have. A record within itself counts as none, which is safe.
 * @throws SchemaError for arrays and maps of what may have none.
 */
function leastBytes(type: Type, place: string, within: ReadonlySet<Type>): number {
  if (within.has(type)) return 0
  const deeper = new Set([...within, type])
  if (type instanceof avro.types.RecordType) {
    return type.fields.reduce((sum, field) => sum + leastBytes(field.type, `${place}.${field.name}`, deeper), 0)
  }
  const items = itemsOf(type)
  if (items) {
    if (leastBytes(items, `${place}[]`, deeper) === 0) {
      throw new SchemaError(`${place}: items without bytes, which a few bytes could blow up. Give them a field`)
    }
    return 1
  }
  if (avro.Type.isType(type, 'union')) {
    for (const branch of (type as avro.types.UnwrappedUnionType).types) leastBytes(branch, place, deeper)
    return 1
  }
  if (type instanceof avro.types.FixedType) return type.size
  if (type instanceof avro.types.LogicalType) return leastBytes(type.underlyingType, place, deeper)
  return type.typeName === 'null' ? 0 : 1
}

function itemsOf(type: Type): Type | null {
  if (type instanceof avro.types.ArrayType) return type.itemsType
  return type instanceof avro.types.MapType ? (type.valuesType as Type) : null
}

const EMPTY = 0xc15d213aa4d7a795n
const TABLE = Array.from({ length: 256 }, (_, byte) => {
  let value = BigInt(byte)
  for (let bit = 0; bit < 8; bit++) value = (value >> 1n) ^ (value & 1n ? EMPTY : 0n)
  return value
})

/** CRC-64-AVRO (Rabin) of a schema's canonical form, as the Avro specification defines it. */
export function crc64(bytes: Uint8Array): bigint {
  return bytes.reduce((crc, byte) => (crc >> 8n) ^ (TABLE[Number((crc ^ BigInt(byte)) & 0xffn)] ?? 0n), EMPTY)
}
