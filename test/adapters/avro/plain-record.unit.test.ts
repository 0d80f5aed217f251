import avro, { type Schema } from 'avsc'
import { describe, expect, it } from 'vitest'
import { parseSchema } from '../../../services/adapters/avro/schema.ts'

const inner = { type: 'record', name: 'Inner', fields: [{ name: 'note', type: ['null', 'string'], default: null }] }
const schema = {
  type: 'record',
  name: 'Outer',
  fields: [
    { name: 'id', type: 'string' },
    { name: 'count', type: 'int', default: 7 },
    { name: 'must', type: ['null', 'long'] },
    { name: 'inner', type: ['null', inner], default: null },
    { name: 'tags', type: ['null', { type: 'map', values: 'string' }], default: null },
    { name: 'list', type: ['null', { type: 'array', items: 'Inner' }], default: null },
    { name: 'bytes', type: ['null', 'bytes'], default: null },
    { name: 'either', type: ['string', 'null'], default: 'x' },
    { name: 'next', type: ['null', 'Outer'], default: null },
  ],
}
const theirs = avro.Type.forSchema(schema as Schema)
const { type: ours } = parseSchema(JSON.stringify(schema))

const least = { id: 'a', must: null }
const most = {
  id: 'b',
  count: -1,
  must: 2 ** 40,
  inner: { note: 'n' },
  tags: { k: 'v' },
  list: [{}, { note: null }, { note: 'm' }],
  bytes: Buffer.from('b'),
  either: null,
  next: least,
}

describe('a record', () => {
  it.each<[string, object]>([
    ['what must be there', least],
    ['all', most],
    ['undefined for what may be absent', { ...least, count: undefined, inner: undefined, either: undefined }],
    ['empty ones within', { ...least, inner: {}, tags: {}, list: [] }],
  ])('has the bytes that avsc gives it: %s', (_, value) => {
    expect(ours.toBuffer(value)).toEqual(theirs.toBuffer(value))
  })

  it('is read from what avsc wrote, without what is null', () => {
    const { either: _, ...held } = most
    expect(ours.fromBuffer(theirs.toBuffer(most))).toStrictEqual({
      ...held,
      list: [{}, {}, { note: 'm' }],
      next: { id: 'a', count: 7, either: 'x' },
    })
  })

  it.each<[string, object]>([
    ['a text that is none', { id: 5 }],
    ['a field that must be there', { must: undefined }],
    ['a number that is a text', { must: '5' }],
    ['a record that is a text', { inner: 'note' }],
    ['a record that is a list', { inner: [] }],
    ['a record that is bytes', { inner: Buffer.alloc(0) }],
    ['a map that is a list', { tags: [] }],
    ['a map that is bytes', { tags: Buffer.alloc(0) }],
    ['a list that is a record', { list: {} }],
    ['bytes that are a text', { bytes: 'b' }],
  ])('is refused as avsc refuses it: %s', (_, wrong) => {
    const value = { ...least, ...wrong }
    expect(() => theirs.toBuffer(value)).toThrow()
    expect(() => ours.toBuffer(value)).toThrow()
  })

  it('is refused when a field that may be null is of a third kind', () => {
    const bytes = ours.toBuffer(least)
    const [first, last] = [bytes.indexOf(0), bytes.indexOf(Buffer.from('\x02x')) - 1]
    expect(last - first).toBe(5)
    for (let at = first; at < last; at++) {
      for (const branch of [1, 4, 5]) {
        const changed = Buffer.from(bytes)
        changed[at] = branch
        expect(() => ours.fromBuffer(changed) as unknown).toThrow('no such branch of a union')
      }
    }
  })
})
