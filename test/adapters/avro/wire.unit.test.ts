import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Dictionary } from '../../../services/adapters/avro/dictionary.ts'
import { parseSchema } from '../../../services/adapters/avro/schema.ts'
import { readSchemaFolder } from '../../../services/adapters/avro/schema-folder.ts'
import { MAX_MESSAGE_BYTES, toConfluent } from '../../../services/adapters/avro/single-object.ts'
import { createAvroWire } from '../../../services/adapters/avro/wire.ts'
import { DEFAULT_RULES } from '../../../services/core/subject/rules.ts'
import type { AuthorizationEvent, DecisionEvent } from '../../../services/core/subject/event.ts'
import type { Command } from '../../../services/core/transaction/command.ts'
import { createKeyRing } from '../../../services/adapters/keys/key-ring.ts'
import { MalformedRecordError } from '../../../services/ports/wire.ts'
import { commandsWith } from '../../protocol/commands.ts'
import { World, seeded } from '../../protocol/world.ts'
import { commands as plain } from '../../protocol/commands.ts'

const key = Buffer.alloc(32, 7).toString('base64')
const keys = createKeyRing({ identity: { id: 'i1', key }, token: [{ id: 't1', key }], seal: [{ id: 's1', key }] })
const commands = commandsWith(keys)
const wire = createAvroWire()
const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

const each: Command[] = [
  commands.generation('g', {
    document: 'CC:1',
    card: '6039591000000018',
    amount: 5,
    accountType: '10',
    metadata: 'm',
    restrict: true,
    deadline: 9,
  }),
  commands.generation('g', {}),
  commands.spending('p', { card: '6039591000000018', token: '123456', metadata: 'm', deadline: 5 }),
  commands.spending('w', { card: '6039591000000018', token: '123456', withdrawal: true }),
  commands.undoing('REVERSAL', 'r', { amount: 7 }),
  commands.undoing('VOID', 'v', { original: 'o', code: 'TOKEN_GENERATION' }),
  commands.registration('c', { card: '6039591000000018', document: 'CC:1', restrictions: ['no-withdrawals'] }),
  commands.stateChange('s', { card: '6039591000000018', state: 'lost' }),
  commands.opening('o', { document: 'CC:1', amount: 0 }),
  commands.credit('k', { document: 'CC:1', amount: 100_000_000_000_000 }),
]

/** Without the fields that are undefined: absent is absent. */
const plainly = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe('a request', () => {
  it.each(each.map((command) => [command.kind, command] as const))('of %s comes back as it went', (_, body) => {
    const encoded = wire.encodeRequest({ body, replyPartition: 3, traceparent: TRACE })
    expect(plainly(wire.decodeRequest(encoded))).toEqual(plainly({ body, replyPartition: 3, traceparent: TRACE }))
  })

  it('may be an inquiry', () => {
    const body = {
      kind: 'INQUIRY',
      inquiryId: 'i',
      of: { acquirerId: 'A1', transactionCode: 'VOID', consecutive: 'c' },
    } as const
    expect(wire.decodeRequest(wire.encodeRequest({ body, replyPartition: 0 })).body).toEqual(body)
  })

  it('carries CloudEvents headers', () => {
    const { headers } = wire.encodeRequest({ body: each[0] as Command, replyPartition: 3, traceparent: TRACE })
    expect(headers).toMatchObject({
      ce_specversion: '1.0',
      ce_type: 'financial.request',
      ce_source: '/payment-token-service',
      traceparent: TRACE,
    })
    expect(headers['ce_id']).toMatch(/^A1:TOKEN_GENERATION:g#i1\./)
  })

  it.each<[string, object]>([
    ['kind', { kind: 'SOMETHING' }],
    ['scope.consecutive', { scope: { acquirerId: 'A1', transactionCode: 'TOKEN_PURCHASE', consecutive: 'a:b' } }],
    ['scope.transactionCode', { scope: { acquirerId: 'A1', transactionCode: 'VOID', consecutive: 'a' } }],
    ['fingerprint', { fingerprint: 'x' }],
    ['card', { card: undefined }],
    ['amountMinor', { amountMinor: -1 }],
    ['accountType', { accountType: '11' }],
  ])('that makes no sense is refused by the name of its bad field: %s', (field, change) => {
    const body = { ...(each[2] as Command), ...change } as Command
    expect(() => wire.decodeRequest(wire.encodeRequest({ body, replyPartition: 0 }))).toThrow(
      new RegExp(`malformed request: .*${field.split('.')[0]}`),
    )
  })
})

describe('a request of one kind', () => {
  it('has no field of another, though its bytes have', () => {
    const body = { ...(each[2] as Command), ...{ state: 'lost', ttlSeconds: 5 } } as Command
    const read = wire.decodeRequest(wire.encodeRequest({ body, replyPartition: 0 }))
    expect(read.body).not.toHaveProperty('state')
    expect(plainly(read.body)).toEqual(plainly(each[2]))
  })
})

describe('bytes that are no message of ours', () => {
  const good = wire.encodeRequest({ body: each[2] as Command, replyPartition: 3 }).value

  it.each<[string, Uint8Array | null]>([
    ['nothing', null],
    ['no bytes', Buffer.alloc(0)],
    ['text', Buffer.from('{"transactionCode":"TOKEN_PURCHASE"}')],
    ['the header alone', good.subarray(0, 10)],
    ['a truncated datum', good.subarray(0, good.length - 5)],
    ['trailing bytes', Buffer.concat([good, Buffer.from('x')])],
    ['another schema', Buffer.concat([good.subarray(0, 5), Buffer.alloc(30)])],
    ['too many bytes', Buffer.concat([good.subarray(0, 10), Buffer.alloc(MAX_MESSAGE_BYTES)])],
  ])('are refused with a reason that quotes none of them: %s', (_, value) => {
    expect(() => wire.decodeRequest({ value, headers: {} })).toThrow(MalformedRecordError)
  })

  it('never do more than be refused, however they were changed', () => {
    const random = seeded(3)
    for (let n = 0; n < 3_000; n++) {
      const bytes = Buffer.from(good)
      for (let k = 0; k < 1 + random() * 4; k++)
        bytes[10 + Math.floor(random() * (bytes.length - 10))] = Math.floor(random() * 256)
      try {
        wire.decodeRequest({ value: bytes, headers: {} })
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedRecordError)
      }
    }
  })
})

describe('an event', () => {
  it('comes back as it went, for every kind of decision', async () => {
    const world = new World(1)
    const bodies = [
      plain.registration('r', { card: '6039591000000018', document: 'CC:1' }),
      plain.opening('o', { document: 'CC:1', amount: 500 }),
      plain.generation('g', {}),
      plain.spending('p', { card: '6039591000000018', token: '000000000000' }),
      plain.undoing('REVERSAL', 'p'),
      plain.undoing('REVERSAL', 'q'),
      plain.spending('q', { card: '6039591000000018', token: '1' }),
      plain.spending('q', { card: '6039591000000018', token: '2' }),
    ]
    for (const body of bodies) await world.run(body)
    expect(new Set(world.events.map(({ type }) => type))).toEqual(
      new Set(['transaction-decided', 'token-judged', 'transaction-refused']),
    )
    for (const event of world.events)
      expect(plainly(wire.decodeEvent(wire.encodeEvent(event).value))).toEqual(plainly(event))
  })

  it('of the rules comes back as it went', () => {
    const event: AuthorizationEvent = { type: 'rules-published', id: 'r', ruleVersion: 1, rules: DEFAULT_RULES, now: 5 }
    expect(wire.decodeEvent(wire.encodeEvent(event).value)).toEqual(event)
  })

  it('carries its own time, whichever was written before', () => {
    const timeOf = (now: number) =>
      wire.eventHeaders({ type: 'rules-published', id: 'r', ruleVersion: 1, rules: DEFAULT_RULES, now })['ce_time']
    expect([0, 1_700_000_000_000, 1_700_000_000_000, 1_700_000_000_001, 0].map(timeOf)).toEqual([
      '1970-01-01T00:00:00.000Z',
      '2023-11-14T22:13:20.000Z',
      '2023-11-14T22:13:20.000Z',
      '2023-11-14T22:13:20.001Z',
      '1970-01-01T00:00:00.000Z',
    ])
  })

  it('has no sealed token', async () => {
    const world = new World(1)
    await world.run(plain.spending('p', { card: '6039591000000018', token: '123456' }))
    expect((world.events[0] as DecisionEvent).command).not.toHaveProperty('sealedToken')
  })
})

describe('schemas', () => {
  it('describe a command alike wherever it stands', () => {
    const named = (name: string) => {
      const found: unknown[] = []
      JSON.parse(
        readFileSync(new URL(`../../../schemas/${name}.avsc`, import.meta.url), 'utf8'),
        (_, value: unknown) => {
          if (value && typeof value === 'object' && 'name' in value && value.name === 'Command' && 'fields' in value)
            found.push(value)
          return value
        },
      )
      return found[0]
    }
    expect(named('decision-event')).toEqual(named('financial-request'))
    expect(named('refusal-event')).toEqual(named('financial-request'))
  })
})

/** The own schemas, one message with a field more than it has; the own ones are released. */
function laterRelease(message: string): Dictionary {
  return new Dictionary(
    readSchemaFolder().map(({ name, present }) => {
      const schema = JSON.parse(present.text) as { fields: object[] }
      const more = { ...schema, fields: [...schema.fields, { name: 'later', type: ['null', 'string'], default: null }] }
      const later = name === message ? parseSchema(JSON.stringify(more)) : present
      return { name, present: later, released: [{ ...present, version: 1 }] }
    }),
  )
}

describe('a message of another release', () => {
  const request = { body: each[2] as Command, replyPartition: 3 }
  const rules = { type: 'rules-published', id: 'r', ruleVersion: 1, rules: DEFAULT_RULES, now: 5 } as const

  it('older than the present one is read by its fingerprint', () => {
    const later = createAvroWire(laterRelease('financial-request'))
    expect(plainly(later.decodeRequest(wire.encodeRequest(request)))).toEqual(plainly(request))
    const events = createAvroWire(laterRelease('rules-event'))
    expect(events.decodeEvent(wire.encodeEvent(rules).value)).toEqual(rules)
    expect(events.encodeEvent(rules).value).not.toEqual(wire.encodeEvent(rules).value)
  })

  it('newer than any known one is refused by the name of its fingerprint, with what to do', () => {
    const later = laterRelease('rules-event')
    const { value } = createAvroWire(later).encodeEvent(rules)
    const { fingerprint } = later.messageType('rules-event')
    expect(() => wire.decodeEvent(value)).toThrow(
      new RegExp(`no schema with the fingerprint ${fingerprint} is known here: .*run that release here`),
    )
  })

  it('is never taken for a message of another kind', () => {
    const { value } = wire.encodeEvent(rules)
    expect(() => wire.decodeRequest({ value, headers: {} })).toThrow(
      'a message of rules-event, not of financial-request',
    )
  })

  it('in the wire format of a registry is refused by its id, with what to do', () => {
    const value = toConfluent(wire.encodeEvent(rules).value, 77)
    expect(() => wire.decodeEvent(value)).toThrow(/schema id 77, .*set SCHEMA_REGISTRY_URL here/)
  })
})

describe('a dead letter', () => {
  it('keeps the place, the reason and the bytes', () => {
    const letter = { topic: 't', partition: 1, offset: 5n, reason: 'no value', key: 'k', value: Buffer.from('garbage') }
    expect(wire.decodeDeadLetter(wire.encodeDeadLetter(letter).value)).toEqual(letter)
  })

  it('can be read when what it holds is far larger than any message of ours', () => {
    const letter = {
      topic: 't',
      partition: 1,
      offset: 5n,
      reason: 'more than 65536 bytes',
      value: Buffer.alloc(900_000, 7),
    }
    expect(wire.decodeDeadLetter(wire.encodeDeadLetter(letter).value)).toEqual(letter)
  })
})
