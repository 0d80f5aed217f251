import fc from 'fast-check'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { problemsOf } from '../../../services/adapters/avro/compatibility.ts'
import { Dictionary } from '../../../services/adapters/avro/dictionary.ts'
import { parseSchema, SchemaError } from '../../../services/adapters/avro/schema.ts'
import { freeze, isUnreleased, readSchemaFolder } from '../../../services/adapters/avro/schema-folder.ts'
import { headerOf } from '../../../services/adapters/avro/single-object.ts'
import { recordOf, schemaPlace, textOf, type Field, type SchemaPlace } from './folders.ts'

const id: Field = { name: 'id', type: 'string' }
const note: Field = { name: 'note', type: ['null', 'string'], default: null }
const amount: Field = { name: 'amount', type: ['null', 'long'], default: null }

let place: SchemaPlace
beforeEach(() => {
  place = schemaPlace()
})
afterEach(() => place.remove())

describe('the schemas of this project', () => {
  it('may follow every released version: old readers read new records, new readers old ones (else: npm run schemas -- check)', () => {
    expect(problemsOf(readSchemaFolder())).toEqual([])
  })
})

describe('a release', () => {
  it('keeps the present schemas, each once, and knows them by their fingerprints', () => {
    place.put('message', textOf([id]))
    place.put('other', textOf([id], 'test.Other'))
    expect(freeze(place.url, readSchemaFolder(place.url)).map(({ version }) => version)).toEqual([1, 1])
    expect(freeze(place.url, readSchemaFolder(place.url))).toEqual([])
    place.put('message', textOf([id, note]))
    const changed = readSchemaFolder(place.url).filter(isUnreleased)
    expect(changed.map(({ name }) => name)).toEqual(['message'])
    expect(freeze(place.url, changed)).toMatchObject([{ version: 2, fullName: 'test.Message' }])
    const [message, other] = readSchemaFolder(place.url)
    expect(message?.released.map(({ text }) => text)).toEqual([textOf([id]), textOf([id, note])])
    expect(other?.released).toHaveLength(1)
  })

  it('does not count what a schema only tells people', () => {
    place.put('message', textOf([id]))
    place.release()
    place.put('message', textOf([{ ...id, doc: 'Who.' }]))
    expect(readSchemaFolder(place.url).filter(isUnreleased)).toEqual([])
  })

  it('that was changed afterwards is noticed, by its file', () => {
    place.put('message', textOf([id]))
    place.release()
    writeFileSync(new URL('released/message/1.avsc', place.url), textOf([id, note]))
    expect(() => readSchemaFolder(place.url)).toThrow(/schemas\/released\/message\/1\.avsc was changed: .*Put it back/)
  })

  it('that lost a file, its message, or its index is noticed', () => {
    place.put('message', textOf([id]))
    place.release()
    const index = new URL('released/index.json', place.url)
    const text = readFileSync(index, 'utf8')
    writeFileSync(index, text.replace('"version": 1', '"version": 2'))
    expect(() => readSchemaFolder(place.url)).toThrow('version 1 of message is not there')
    writeFileSync(index, text.replace('message', 'renamed'))
    expect(() => readSchemaFolder(place.url)).toThrow('schemas/renamed.avsc is gone, but was released')
    writeFileSync(index, '{')
    expect(() => readSchemaFolder(place.url)).toThrow('is no index of released schemas')
  })
})

describe('a change of a schema', () => {
  const inner = (fields: readonly Field[]): Field => ({
    name: 'inner',
    type: ['null', { type: 'array', items: recordOf('Inner', fields) }],
    default: null,
  })

  it.each<[string, readonly Field[], readonly Field[]]>([
    ['nothing', [id], [id]],
    ['a field with a default more', [id], [id, note]],
    ['a field with a default less', [id, note], [id]],
    ['another order', [id, note], [note, id]],
    ['a field more deep within', [inner([id])], [inner([id, note])]],
    ['a branch of a union that nobody reads yet, in a field that is gone', [id, amount], [id, note]],
  ])('may be %s', (_, before, after) => {
    place.put('message', textOf(before))
    place.release()
    place.put('message', textOf(after))
    expect(problemsOf(readSchemaFolder(place.url))).toEqual([])
  })

  it.each<[string, readonly Field[], readonly Field[], readonly RegExp[]]>([
    [
      'a field more without a default',
      [id],
      [id, { name: 'n', type: 'int' }],
      [
        /^schemas\/message\.avsc against version 1: new readers cannot read old records: test\.Message\.n is new and has no default\. Give it a type of \["null", …\] and "default": null\.$/,
      ],
    ],
    [
      'a field less that had no default',
      [id, { name: 'n', type: 'int' }],
      [id],
      [
        /old readers cannot read new records: test\.Message\.n is gone, and its older readers have no default for it\. Put it back\.$/,
      ],
    ],
    [
      'another name of a field',
      [{ name: 'a', type: 'int' }],
      [{ name: 'b', type: 'int' }],
      [/new readers .*test\.Message\.b is new/, /old readers .*test\.Message\.a is gone/],
    ],
    [
      'a wider number, which old readers do not take',
      [{ name: 'n', type: 'int' }],
      [{ name: 'n', type: 'long' }],
      [/old readers cannot read new records: test\.Message\.n was int and is long\. Put the old type back/],
    ],
    [
      'a narrower number',
      [{ name: 'n', type: 'long' }],
      [{ name: 'n', type: 'int' }],
      [/new readers cannot read old records: test\.Message\.n was long and is int/],
    ],
    [
      'one branch of a union more',
      [{ name: 'n', type: ['null', 'string'] }],
      [{ name: 'n', type: ['null', 'string', 'long'] }],
      [/old readers .*test\.Message\.n was null or string and is long/],
    ],
    [
      'another name of a record',
      [{ name: 'r', type: recordOf('A', [id]) }],
      [{ name: 'r', type: recordOf('B', [id]) }],
      [
        /new readers .*test\.Message\.r was test\.A and is test\.B/,
        /old readers .*test\.Message\.r was test\.A and is test\.B/,
      ],
    ],
    [
      'something deep within, told by its place',
      [inner([id])],
      [inner([id, { name: 'deep', type: 'string' }])],
      [/test\.Message\.inner\[\]\.deep is new and has no default/],
    ],
  ])('is refused with its place and what to do: %s', (_, before, after, reasons) => {
    place.put('message', textOf(before))
    place.release()
    place.put('message', textOf(after))
    const problems = problemsOf(readSchemaFolder(place.url))
    expect(problems).toHaveLength(reasons.length)
    reasons.forEach((reason, index) => expect(problems[index]).toMatch(reason))
    expect(() => new Dictionary(readSchemaFolder(place.url))).toThrow(SchemaError)
  })

  it('is held against all released versions, not only the last', () => {
    place.put('message', textOf([id]))
    place.release()
    place.put('message', textOf([id, amount]))
    place.release()
    place.put(
      'message',
      textOf([
        { ...id, default: '' },
        { name: 'amount', type: 'long' },
      ]),
    )
    const problems = problemsOf(readSchemaFolder(place.url))
    expect(problems.some((problem) => problem.includes('against version 1'))).toBe(true)
    expect(problems.some((problem) => problem.includes('against version 2'))).toBe(true)
  })

  it('must not give two messages one name', () => {
    place.put('message', textOf([id]))
    place.put('message-too', textOf([id, note]))
    expect(problemsOf(readSchemaFolder(place.url))).toEqual([expect.stringMatching(/are both test\.Message\. Rename/)])
  })
})

/** Values as a schema has them, without null fields. */
type Value = Readonly<Record<string, unknown>>
interface Kind {
  readonly type: unknown
  readonly value: fc.Arbitrary<unknown>
}

/** As far as avsc keeps a long exact: far beyond any amount, time or offset of ours. */
const LONGEST = 2 ** 51
const longs = fc.integer({ min: -LONGEST, max: LONGEST })
const kinds: fc.Arbitrary<Kind> = fc.oneof(
  fc.constant({ type: 'string', value: fc.string({ unit: 'grapheme' }) }),
  fc.constant({ type: 'long', value: longs }),
  fc.constant({ type: 'int', value: fc.integer() }),
  fc.constant({ type: 'boolean', value: fc.boolean() }),
  fc.constant({ type: { type: 'array', items: 'string' }, value: fc.array(fc.string(), { maxLength: 5 }) }),
  fc.constant({ type: { type: 'array', items: 'long' }, value: fc.array(longs, { maxLength: 5 }) }),
)
interface Choice {
  readonly kind: Kind
  readonly optional: boolean
  /** The versions that have it. Fields that every reader needs are in all of them. */
  readonly versions: readonly boolean[]
}
const VERSIONS = 4
const choices: fc.Arbitrary<Choice> = fc
  .record({
    kind: kinds,
    optional: fc.boolean(),
    versions: fc.array(fc.boolean(), { minLength: VERSIONS, maxLength: VERSIONS }),
  })
  .map((choice) => (choice.optional ? choice : { ...choice, versions: choice.versions.map(() => true) }))
const histories = fc.array(choices, { minLength: 1, maxLength: 8 }).chain((fields) =>
  fc.record({
    fields: fc.constant(fields),
    /** One value for each field; absent ones where they may be. */
    value: fc.record(
      Object.fromEntries(
        fields.map(({ kind, optional }, n) => [
          `f${n}`,
          optional ? fc.option(kind.value, { nil: undefined }) : kind.value,
        ]),
      ),
    ),
  }),
)
const fieldsOf = (fields: readonly Choice[], version: number): Field[] =>
  fields.flatMap(({ kind, optional, versions }, n) =>
    !versions[version]
      ? []
      : [optional ? { name: `f${n}`, type: ['null', kind.type], default: null } : { name: `f${n}`, type: kind.type }],
  )
const present = (value: Value) => Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined))

describe('a record of any released version', () => {
  it('is read as the present one: what both have comes back, the rest is absent', () => {
    fc.assert(
      fc.property(histories, ({ fields, value }) => {
        const schemas = Array.from({ length: VERSIONS }, (_, version) => parseSchema(textOf(fieldsOf(fields, version))))
        const released = schemas
          .filter((schema, n) => schemas.findIndex(({ fingerprint }) => fingerprint === schema.fingerprint) === n)
          .map((schema, n) => ({ ...schema, version: n + 1 }))
        for (const now of schemas) {
          const dictionary = new Dictionary([{ name: 'message', present: now, released }])
          for (const [version, then] of schemas.entries()) {
            const written = Buffer.concat([headerOf(then.fingerprint), then.type.toBuffer(value)])
            const read = dictionary.reader(then.fingerprint)?.read(written)
            const both = Object.entries(present(value as Value)).filter(
              ([name]) =>
                fieldsOf(fields, version).some((field) => field.name === name) && now.text.includes(`"${name}"`),
            )
            expect(read).toEqual(Object.fromEntries(both))
          }
        }
      }),
      { numRuns: 150 },
    )
  })

  it('is never read by a change that the check refuses, and always by one that it lets pass', () => {
    const types = [
      'string',
      'int',
      'long',
      'double',
      'bytes',
      ['null', 'string'],
      ['null', 'long'],
      ['null', 'string', 'long'],
    ] as const
    const field = fc.record({
      type: fc.constantFrom(...types),
      name: fc.constantFrom('a', 'b', 'c'),
      fallback: fc.boolean(),
    })
    const schema = fc.uniqueArray(field, { minLength: 1, maxLength: 3, selector: ({ name }) => name }).map((fields) =>
      parseSchema(
        textOf(
          fields.map(({ name, type, fallback }) => ({
            name,
            type,
            ...(fallback && Array.isArray(type) ? { default: null } : {}),
          })),
        ),
      ),
    )
    fc.assert(
      fc.property(schema, schema, (then, now) => {
        const problems = problemsOf([{ name: 'message', present: now, released: [{ ...then, version: 1 }] }])
        const both = [
          [now, then],
          [then, now],
        ] as const
        const readable = both.every(([reader, writer]) => {
          try {
            return Boolean(reader.type.createResolver(writer.type))
          } catch {
            return false
          }
        })
        expect(problems.length === 0).toBe(readable)
        for (const problem of problems)
          expect(problem).toMatch(/against version 1: (new|old) readers .*test\.Message.*\.$/)
      }),
      { numRuns: 500 },
    )
  })
})

describe('a schema that another release wrote', () => {
  const dictionary = () => {
    place.put('message', textOf([id, note]))
    return new Dictionary(readSchemaFolder(place.url))
  }
  const newer = parseSchema(textOf([id, note, amount]))

  it('can be learned, and its records are read as ours', () => {
    const known = dictionary()
    expect(known.reader(newer.fingerprint)).toBeUndefined()
    expect(known.learn(newer.text).message).toBe('message')
    const written = Buffer.concat([headerOf(newer.fingerprint), newer.type.toBuffer({ id: 'a', amount: 5 })])
    expect(known.reader(newer.fingerprint)?.read(written)).toEqual({ id: 'a' })
  })

  it.each<[string, string, RegExp]>([
    ['is no message of ours', textOf([id], 'foreign.Message'), /foreign\.Message is no message of ours/],
    ['cannot be read as one', textOf([{ name: 'id', type: 'long' }]), /cannot read/],
    ['could be blown up', textOf([id, { name: 'x', type: { type: 'array', items: 'null' } }]), /without bytes/],
  ])('is refused when it %s', (_, text, reason) => {
    expect(() => dictionary().learn(text)).toThrow(reason)
  })

  it('is learned within a bound', () => {
    const known = dictionary()
    const more = (n: number) => textOf([id, { name: `n${n}`, type: ['null', 'long'], default: null }])
    for (let n = 0; n < 200; n++) known.learn(more(n))
    expect(() => known.learn(more(200))).toThrow('more than 200')
    expect(known.learn(more(7)).message).toBe('message')
  })
})
