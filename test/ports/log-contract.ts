// What every log promises, as one suite: run on memory and on Kafka.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { partitionOf } from '../../services/adapters/partitioning.ts'
import { LogError, LogOverloadedError, type Log } from '../../services/ports/log.ts'
import { describeGroups } from './log-contract-groups.ts'
import { describePositions } from './log-contract-positions.ts'
import {
  all,
  into,
  join,
  QUIET_MS,
  recordOf,
  sleep,
  text,
  until,
  type LogHarness,
  type UnderTest,
} from './log-probes.ts'

const TEST_MS = 60_000

export function describeLogContract(name: string, makeHarness: () => Promise<LogHarness>): void {
  describe(name, { timeout: TEST_MS }, () => {
    let harness: LogHarness
    let log: Log
    beforeAll(async () => {
      harness = await makeHarness()
      log = await harness.createLog()
    }, TEST_MS)
    afterAll(async () => {
      await log.close()
      await harness.close()
    }, TEST_MS)

    describe('publishing', () => {
      it('makes readable what it acknowledged, with key, value, headers and a time', async () => {
        const topic = await harness.createTopic(1)
        const before = Date.now()
        await log.publish([{ topic, key: 'k1', value: Buffer.from('v1'), headers: { ce_id: '1', 'x-odd': 'é' } }])
        const [record] = await all(log.read(topic, 0))
        const headers = { ce_id: '1', 'x-odd': 'é' }
        expect(record).toMatchObject({ topic, partition: 0, offset: 0n, key: 'k1', headers })
        expect(text(record)).toBe('v1')
        expect(record?.timestamp).toBeGreaterThanOrEqual(before - 1_000)
        expect(record?.timestamp).toBeLessThanOrEqual(Date.now() + 1_000)
      })

      it('keeps the order of the calls for each key, also when nobody waits for an answer', async () => {
        const topic = await harness.createTopic(3)
        const calls = Array.from({ length: 600 }, (_, i) => log.publish([recordOf(topic, `key${i % 7}`, String(i))]))
        await Promise.all(calls)
        const records = (await Promise.all([0, 1, 2].map((partition) => all(log.read(topic, partition))))).flat()
        expect(records).toHaveLength(600)
        for (let k = 0; k < 7; k++) {
          const numbers = records.filter(({ key }) => key === `key${k}`).map((record) => Number(text(record)))
          expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
        }
      })

      it('puts a key where the default partitioner of Kafka puts it, and a record with a partition there', async () => {
        const topic = await harness.createTopic(5)
        await log.publish([recordOf(topic, 'account-17', 'a'), { ...recordOf(topic, 'account-17', 'b'), partition: 4 }])
        const at = partitionOf('account-17', 5)
        expect((await all(log.read(topic, at))).map(text)).toContain('a')
        expect((await all(log.read(topic, 4))).map(text)).toContain('b')
      })

      it('acknowledges records of several topics, and none at all, in one call', async () => {
        const [one, two] = [await harness.createTopic(1), await harness.createTopic(1)]
        await log.publish([recordOf(one, 'k', '1'), recordOf(two, 'k', '2')])
        expect((await all(log.read(one, 0))).map(text)).toEqual(['1'])
        expect((await all(log.read(two, 0))).map(text)).toEqual(['2'])
        await log.publish([])
      })

      it('takes a call with more records than fit into one request, in order', async () => {
        const topic = await harness.createTopic(1)
        const values = Array.from({ length: 1_300 }, (_, i) => `${i}:${'x'.repeat(1_000)}`)
        await log.publish(values.map((value) => recordOf(topic, 'k', value)))
        expect((await all(log.read(topic, 0))).map(text)).toEqual(values)
      })

      it('refuses a topic that does not exist, and a partition beyond those there are', async () => {
        const topic = await harness.createTopic(2)
        await expect(log.publish([recordOf('no.such.topic', 'k', 'v')])).rejects.toBeInstanceOf(LogError)
        await expect(log.publish([{ ...recordOf(topic, 'k', 'v'), partition: 2 }])).rejects.toBeInstanceOf(LogError)
        expect(await all(log.read(topic, 0))).toEqual([])
      })

      it('refuses a record that is too large without harm to its neighbours', async () => {
        const topic = await harness.createTopic(1)
        const large = log.publish([{ ...recordOf(topic, 'k', ''), value: Buffer.alloc(1_100_000) }])
        const small = log.publish([recordOf(topic, 'k', 'small')])
        await expect(large).rejects.toBeInstanceOf(LogError)
        await small
        expect((await all(log.read(topic, 0))).map(text)).toEqual(['small'])
      })

      it('refuses with LogOverloadedError what is beyond the queue, and takes more when there is room', async () => {
        const topic = await harness.createTopic(1)
        const narrow = await harness.createLog({ maxQueuedRecords: 10 })
        const full = narrow.publish(Array.from({ length: 10 }, (_, i) => recordOf(topic, 'k', String(i))))
        await expect(narrow.publish([recordOf(topic, 'k', 'beyond')])).rejects.toBeInstanceOf(LogOverloadedError)
        await full
        await narrow.publish([recordOf(topic, 'k', 'later')])
        const values = (await all(log.read(topic, 0))).map(text)
        expect(values).toHaveLength(11)
        expect(values.at(-1)).toBe('later')
        await narrow.close()
      })
    })

    const given: UnderTest = {
      get harness() {
        return harness
      },
      get log() {
        return log
      },
    }
    describeGroups(given)
    describePositions(given)

    it('delivers odd foreign records: no key, no value, headers that are no text or come twice', async () => {
      const topic = await harness.createTopic(1)
      await harness.injectForeign(topic, 0)
      await log.publish([recordOf(topic, 'k', 'ours')])
      const member = await join(log, topic)
      await until(() => member.records.length === 2)
      for (const [foreign] of [member.records, await all(log.read(topic, 0))]) {
        expect(foreign).toMatchObject({ key: null, value: null, headers: { twice: 'b' } })
        expect(typeof foreign?.headers['odd']).toBe('string')
      }
      expect(text(member.records[1])).toBe('ours')
      await member.stop()
    })

    it('knows how many partitions a topic has, and that a topic does not exist', async () => {
      expect(await log.partitions(await harness.createTopic(3))).toBe(3)
      await expect(log.partitions('no.such.topic')).rejects.toBeInstanceOf(LogError)
    })

    it('answers a ping', async () => {
      await log.ping()
    })

    it('publishes what is queued before it is closed, and takes nothing after', async () => {
      const topic = await harness.createTopic(1)
      const closing = await harness.createLog()
      const published = Array.from({ length: 50 }, (_, i) => closing.publish([recordOf(topic, 'k', String(i))]))
      await closing.close()
      await Promise.all(published)
      expect(await all(log.read(topic, 0))).toHaveLength(50)
      await expect(closing.publish([recordOf(topic, 'k', 'after')])).rejects.toBeInstanceOf(LogOverloadedError)
      await expect(closing.ping()).rejects.toBeInstanceOf(LogError)
    })

    it('stops its subscriptions when it is closed', async () => {
      const topic = await harness.createTopic(1)
      const closing = await harness.createLog()
      const seen: string[] = []
      await closing.follow({ topic, partition: 0, from: 'end', onRecords: into(seen) })
      const member = await join(closing, topic)
      await closing.close()
      await log.publish([recordOf(topic, 'k', '0')])
      await sleep(QUIET_MS)
      expect(seen).toEqual([])
      expect(member.records).toEqual([])
    })
  })
}
