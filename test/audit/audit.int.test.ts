// The audit on a real Kafka: what a notary signs there is verified there, and a copy of the topics with one record altered
// is told from them.

import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createKafkaLog } from '../../services/adapters/kafka/log.ts'
import { createTopics } from '../../services/adapters/kafka/topics.ts'
import { AUDITED_TOPICS, logSource } from '../../services/audit/event-source.ts'
import type { FaultKind } from '../../services/audit/fault.ts'
import { verify } from '../../services/audit/verify.ts'
import type { Log, LogRecord, StoredRecord } from '../../services/ports/log.ts'
import { TOPIC, TOPICS } from '../../services/runtime/topics.ts'
import { connectionOf, requireBrokers } from '../adapters/kafka/servers.ts'
import { History, notaryOn, noting, sign, untilCovered, verifier, wire } from './history.ts'
import { clone, copyOf, dice, type Copy, type Loose } from './tamper.ts'

const RECORDS = 400
const SEED = Number(process.env['TAMPER_SEED'] ?? 20_261_121)
const TEST_MS = 120_000

describe('the audit on Kafka', { timeout: TEST_MS }, () => {
  let kafka: Log
  let log: Log
  let copy: Copy
  const connection = connectionOf(requireBrokers())

  beforeAll(async () => {
    kafka = await createKafkaLog(connection)
    log = await fresh()
    const history = new History()
    await log.publish(history.some(RECORDS / 2, 30))
    const observers = [noting(), noting()]
    const two = await Promise.all(
      observers.map((observer) => notaryOn(log, { observer, intervalMs: 200, maxRecords: 60 })),
    )
    await log.publish(history.some(RECORDS / 2, 30))
    for (const notary of two) await untilCovered(log, notary)
    await Promise.all(two.map((notary) => notary.stop()))
    copy = await copyOf(log)
  }, TEST_MS)
  afterAll(() => kafka.close())

  /** The topics of an audit under names of their own. */
  async function fresh(): Promise<Log> {
    const suffix = randomUUID()
    const specs = TOPICS.filter(({ name }) => AUDITED_TOPICS.some((topic) => topic === name))
    await createTopics(
      connection,
      specs.map((spec) => ({ ...spec, compacted: false, name: `${spec.name}-${suffix}` })),
    )
    return renamed(kafka, suffix)
  }

  async function written(tampered: Copy): Promise<Log> {
    const other = await fresh()
    for (const [topic, partitions] of tampered) {
      for (const [partition, part] of partitions.entries()) {
        const records: LogRecord[] = part.map(({ key, value, headers }) => ({
          topic,
          partition,
          key: key ?? '',
          value: value ?? Buffer.alloc(0),
          headers,
        }))
        // A log keeps the order of one key's records only, unless one call waits for the other.
        for (let i = 0; i < records.length; i += 50) await other.publish(records.slice(i, i + 50))
      }
    }
    return other
  }

  const verified = (one: Log) => verify({ source: logSource(one), wire, verifier })

  it('finds nothing wrong with what two notaries signed at once, and signs on after a restart', async () => {
    const { chain, faults, partitions } = await verified(log)
    expect(faults).toEqual([])
    expect(chain.checkpoints).toBeGreaterThan(3)
    expect(partitions.reduce((sum, { covered }) => sum + covered, 0)).toBe(RECORDS)
    await sign(log)
    expect((await verified(log)).chain.last).toEqual(chain.last)
  })

  it('finds a copy of the topics as good as they are', async () => {
    expect((await verified(await written(copy))).faults).toEqual([])
  })

  const tampering: readonly (readonly [FaultKind, (records: Loose[], index: number) => void])[] = [
    ['changed', (records, index) => void (records[index] = changed(records[index] as Loose))],
    ['missing', (records, index) => void records.splice(index, 1)],
    ['added', (records, index) => void records.splice(index, 0, added())],
    ['moved', (records, index) => void records.splice(index, 2, records[index + 1] as Loose, records[index] as Loose)],
  ]

  it.each(tampering)('names the place in a copy with one record %s', async (kind, tamper) => {
    const draw = dice(SEED)
    for (let i = 0; i < 3; i++) {
      const tampered = clone(copy)
      const partition = draw(4)
      const records = tampered.get(TOPIC.events)?.[partition] ?? []
      const index = draw(records.length - 2)
      tamper(records, index)
      const { faults } = await verified(await written(tampered))
      expect(faults, `seed ${SEED}, ${partition}/${index}`).toMatchObject([{ kind, partition, offset: BigInt(index) }])
    }
  })
})

function changed({ value, ...rest }: Loose): Loose {
  const bytes = Buffer.from(value ?? [])
  bytes.writeUInt8((bytes.at(-1) ?? 0) ^ 1, bytes.length - 1)
  return { ...rest, value: bytes }
}

function added(): Loose {
  const { key, value, headers } = new History().decision('D.forged')
  return { key, value, headers }
}

/** The log with other names for its topics. */
function renamed(log: Log, suffix: string): Log {
  const own = (topic: string) => `${topic}-${suffix}`
  const named = (record: StoredRecord): StoredRecord => ({
    ...record,
    topic: record.topic.slice(0, -suffix.length - 1),
  })
  return {
    publish: (records) => log.publish(records.map((record) => ({ ...record, topic: own(record.topic) }))),
    consume: () => Promise.reject(new Error('not used')),
    follow: ({ onRecords, ...options }) =>
      log.follow({ ...options, topic: own(options.topic), onRecords: (records) => onRecords(records.map(named)) }),
    async *read(topic, partition, from, to) {
      for await (const record of log.read(own(topic), partition, from, to)) yield named(record)
    },
    extent: (topic, partition) => log.extent(own(topic), partition),
    end: (topic, partition) => log.end(own(topic), partition),
    offsetAt: (topic, partition, timestamp) => log.offsetAt(own(topic), partition, timestamp),
    partitions: (topic) => log.partitions(own(topic)),
    ping: () => log.ping(),
    close: () => log.close(),
  }
}
