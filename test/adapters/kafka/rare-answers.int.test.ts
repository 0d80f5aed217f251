// What the log on Kafka makes of answers that are rare: transaction markers, refused records, topics that differ.

import { randomUUID } from 'node:crypto'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ClusterView } from '../../../services/adapters/kafka/cluster-view.ts'
import { createKafkaLog } from '../../../services/adapters/kafka/log.ts'
import { checkTopics, createTopics } from '../../../services/adapters/kafka/topics.ts'
import type { Log } from '../../../services/ports/log.ts'
import { connectionOf, requireBrokers } from './servers.ts'

describe('the log on Kafka', { timeout: 60_000 }, () => {
  const topic = randomUUID()
  let log: Log

  beforeAll(async () => {
    const connection = connectionOf(requireBrokers())
    await createTopics(connection, [{ name: topic, partitions: 1, retentionMs: -1, purpose: 'test' }])
    log = await createKafkaLog(connection)
  })
  afterAll(() => log.close())

  it('reads past the markers of transactions, and ends also where they are the end', async () => {
    const foreign = new Kafka({ brokers: requireBrokers(), clientId: 'foreign', logLevel: logLevel.NOTHING })
    const producer = foreign.producer({ transactionalId: randomUUID(), idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    for (const end of ['commit', 'abort'] as const) {
      const transaction = await producer.transaction()
      await transaction.send({ topic, messages: [{ key: 'k', value: end }] })
      await transaction[end]()
    }
    await producer.disconnect()

    const read = async (from: bigint) => {
      const values: string[] = []
      for await (const { value } of log.read(topic, 0, from)) values.push(Buffer.from(value ?? []).toString())
      return values
    }
    expect(await read(0n)).toEqual(['commit'])
    expect(await read(1n)).toEqual([])
    await log.publish([{ topic, key: 'k', value: Buffer.from('ours'), headers: {} }])
    expect(await read(1n)).toEqual(['ours'])
  })

  it('fails only the record that the broker refuses, not those that went with it', async () => {
    const narrow = randomUUID()
    const admin = new Kafka({ brokers: requireBrokers(), clientId: 'foreign', logLevel: logLevel.NOTHING }).admin()
    const configEntries = [{ name: 'max.message.bytes', value: '3000' }]
    await admin.createTopics({ topics: [{ topic: narrow, numPartitions: 1, configEntries }], waitForLeaders: true })
    await admin.disconnect()
    const publish = (size: number) => {
      return log.publish([{ topic: narrow, key: 'k', value: Buffer.alloc(size, 's'), headers: {} }])
    }
    const results = await Promise.allSettled([publish(10), publish(5_000), publish(20)])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    const sizes: number[] = []
    for await (const { value } of log.read(narrow, 0)) sizes.push(value?.byteLength ?? 0)
    expect(sizes).toEqual([10, 20])
  })

  it('knows what a group has recorded, and where a time is, while it asks about other topics', async () => {
    const connection = connectionOf(requireBrokers())
    const names = Array.from({ length: 9 }, () => randomUUID())
    await createTopics(
      connection,
      names.map((name) => ({ name, partitions: 4, retentionMs: -1, purpose: 'test' })),
    )
    const [asked = '', ...others] = names
    const group = randomUUID()
    const foreign = new Kafka({ brokers: requireBrokers(), clientId: 'foreign', logLevel: logLevel.NOTHING }).admin()
    await foreign.setOffsets({ groupId: group, topic: asked, partitions: [{ partition: 2, offset: '0' }] })
    await foreign.disconnect()
    for (let round = 0; round < 24; round++) {
      const view = new ClusterView(connection)
      await view.bound(asked, 0, 'end')
      const answers = Promise.all([view.recorded(group, asked), view.offsetAt(asked, 3, 0)])
      const counts: Promise<number>[] = []
      for (const other of others) {
        for (let turns = 0; turns < round % 4; turns++) await new Promise((resolve) => setImmediate(resolve))
        counts.push(view.partitions(other))
        // So that several answers are found at once, as in a process that is busy.
        for (const until = performance.now() + 3; performance.now() < until;);
      }
      expect(await answers).toEqual([new Set([2]), 0n])
      expect(new Set(await Promise.all(counts))).toEqual(new Set([4]))
      await view.close()
    }
  })

  it('makes topics once, leaves those that exist, and says what is wrong with them', async () => {
    const connection = connectionOf(requireBrokers())
    const spec = { name: randomUUID(), partitions: 2, retentionMs: 60_000, purpose: 'test' }
    expect(await checkTopics(connection, [spec])).toEqual([`topic ${spec.name} is missing`])
    await createTopics(connection, [spec])
    await createTopics(connection, [{ ...spec, partitions: 5 }])
    expect(await checkTopics(connection, [spec])).toEqual([])
    const faults = await checkTopics(connection, [{ ...spec, partitions: 5 }])
    expect(faults).toEqual([`topic ${spec.name} has 2 partitions, not 5`])
  })
})
