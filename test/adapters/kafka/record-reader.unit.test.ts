import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readRecord } from '../../../services/adapters/kafka/record-reader.ts'

// kafkajs' own code, which nothing has replaced here.
const require = createRequire(import.meta.url)
const writeRecord = require('kafkajs/src/protocol/recordBatch/record/v0/index.js') as (record: RecordToWrite) => {
  readonly buffer: Buffer
}
const theirReader = require('kafkajs/src/protocol/recordBatch/record/v0/decoder.js') as typeof readRecord
const Decoder = require('kafkajs/src/protocol/decoder.js') as new (buffer: Buffer) => {
  buffer: Buffer
  offset: number
  readVarIntBytes(): Buffer
}

interface RecordToWrite {
  readonly offsetDelta?: number
  readonly timestampDelta?: number
  readonly key?: string | Buffer | null
  readonly value?: Buffer | null
  readonly headers?: Readonly<Record<string, string | Buffer | readonly (string | Buffer)[]>>
}

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
const text = fc.oneof(fc.string({ maxLength: 40 }), fc.string({ unit: 'grapheme', maxLength: 20 }))
// kafkajs takes what every object has for a header that came before.
const name = text.filter((key) => !(key in {}))
const record: fc.Arbitrary<RecordToWrite> = fc.record({
  offsetDelta: fc.nat(1_000_000),
  timestampDelta: fc.nat(2 ** 30),
  key: fc.oneof(text, bytes, fc.constant(null)),
  value: fc.oneof(bytes, fc.constant(null)),
  headers: fc.dictionary(name, fc.oneof(text, bytes, fc.array(text, { minLength: 1, maxLength: 3 })), {
    noNullPrototype: true,
  }),
})
const context = {
  firstOffset: '9007199254740000',
  firstTimestamp: '1700000000000',
  maxTimestamp: '1700000000005',
  magicByte: 2,
  timestampType: 0,
}

function textsIn(value: unknown): unknown {
  return Array.isArray(value) ? value.map(String) : String(value)
}

describe('a record', () => {
  it('is read with the same fields as by kafkajs, headers as texts', () => {
    fc.assert(
      fc.property(record, fc.constantFrom(0, 1), (given, timestampType) => {
        const body = () => new Decoder(new Decoder(writeRecord(given).buffer).readVarIntBytes())
        const theirs = theirReader(body(), { ...context, timestampType })
        const headers = Object.entries(theirs.headers).map(([header, value]) => [header, textsIn(value)])
        expect(readRecord(body(), { ...context, timestampType })).toEqual({
          ...theirs,
          headers: Object.fromEntries(headers),
        })
      }),
      { numRuns: 500 },
    )
  })

  it('may have a header with the name of what every object has', () => {
    const inherited = Object.getOwnPropertyNames(Object.prototype).filter((member) => member !== '__proto__')
    expect(inherited).toContain('valueOf')
    for (const member of inherited) {
      for (const value of ['a', ['a', 'b']]) {
        const body = new Decoder(writeRecord({ headers: { [member]: value } }).buffer).readVarIntBytes()
        expect(readRecord(new Decoder(body), context).headers).toEqual({ [member]: value })
      }
    }
  })

  it('that ends too soon is refused', () => {
    const whole = new Decoder(
      writeRecord({ key: 'k', value: Buffer.alloc(50), headers: { a: 'b' } }).buffer,
    ).readVarIntBytes()
    for (let length = 0; length < whole.length; length++) {
      expect(() => readRecord(new Decoder(whole.subarray(0, length)), context)).toThrow(RangeError)
    }
  })
})
