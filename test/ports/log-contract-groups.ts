// What every log promises to consumer groups. Part of the contract suite of the log.

import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { LogError } from '../../services/ports/log.ts'
import { join, onPartition, QUIET_MS, recordOf, sleep, until, type UnderTest } from './log-probes.ts'

export function describeGroups(given: UnderTest): void {
  describe('groups', () => {
    it('begin at the beginning and get every record in order', async () => {
      const topic = await given.harness.createTopic(2)
      await given.log.publish([recordOf(topic, 'a', '1'), recordOf(topic, 'b', '2'), recordOf(topic, 'a', '3')])
      const member = await join(given.log, topic)
      await until(() => member.records.length === 3)
      expect(member.values().filter((value) => value !== '2')).toEqual(['1', '3'])
      await member.stop()
    })

    it('deliver again after a stop what was not done, and nothing that was', async () => {
      const topic = await given.harness.createTopic(1)
      const group = randomUUID()
      await given.log.publish(Array.from({ length: 6 }, (_, i) => recordOf(topic, 'k', String(i))))
      const first = await join(given.log, topic, { group, doneUpTo: 2n })
      await until(() => first.records.length === 6)
      await first.stop()
      const second = await join(given.log, topic, { group })
      await until(() => second.records.length > 0)
      expect(second.values()).toEqual(['3', '4', '5'])
      await second.stop()
    })

    it('begin where a new group is told to, also when nothing came before it was stopped', async () => {
      const topic = await given.harness.createTopic(2)
      const group = randomUUID()
      const publish = (...values: string[]) =>
        given.log.publish(values.flatMap((value) => [0, 1].map((n) => onPartition(n, topic, `${n}${value}`))))
      await publish('a', 'b')
      const first = await join(given.log, topic, { group, start: [1n, 2n], done: true })
      await until(() => first.records.length === 1)
      expect(first.values()).toEqual(['0b'])
      await sleep(QUIET_MS)
      await first.stop()
      await publish('c')
      const second = await join(given.log, topic, { group, start: [3n, 3n], done: true })
      await until(() => second.records.length === 2)
      expect(second.values().toSorted()).toEqual(['0c', '1c'])
      await second.stop()
    })

    it('have their beginning recorded when `consume` resolves', async () => {
      const topic = await given.harness.createTopic(1)
      const group = randomUUID()
      await given.log.publish([recordOf(topic, 'k', 'a')])
      const first = await given.log.consume(group, [topic], async () => {}, { start: new Map([[topic, [1n]]]) })
      await given.log.publish([recordOf(topic, 'k', 'b')])
      // Another member that thinks it is the first: what was recorded is what counts.
      const other = await given.harness.createLog()
      const second = await join(other, topic, { group, start: [2n] })
      await first.stop()
      await until(() => second.records.length > 0)
      expect(second.values()[0]).toBe('b')
      await second.stop()
      await other.close()
    })

    it('share the partitions of a topic between two members', async () => {
      const topic = await given.harness.createTopic(4)
      const group = randomUUID()
      const other = await given.harness.createLog()
      const one = await join(given.log, topic, { group, done: true })
      const two = await join(other, topic, { group, done: true })
      const publishAll = () => given.log.publish([0, 1, 2, 3].map((index) => onPartition(index, topic, String(index))))
      await until(async () => {
        await publishAll()
        return one.records.length > 0 && two.records.length > 0
      })
      one.records.length = 0
      two.records.length = 0
      await publishAll()
      await until(() => new Set([...one.values(), ...two.values()]).size === 4)
      const [mine, theirs] = [new Set(one.values()), new Set(two.values())]
      expect(mine.size).toBe(2)
      expect(theirs.size).toBe(2)
      expect([...mine].filter((value) => theirs.has(value))).toEqual([])
      await Promise.all([one.stop(), two.stop()])
      await other.close()
    })

    it('give the partitions of a member that left to the other, from what was done', async () => {
      const topic = await given.harness.createTopic(2)
      const group = randomUUID()
      const other = await given.harness.createLog()
      const one = await join(given.log, topic, { group, done: true })
      const two = await join(other, topic, { group, done: true })
      const publishBoth = (value: string) => given.log.publish([0, 1].map((index) => onPartition(index, topic, value)))
      await until(async () => {
        await publishBoth('before')
        return one.records.length > 0 && two.records.length > 0
      })
      await two.stop()
      await publishBoth('after')
      await until(() => one.values().filter((value) => value === 'after').length === 2)
      await one.stop()
      await other.close()
    })

    it('ignore `done` for a partition that was taken away', async () => {
      const topic = await given.harness.createTopic(1)
      const group = randomUUID()
      await given.log.publish([recordOf(topic, 'k', '0'), recordOf(topic, 'k', '1')])
      const first = await join(given.log, topic, { group })
      await until(() => first.records.length === 2)
      await first.stop()
      first.batches[0]?.done(1n)
      const second = await join(given.log, topic, { group })
      await until(() => second.records.length === 2)
      expect(second.values()).toEqual(['0', '1'])
      await second.stop()
    })

    it('ignore `done` that was said under an earlier assignment, also of a partition that stayed', async () => {
      const topic = await given.harness.createTopic(2)
      const group = randomUUID()
      const other = await given.harness.createLog()
      await given.log.publish([onPartition(0, topic, '0'), onPartition(1, topic, '1')])
      const one = await join(given.log, topic, { group })
      await until(() => one.records.length === 2)
      const stale = [...one.batches]
      const two = await join(other, topic, { group })
      await until(() => one.records.length === 3 && two.records.length === 1)
      for (const batch of stale) batch.done(0n)
      await Promise.all([one.stop(), two.stop()])
      const third = await join(given.log, topic, { group })
      await until(() => third.records.length === 2)
      await third.stop()
      await other.close()
    })

    it('deliver a batch again whose handler threw, in order, and go on', async () => {
      const topic = await given.harness.createTopic(1)
      let failures = 2
      const member = await join(given.log, topic, {
        before: () => {
          if (failures-- > 0) throw new TypeError('the handler failed')
        },
      })
      await given.log.publish([recordOf(topic, 'k', '0'), recordOf(topic, 'k', '1')])
      await until(() => member.records.length === 2)
      expect(member.values()).toEqual(['0', '1'])
      await given.log.publish([recordOf(topic, 'k', '2')])
      await until(() => member.records.length === 3)
      expect(failures).toBeLessThanOrEqual(0)
      await member.stop()
    })

    it('wait for the running handler before they stop, and count what it says is done', async () => {
      const topic = await given.harness.createTopic(1)
      const group = randomUUID()
      const { promise: released, resolve: release } = Promise.withResolvers<void>()
      const first = await join(given.log, topic, { group, done: true, before: () => released })
      await given.log.publish([recordOf(topic, 'k', '0')])
      await until(() => first.entered > 0)
      let stopped = false
      const stopping = first.stop().then(() => {
        stopped = true
      })
      await sleep(QUIET_MS)
      expect(stopped).toBe(false)
      release()
      await stopping
      await given.log.publish([recordOf(topic, 'k', '1')])
      const second = await join(given.log, topic, { group })
      await until(() => second.records.length > 0)
      expect(second.values()).toEqual(['1'])
      await second.stop()
    })

    it('cannot be joined for a topic that does not exist', async () => {
      await expect(given.log.consume(randomUUID(), ['no.such.topic'], async () => {})).rejects.toBeInstanceOf(LogError)
    })
  })
}
