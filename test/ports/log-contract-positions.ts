// What every log promises to those who follow or read one partition. Part of the contract suite of the log.

import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { LogError, type Subscription } from '../../services/ports/log.ts'
import { all, into, onPartition, QUIET_MS, recordOf, sleep, text, until, type UnderTest } from './log-probes.ts'

export function describePositions(given: UnderTest): void {
  describe('following', () => {
    it('from the end misses nothing published after it resolved, and shows nothing from before', async () => {
      const topic = await given.harness.createTopic(2)
      await given.log.publish([{ ...recordOf(topic, 'k', 'old'), partition: 1 }])
      for (let round = 0; round < 3; round++) {
        const seen: string[] = []
        const following = await given.log.follow({ topic, partition: 1, from: 'end', onRecords: into(seen) })
        await given.log.publish([onPartition(1, topic, `new${round}`), onPartition(0, topic, 'other')])
        await until(() => seen.length > 0)
        expect(seen).toEqual([`new${round}`])
        await following.stop()
      }
    })

    it('from the beginning or an offset gets what is there and what comes', async () => {
      const topic = await given.harness.createTopic(1)
      await given.log.publish(['0', '1', '2'].map((value) => recordOf(topic, 'k', value)))
      const [fromStart, fromOne]: [string[], string[]] = [[], []]
      const following = [
        await given.log.follow({ topic, partition: 0, from: 'beginning', onRecords: into(fromStart) }),
        await given.log.follow({ topic, partition: 0, from: 1n, onRecords: into(fromOne) }),
      ]
      await given.log.publish([recordOf(topic, 'k', '3')])
      await until(() => fromStart.length === 4 && fromOne.length === 3)
      expect(fromStart).toEqual(['0', '1', '2', '3'])
      expect(fromOne).toEqual(['1', '2', '3'])
      await Promise.all(following.map((one) => one.stop()))
    })

    it('is not disturbed by other followers and groups that come and go', async () => {
      const topic = await given.harness.createTopic(1)
      const seen: string[] = []
      const following = await given.log.follow({ topic, partition: 0, from: 'end', onRecords: into(seen) })
      for (let i = 0; i < 3; i++) {
        const others: Subscription[] = [
          await given.log.follow({ topic, partition: 0, from: 'end', onRecords: () => {} }),
          await given.log.consume(randomUUID(), [topic], async () => {}),
        ]
        await given.log.publish([recordOf(topic, 'k', String(i))])
        await Promise.all(others.map((other) => other.stop()))
      }
      await until(() => seen.length >= 3)
      expect(seen).toEqual(['0', '1', '2'])
      await following.stop()
    })

    it('delivers again what the handler threw on', async () => {
      const topic = await given.harness.createTopic(1)
      const seen: string[] = []
      let failures = 1
      const following = await given.log.follow({
        topic,
        partition: 0,
        from: 'end',
        onRecords: (records) => {
          if (failures-- > 0) throw new Error('the handler failed')
          seen.push(...records.map(text))
        },
      })
      await given.log.publish([recordOf(topic, 'k', '0')])
      await until(() => seen.length > 0)
      expect(seen).toEqual(['0'])
      await following.stop()
    })

    it('ends with `stop`: nothing is delivered after it', async () => {
      const topic = await given.harness.createTopic(1)
      const seen: string[] = []
      const following = await given.log.follow({ topic, partition: 0, from: 'end', onRecords: into(seen) })
      await following.stop()
      await given.log.publish([recordOf(topic, 'k', '0')])
      await sleep(QUIET_MS)
      expect(seen).toEqual([])
    })

    it('is refused for a topic or a partition that does not exist', async () => {
      const topic = await given.harness.createTopic(1)
      const follow = (name: string, partition: number) =>
        given.log.follow({ topic: name, partition, from: 'end', onRecords: () => {} })
      await expect(follow('no.such.topic', 0)).rejects.toBeInstanceOf(LogError)
      await expect(follow(topic, 1)).rejects.toBeInstanceOf(LogError)
    })
  })

  describe('reading', () => {
    it('keeps to its bounds, and ends at the end there was when it began', async () => {
      const topic = await given.harness.createTopic(1)
      await given.log.publish(['0', '1', '2', '3', '4'].map((value) => recordOf(topic, 'k', value)))
      expect((await all(given.log.read(topic, 0, 1n, 3n))).map(text)).toEqual(['1', '2'])
      expect((await all(given.log.read(topic, 0, 3n))).map(text)).toEqual(['3', '4'])
      expect((await all(given.log.read(topic, 0, 3n, 99n))).map(text)).toEqual(['3', '4'])
      expect(await all(given.log.read(topic, 0, 3n, 3n))).toEqual([])
      expect(await all(given.log.read(topic, 0, 7n))).toEqual([])
      const values: string[] = []
      for await (const record of given.log.read(topic, 0)) {
        if (values.length === 0) await given.log.publish([recordOf(topic, 'k', 'late')])
        values.push(text(record))
      }
      expect(values).toEqual(['0', '1', '2', '3', '4'])
    })

    it('tells where partitions end, whatever else is asked at the same time', async () => {
      const topics = [await given.harness.createTopic(2), await given.harness.createTopic(1)]
      await given.log.publish(topics.map((topic) => ({ ...recordOf(topic, 'k', '0'), partition: 0 })))
      const ends = async () => Promise.all(topics.map(async (topic) => (await given.log.extent(topic, 0)).end))
      const alone = async () => Promise.all(topics.map((topic) => given.log.end(topic, 0)))
      const others = [
        () => given.log.ping(),
        async () => given.log.partitions(await given.harness.createTopic(1)),
        async () => given.log.offsetAt(topics[0] ?? '', 0, 0),
      ]
      for (const other of others) {
        const [during] = await Promise.all([ends(), other()])
        expect([during, await ends()]).toEqual([
          [1n, 1n],
          [1n, 1n],
        ])
        const [aloneDuring] = await Promise.all([alone(), other()])
        expect([aloneDuring, await alone()]).toEqual([
          [1n, 1n],
          [1n, 1n],
        ])
      }
    })

    it('tells where a partition begins and ends, and which record is the first of a time or later', async () => {
      const topic = await given.harness.createTopic(1)
      expect(await given.log.extent(topic, 0)).toEqual({ start: 0n, end: 0n })
      expect(await given.log.offsetAt(topic, 0, 0)).toBe(0n)
      await given.log.publish([recordOf(topic, 'k', '0')])
      await sleep(20)
      const between = Date.now()
      await sleep(20)
      await given.log.publish(['1', '2'].map((value) => recordOf(topic, 'k', value)))
      expect(await given.log.extent(topic, 0)).toEqual({ start: 0n, end: 3n })
      expect(await given.log.end(topic, 0)).toBe(3n)
      expect(await given.log.offsetAt(topic, 0, between)).toBe(1n)
      expect(await given.log.offsetAt(topic, 0, 0)).toBe(0n)
      expect(await given.log.offsetAt(topic, 0, Date.now() + 60_000)).toBe(3n)
      await expect(given.log.extent(topic, 1)).rejects.toBeInstanceOf(LogError)
      await expect(given.log.end(topic, 1)).rejects.toBeInstanceOf(LogError)
      await expect(given.log.offsetAt('no.such.topic', 0, 0)).rejects.toBeInstanceOf(LogError)
    })

    it('ends at once on an empty partition', async () => {
      expect(await all(given.log.read(await given.harness.createTopic(1), 0))).toEqual([])
    })

    it('may be broken off by the reader', async () => {
      const topic = await given.harness.createTopic(1)
      await given.log.publish(['0', '1', '2'].map((value) => recordOf(topic, 'k', value)))
      for await (const record of given.log.read(topic, 0)) {
        expect(text(record)).toBe('0')
        break
      }
      expect(await all(given.log.read(topic, 0))).toHaveLength(3)
    })

    it('is refused for a topic or a partition that does not exist', async () => {
      const topic = await given.harness.createTopic(1)
      await expect(all(given.log.read('no.such.topic', 0))).rejects.toBeInstanceOf(LogError)
      await expect(all(given.log.read(topic, 1))).rejects.toBeInstanceOf(LogError)
    })
  })
}
