import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Dictionary } from '../../../services/adapters/avro/dictionary.ts'
import { parseSchema } from '../../../services/adapters/avro/schema.ts'
import { readSchemaFolder } from '../../../services/adapters/avro/schema-folder.ts'
import { confluentId, singleObjectFingerprint } from '../../../services/adapters/avro/single-object.ts'
import { createAvroWire } from '../../../services/adapters/avro/wire.ts'
import { systemEntropy } from '../../../services/adapters/keys/entropy.ts'
import { createMemoryLog, type MemoryLog } from '../../../services/adapters/memory/log.ts'
import { createMemoryStore } from '../../../services/adapters/memory/store.ts'
import { createRegistryClient, RegistryError } from '../../../services/adapters/registry/client.ts'
import { reframingLog } from '../../../services/adapters/registry/reframing-log.ts'
import { SchemaIds } from '../../../services/adapters/registry/schema-ids.ts'
import { Barriers } from '../../../services/core/subject/epochs.ts'
import { DEFAULT_RULES } from '../../../services/core/subject/rules.ts'
import { replyIn } from '../../../services/ingress/replies/decode.ts'
import type { Reply } from '../../../services/core/transaction/reply.ts'
import { LogError, LogOverloadedError, type Log, type StoredRecord } from '../../../services/ports/log.ts'
import { withRegistry } from '../../../services/runtime/open-log.ts'
import { TOPIC, TOPICS } from '../../../services/runtime/topics.ts'
import { startWorker } from '../../../services/runtime/worker/worker.ts'
import { commands, keys, wire } from '../../runtime/worker/harness.ts'
import { registryServer, type RegistryServer } from './registry-server.ts'

let server: RegistryServer
let raw: MemoryLog
beforeEach(async () => {
  server = await registryServer()
  raw = createMemoryLog({ topics: TOPICS })
})
afterEach(async () => {
  await raw.close()
  await server.close()
})

const connection = (more: object = {}) => ({ url: server.url, timeoutMs: 1_000, register: true, write: true, ...more })
const rules = (id: string) => ({ type: 'rules-published', id, ruleVersion: 1, rules: DEFAULT_RULES, now: 5 }) as const
const recordOf = (id: string, encoder = wire) => ({
  topic: TOPIC.events,
  key: 'k',
  partition: 0,
  ...encoder.encodeEvent(rules(id)),
})

async function all(log: Log, topic: string, partition = 0): Promise<StoredRecord[]> {
  const records: StoredRecord[] = []
  for await (const record of log.read(topic, partition)) records.push(record)
  return records
}

/** Own schemas, with a field more in one of them: another release's. */
function laterRelease(): Dictionary {
  return new Dictionary(
    readSchemaFolder().map(({ name, present, released }) => {
      if (name !== 'rules-event') return { name, present, released }
      const schema = JSON.parse(present.text) as { fields: object[] }
      const fields = [...schema.fields, { name: 'later', type: ['null', 'string'], default: null }]
      return {
        name,
        present: parseSchema(JSON.stringify({ ...schema, fields })),
        released: [{ ...present, version: 1 }],
      }
    }),
  )
}

function logOf(
  dictionary: Dictionary,
  { write = true, register = true, now = undefined as (() => number) | undefined } = {},
) {
  const client = createRegistryClient(connection())
  const ids = new SchemaIds({ client, dictionary, register, ...(now ? { now } : {}) })
  return { ids, log: reframingLog(raw.client(), { ids, write }) }
}

describe('the start of a process with a registry', () => {
  it('registers what it writes, each record name as a subject, and nothing again', async () => {
    await withRegistry(raw, connection())
    const names = readSchemaFolder().map(({ present }) => present.fullName)
    expect(Object.keys(server.subjects()).toSorted()).toEqual(names.toSorted())
    const before = server.requests.length
    await withRegistry(raw, connection({ register: false }))
    expect(server.requests.slice(before).filter((request) => request.endsWith('/versions'))).toEqual([])
  })

  it('ends when the registry is not there', async () => {
    await server.close()
    await expect(withRegistry(raw, connection())).rejects.toThrow(/SCHEMA_REGISTRY_URL\) does not answer: ECONNREFUSED/)
    server = await registryServer()
  })

  it('ends when a schema is not there and must not be registered, and says what to run', async () => {
    await expect(withRegistry(raw, connection({ register: false }))).rejects.toThrow(
      /subject payment\.token\.\w+: it is not registered: run npm run schemas -- register/,
    )
    expect(server.subjects()).toEqual({})
  })

  it('ends when the registry refuses a schema as incompatible, and says which and why', async () => {
    const foreign = JSON.stringify({
      type: 'record',
      name: 'payment.token.RulesEvent',
      fields: [{ name: 'type', type: 'long' }],
    })
    await createRegistryClient(connection()).register('payment.token.RulesEvent', foreign)
    const start = withRegistry(raw, connection())
    await expect(start).rejects.toThrow(RegistryError)
    await expect(start).rejects.toThrow(/subject payment\.token\.RulesEvent: .*409.*type was long and is string/)
  })
})

describe('records on a topic in the wire format of a registry', () => {
  it('begin with a zero and the id, and come back as they were', async () => {
    const { log, ids } = logOf(new Dictionary(readSchemaFolder()))
    const record = recordOf('a')
    await log.publish([record])
    const [stored] = await all(raw, TOPIC.events)
    const id = ids.idOf(singleObjectFingerprint(record.value) as string)
    expect(stored?.value?.subarray(0, 5)).toEqual(Buffer.from([0, 0, 0, 0, id as number]))
    expect(stored?.value?.subarray(5)).toEqual(Buffer.from(record.value).subarray(10))
    const [read] = await all(log, TOPIC.events)
    expect(Buffer.from(read?.value ?? [])).toEqual(record.value)
  })

  it('are read beside others, so that a topic can be migrated', async () => {
    const writing = logOf(new Dictionary(readSchemaFolder()))
    const reading = logOf(new Dictionary(readSchemaFolder()), { write: false })
    await raw.publish([recordOf('old')])
    await writing.log.publish([recordOf('new')])
    await reading.log.publish([recordOf('old again')])
    const stored = await all(raw, TOPIC.events)
    expect(stored.map(({ value }) => confluentId(value as Uint8Array) !== null)).toEqual([false, true, false])
    const read = await all(reading.log, TOPIC.events)
    expect(read.map(({ value }) => (wire.decodeEvent(value) as { id: string }).id)).toEqual(['old', 'new', 'old again'])
  })

  it('of a newer release are read with the schema that the registry has', async () => {
    const later = laterRelease()
    await logOf(later).log.publish([recordOf('n', createAvroWire(later))])
    const dictionary = new Dictionary(readSchemaFolder())
    const { log } = logOf(dictionary, { write: false })
    const seen: StoredRecord[] = []
    const followed = await log.follow({
      topic: TOPIC.events,
      partition: 0,
      from: 'beginning',
      onRecords: (records) => void seen.push(...records),
    })
    await expect.poll(() => seen.length).toBe(1)
    await followed.stop()
    expect(createAvroWire(dictionary).decodeEvent(seen[0]?.value ?? null)).toEqual(rules('n'))
  })

  it('of no schema of ours stay as they are, and are asked for once a minute at most', async () => {
    const foreign = Buffer.concat([Buffer.from([0, 0, 0, 0, 200]), Buffer.from('x')])
    for (let n = 0; n < 50; n++) raw.inject(TOPIC.events, 0, { value: foreign })
    let now = 0
    const { log } = logOf(new Dictionary(readSchemaFolder()), { write: false, now: () => now })
    const [read] = await all(log, TOPIC.events)
    expect(Buffer.from(read?.value ?? [])).toEqual(foreign)
    expect(() => wire.decodeEvent(read?.value ?? null)).toThrow(/schema id 200, which leads to no schema of ours/)
    expect(server.requests).toEqual(['GET /schemas/ids/200'])
    now = 60_001
    await all(log, TOPIC.events)
    expect(server.requests).toHaveLength(2)
  })

  it('of a schema that could be blown up are not decoded, whoever registered it', async () => {
    const schema = JSON.parse(readSchemaFolder().find(({ name }) => name === 'rules-event')?.present.text ?? '') as {
      fields: object[]
    }
    const fields = [...schema.fields, { name: 'bomb', type: { type: 'array', items: 'null' }, default: [] }]
    server.put(7, { schema: JSON.stringify({ ...schema, fields }) })
    raw.inject(TOPIC.events, 0, { value: Buffer.from([0, 0, 0, 0, 7, 0, 0]) })
    const { log, ids } = logOf(new Dictionary(readSchemaFolder()), { write: false })
    const [read] = await all(log, TOPIC.events)
    expect(ids.fingerprintOf(7)).toBeNull()
    expect(() => wire.decodeEvent(read?.value ?? null)).toThrow(/schema id 7/)
  })

  it('wait, and come again, while the registry does not answer', async () => {
    const writing = logOf(new Dictionary(readSchemaFolder()))
    await writing.log.publish([recordOf('a')])
    const { log } = logOf(new Dictionary(readSchemaFolder()), { write: false })
    server.fail(3, 503)
    await expect(all(log, TOPIC.events)).rejects.toBeInstanceOf(LogError)
    server.fail(3, 503)
    const seen: string[] = []
    const subscription = await log.consume('g', [TOPIC.events], async (batch) => {
      for (const { value } of batch.records) seen.push((wire.decodeEvent(value) as { id: string }).id)
      batch.done(batch.records.at(-1)?.offset ?? 0n)
    })
    await expect.poll(() => seen, { timeout: 5_000 }).toEqual(['a'])
    await subscription.stop()
  })

  it('keep the order of their calls while ids are looked for, in a bounded queue', async () => {
    const { log } = logOf(new Dictionary(readSchemaFolder()))
    const calls = Array.from({ length: 1_001 }, (_, n) => log.publish([recordOf(String(n))]))
    await expect(calls.at(-1)).rejects.toBeInstanceOf(LogOverloadedError)
    await Promise.all(calls.slice(0, -1))
    await log.publish([recordOf('last')])
    const ids = (await all(log, TOPIC.events)).map(({ value }) => (wire.decodeEvent(value) as { id: string }).id)
    expect(ids).toEqual([...Array.from({ length: 1_000 }, (_, n) => String(n)), 'last'])
  })

  it('are surely not published when the registry has no id for them', async () => {
    const { log } = logOf(new Dictionary(readSchemaFolder()), { register: false })
    await expect(log.publish([recordOf('a')])).rejects.toThrow(LogError)
    expect(await all(raw, TOPIC.events)).toEqual([])
  })

  it('that are no Avro at all pass as they are', async () => {
    const { log } = logOf(new Dictionary(readSchemaFolder()))
    await log.publish([{ topic: TOPIC.deadLetters, key: 'k', value: Buffer.from('{"a":1}'), headers: {} }])
    expect((await all(log, TOPIC.deadLetters))[0]?.value?.toString()).toBe('{"a":1}')
    expect(server.requests).toEqual([])
  })

  it('keep a bounded memory of ids', async () => {
    const { ids } = logOf(new Dictionary(readSchemaFolder()))
    for (let id = 0; id < 1_001; id++) await ids.learn(10_000 + id)
    expect(ids.fingerprintOf(10_000)).toBeUndefined()
    expect(ids.fingerprintOf(11_000)).toBeNull()
  })
})

describe('a worker with a registry', () => {
  it('takes requests, publishes events and answers in its wire format, and chains events as ever', async () => {
    const log = await withRegistry(raw.client(), connection())
    const store = createMemoryStore({ clock: { now: () => Date.now() } })
    const worker = await startWorker({
      log,
      store,
      wire,
      shell: { clock: { now: () => Date.now() }, entropy: systemEntropy, keys, rules: DEFAULT_RULES },
      observer: {
        round: () => undefined,
        decided: () => undefined,
        conflict: () => undefined,
        retried: () => undefined,
        bug: (error) => {
          throw error
        },
        deadLetter: () => undefined,
        inFlight: () => undefined,
        suspended: () => undefined,
        catchingUp: () => undefined,
        admitted: () => undefined,
        failed: () => undefined,
      },
      group: 'authorizer',
      topic: TOPIC.purchaseRequests,
      maxRound: 10,
      maxInFlight: 100,
    })
    const replies: Reply[] = []
    const barriers = new Barriers()
    const followed = await log.follow({
      topic: TOPIC.replies,
      partition: 0,
      from: 'end',
      onRecords: (records) => {
        const read = records.map((record) => replyIn(record, wire, barriers))
        replies.push(...read.filter((reply) => typeof reply !== 'string'))
      },
    })
    for (const body of [
      commands.registration('c', { card: '6039591000000018', document: 'CC:1' }),
      commands.opening('o', { document: 'CC:1', amount: 500 }),
    ]) {
      await log.publish([
        { topic: TOPIC.purchaseRequests, key: 'k', ...wire.encodeRequest({ body, replyPartition: 0 }) },
      ])
    }
    await expect.poll(() => replies.map(({ responseCode }) => responseCode), { timeout: 5_000 }).toEqual(['00', '00'])
    await followed.stop()
    await worker.stop(1_000)
    for (const topic of [TOPIC.purchaseRequests, TOPIC.replies, TOPIC.events]) {
      for (let partition = 0; partition < (await raw.partitions(topic)); partition++) {
        for (const { value } of await all(raw, topic, partition))
          expect(confluentId(value as Uint8Array)).not.toBeNull()
      }
    }
    const events = []
    for (let partition = 0; partition < (await log.partitions(TOPIC.events)); partition++) {
      for (const { value } of await all(log, TOPIC.events, partition)) events.push(wire.decodeEvent(value))
    }
    expect(events.map(({ type }) => type)).toContain('transaction-decided')
  })
})
