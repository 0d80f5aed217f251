import { describe, expect, it } from 'vitest'
import { ownDictionary } from '../../../services/adapters/avro/dictionary.ts'
import { crc64, parseSchema, SchemaError } from '../../../services/adapters/avro/schema.ts'
import { headerOf } from '../../../services/adapters/avro/single-object.ts'
import { createAvroWire } from '../../../services/adapters/avro/wire.ts'
import { MalformedRecordError } from '../../../services/ports/wire.ts'

const record = (...fields: object[]) => JSON.stringify({ type: 'record', name: 'x.R', fields })
const array = (items: unknown) => record({ name: 'list', type: { type: 'array', items } })
const empty = { type: 'record', name: 'Empty', fields: [] }

describe('a fingerprint', () => {
  it('is what the Avro specification says', () => {
    expect(crc64(Buffer.from('"int"')).toString(16)).toBe('7275d51a3f395c8f')
    expect(crc64(Buffer.from('"string"')).toString(16)).toBe('8f014872634503c7')
  })

  it('is the same whatever a schema says to people, and another for another field', () => {
    const plain = parseSchema(record({ name: 'a', type: 'string' }))
    const told = parseSchema(
      JSON.stringify({
        doc: 'Told.',
        namespace: 'x',
        name: 'R',
        type: 'record',
        fields: [{ doc: 'A.', type: 'string', name: 'a' }],
      }),
    )
    expect(told.fingerprint).toBe(plain.fingerprint)
    expect(parseSchema(record({ name: 'b', type: 'string' })).fingerprint).not.toBe(plain.fingerprint)
  })
})

describe('a schema', () => {
  it.each<[string, string, RegExp]>([
    ['no JSON', '{', /not an Avro schema/],
    ['an unknown type', record({ name: 'a', type: 'text' }), /not an Avro schema: undefined type name/],
    ['no record', '"string"', /not a record/],
    ['an array of nulls', array('null'), /x\.R\.list: items without bytes/],
    ['an array of empty records', array(empty), /x\.R\.list: items without bytes/],
    ['an array of records of nulls', array({ ...empty, fields: [{ name: 'n', type: 'null' }] }), /without bytes/],
    ['an array of fixed values of no size', array({ type: 'fixed', name: 'F', size: 0 }), /size|without bytes/],
    ['an array in an array of those', array({ type: 'array', items: 'null' }), /x\.R\.list\[\]: items/],
    [
      'such an array in a union',
      record({ name: 'u', type: ['null', { type: 'array', items: empty }] }),
      /x\.R\.u: items/,
    ],
    ['a map of nulls', record({ name: 'm', type: { type: 'map', values: 'null' } }), /x\.R\.m: items without bytes/],
    ['far too much text', `${array('string')}${' '.repeat(300_000)}`, /more than 262144 characters/],
  ])('is refused with its place: %s', (_, text, reason) => {
    expect(() => parseSchema(text)).toThrow(SchemaError)
    expect(() => parseSchema(text)).toThrow(reason)
  })

  it('may hold arrays and maps of whatever has a byte at least, and itself', () => {
    const tree = { type: 'array', items: ['null', 'x.R'] }
    expect(parseSchema(record({ name: 'id', type: 'int' }, { name: 'of', type: tree })).fullName).toBe('x.R')
  })
})

/** Avro's longs: seven bits a byte, the sign in the lowest. */
const long = (value: bigint) => {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  return Buffer.from([...bytes, Number(rest)])
}

describe('a map', () => {
  const { type } = parseSchema(record({ name: 'map', type: { type: 'map', values: 'string' } }))

  it('is refused at once when it says it has more items than there are bytes', () => {
    const started = performance.now()
    expect(() => void type.fromBuffer(long(30_000_000n))).toThrow('more items than bytes')
    expect(performance.now() - started).toBeLessThan(50)
  })

  it('takes any key for a key, but passes over the one that would set a prototype', () => {
    const map = JSON.parse('{"__proto__":"a","constructor":"b","":"c"}') as object
    const read = type.fromBuffer(type.toBuffer({ map })) as { map: object }
    expect(Object.entries(read.map)).toEqual([
      ['constructor', 'b'],
      ['', 'c'],
    ])
    expect(Object.getPrototypeOf(read.map)).toBe(Object.prototype)
  })

  it('that a reader has not is skipped, and refused in the same way', () => {
    const wider = parseSchema(
      record({ name: 'map', type: { type: 'map', values: 'long' } }, { name: 'id', type: 'int' }),
    )
    const narrow = parseSchema(record({ name: 'id', type: 'int' }))
    const resolver = narrow.type.createResolver(wider.type)
    expect({
      ...(narrow.type.fromBuffer(wider.type.toBuffer({ map: { a: 1, b: 2 }, id: 5 }), resolver) as object),
    }).toEqual({ id: 5 })
    expect(() => void narrow.type.fromBuffer(long(30_000_000n), resolver)).toThrow('more items than bytes')
  })
})

describe('a record', () => {
  const note = { name: 'note', type: ['null', 'string'], default: null }
  const narrow = parseSchema(record({ name: 'id', type: 'int' }, note))

  it('is read as a plain object, without what is null', () => {
    const read = [{ id: 1 }, { id: 2, note: null }, { id: 3, note: 'x' }].map(
      (value) => narrow.type.fromBuffer(narrow.type.toBuffer(value)) as object,
    )
    expect(read).toStrictEqual([{ id: 1 }, { id: 2 }, { id: 3, note: 'x' }])
    expect(Object.getPrototypeOf(read[0])).toBe(Object.prototype)
  })

  it('of another version has the defaults of what it lacks, and no more', () => {
    const older = parseSchema(record({ name: 'id', type: 'int' }))
    const newer = parseSchema(record({ name: 'id', type: 'int' }, note, { name: 'n', type: 'int', default: 7 }))
    const read = newer.type.fromBuffer(older.type.toBuffer({ id: 1 }), newer.type.createResolver(older.type))
    expect(read).toStrictEqual({ id: 1, n: 7 })
    const back = older.type.fromBuffer(newer.type.toBuffer({ id: 1 }), older.type.createResolver(newer.type))
    expect(back).toStrictEqual({ id: 1 })
  })
})

describe('an array', () => {
  const { type } = parseSchema(array('string'))
  it.each<[string, Buffer]>([
    ['thirty million items in four bytes', long(30_000_000n)],
    ['more than an array can have', long(2n ** 40n)],
    ['the same as a block with its size', Buffer.concat([long(-30_000_000n), long(1n)])],
    ['a second block of them', Buffer.concat([long(1n), Buffer.from([2, 65]), long(30_000_000n)])],
  ])('is refused at once when it says it has more items than there are bytes: %s', (_, bytes) => {
    const started = performance.now()
    expect(() => void type.fromBuffer(bytes)).toThrow('more items than bytes')
    expect(performance.now() - started).toBeLessThan(50)
  })

  it('may come in blocks, with or without their sizes', () => {
    const bytes = Buffer.concat([long(1n), Buffer.from([2, 65]), long(-2n), long(4n), Buffer.from([2, 66, 2, 67, 0])])
    expect({ ...(type.fromBuffer(bytes) as object) }).toEqual({ list: ['A', 'B', 'C'] })
  })

  it('that a reader skips is refused in the same way, and its size leads nowhere', () => {
    const wider = parseSchema(
      record({ name: 'list', type: { type: 'array', items: 'string' } }, { name: 'id', type: 'int' }),
    )
    const narrow = parseSchema(record({ name: 'id', type: 'int' }))
    const resolver = narrow.type.createResolver(wider.type)
    expect(() => void narrow.type.fromBuffer(long(30_000_000n), resolver)).toThrow('more items than bytes')
    // A block of one item whose size points back to its own beginning: for ever, if it were believed.
    const back = Buffer.concat([long(-1n), long(-2n), Buffer.from([2, 65, 0, 10])])
    expect({ ...(narrow.type.fromBuffer(back, resolver) as object) }).toEqual({ id: 5 })
  })

  it('of a request cannot be blown up by whoever can write to the topic', () => {
    const wire = createAvroWire()
    const header = headerOf(ownDictionary().messageType('decision-event').fingerprint)
    // Every place of an event is tried, so that each of its arrays is met by some.
    for (let before = 0; before < 60; before++) {
      const value = Buffer.concat([header, Buffer.alloc(before), long(30_000_000n)])
      const started = performance.now()
      expect(() => wire.decodeEvent(value)).toThrow(MalformedRecordError)
      expect(performance.now() - started).toBeLessThan(100)
    }
  })
})
