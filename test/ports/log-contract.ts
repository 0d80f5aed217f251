// What every log promises, as one suite: run on memory and on Kafka.

import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { partitionOf } from '../../services/adapters/partitioning.ts'
import {
  LogError, LogOverloadedError, type Batch, type Log, type LogRecord, type StoredRecord, type Subscription,
} from '../../services/ports/log.ts'

export interface LogHarness {
  /** A client of the one log, as another process would have it. */
  createLog(options?: { readonly maxQueuedRecords?: number }): Promise<Log>
  /** A new topic, empty. */
  createTopic(partitions: number): Promise<string>
  /**
   * Append a record with neither key nor value, and with the headers `odd`: bytes that are no text, `twice`: `a`, `b`.
   */
  injectForeign(topic: string, partition: number): Promise<void>
  close(): Promise<void>
}

/** Until something holds, at the longest. Generous: a rebalance on a busy machine takes seconds. */
const PATIENCE_MS = 20_000
/** How long to look whether something forbidden comes. */
const QUIET_MS = 300
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
        const values = Array.from({ length: 1_300 }, (_, i) => `${i}:${'x'.repeat(500)}`)
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

    describe('groups', () => {
      it('begin at the beginning and get every record in order', async () => {
        const topic = await harness.createTopic(2)
        await log.publish([recordOf(topic, 'a', '1'), recordOf(topic, 'b', '2'), recordOf(topic, 'a', '3')])
        const member = await join(log, topic)
        await until(() => member.records.length === 3)
        expect(member.values().filter((value) => value !== '2')).toEqual(['1', '3'])
        await member.stop()
      })

      it('deliver again after a stop what was not done, and nothing that was', async () => {
        const topic = await harness.createTopic(1)
        const group = randomUUID()
        await log.publish(Array.from({ length: 6 }, (_, i) => recordOf(topic, 'k', String(i))))
        const first = await join(log, topic, { group, doneUpTo: 2n })
        await until(() => first.records.length === 6)
        await first.stop()
        const second = await join(log, topic, { group })
        await until(() => second.records.length > 0)
        expect(second.values()).toEqual(['3', '4', '5'])
        await second.stop()
      })

      it('share the partitions of a topic between two members', async () => {
        const topic = await harness.createTopic(4)
        const group = randomUUID()
        const other = await harness.createLog()
        const one = await join(log, topic, { group, done: true })
        const two = await join(other, topic, { group, done: true })
        const publishAll = () => log.publish([0, 1, 2, 3].map((index) => onPartition(index, topic, String(index))))
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
        const topic = await harness.createTopic(2)
        const group = randomUUID()
        const other = await harness.createLog()
        const one = await join(log, topic, { group, done: true })
        const two = await join(other, topic, { group, done: true })
        const publishBoth = (value: string) => log.publish([0, 1].map((index) => onPartition(index, topic, value)))
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
        const topic = await harness.createTopic(1)
        const group = randomUUID()
        await log.publish([recordOf(topic, 'k', '0'), recordOf(topic, 'k', '1')])
        const first = await join(log, topic, { group })
        await until(() => first.records.length === 2)
        await first.stop()
        first.batches[0]?.done(1n)
        const second = await join(log, topic, { group })
        await until(() => second.records.length === 2)
        expect(second.values()).toEqual(['0', '1'])
        await second.stop()
      })

      it('deliver a batch again whose handler threw, in order, and go on', async () => {
        const topic = await harness.createTopic(1)
        let failures = 2
        const member = await join(log, topic, {
          before: () => {
            if (failures-- > 0) throw new TypeError('the handler failed')
          },
        })
        await log.publish([recordOf(topic, 'k', '0'), recordOf(topic, 'k', '1')])
        await until(() => member.records.length === 2)
        expect(member.values()).toEqual(['0', '1'])
        await log.publish([recordOf(topic, 'k', '2')])
        await until(() => member.records.length === 3)
        expect(failures).toBeLessThanOrEqual(0)
        await member.stop()
      })

      it('wait for the running handler before they stop, and count what it says is done', async () => {
        const topic = await harness.createTopic(1)
        const group = randomUUID()
        const { promise: released, resolve: release } = Promise.withResolvers<void>()
        const first = await join(log, topic, { group, done: true, before: () => released })
        await log.publish([recordOf(topic, 'k', '0')])
        await until(() => first.entered > 0)
        let stopped = false
        const stopping = first.stop().then(() => {
          stopped = true
        })
        await sleep(QUIET_MS)
        expect(stopped).toBe(false)
        release()
        await stopping
        await log.publish([recordOf(topic, 'k', '1')])
        const second = await join(log, topic, { group })
        await until(() => second.records.length > 0)
        expect(second.values()).toEqual(['1'])
        await second.stop()
      })

      it('cannot be joined for a topic that does not exist', async () => {
        await expect(log.consume(randomUUID(), ['no.such.topic'], async () => {})).rejects.toBeInstanceOf(LogError)
      })
    })

    describe('following', () => {
      it('from the end misses nothing published after it resolved, and shows nothing from before', async () => {
        const topic = await harness.createTopic(2)
        await log.publish([{ ...recordOf(topic, 'k', 'old'), partition: 1 }])
        for (let round = 0; round < 3; round++) {
          const seen: string[] = []
          const following = await log.follow({ topic, partition: 1, from: 'end', onRecords: into(seen) })
          await log.publish([onPartition(1, topic, `new${round}`), onPartition(0, topic, 'other')])
          await until(() => seen.length > 0)
          expect(seen).toEqual([`new${round}`])
          await following.stop()
        }
      })

      it('from the beginning or an offset gets what is there and what comes', async () => {
        const topic = await harness.createTopic(1)
        await log.publish(['0', '1', '2'].map((value) => recordOf(topic, 'k', value)))
        const [fromStart, fromOne]: [string[], string[]] = [[], []]
        const following = [
          await log.follow({ topic, partition: 0, from: 'beginning', onRecords: into(fromStart) }),
          await log.follow({ topic, partition: 0, from: 1n, onRecords: into(fromOne) }),
        ]
        await log.publish([recordOf(topic, 'k', '3')])
        await until(() => fromStart.length === 4 && fromOne.length === 3)
        expect(fromStart).toEqual(['0', '1', '2', '3'])
        expect(fromOne).toEqual(['1', '2', '3'])
        await Promise.all(following.map((one) => one.stop()))
      })

      it('is not disturbed by other followers and groups that come and go', async () => {
        const topic = await harness.createTopic(1)
        const seen: string[] = []
        const following = await log.follow({ topic, partition: 0, from: 'end', onRecords: into(seen) })
        for (let i = 0; i < 3; i++) {
          const others: Subscription[] = [
            await log.follow({ topic, partition: 0, from: 'end', onRecords: () => {} }),
            await log.consume(randomUUID(), [topic], async () => {}),
          ]
          await log.publish([recordOf(topic, 'k', String(i))])
          await Promise.all(others.map((other) => other.stop()))
        }
        await until(() => seen.length >= 3)
        expect(seen).toEqual(['0', '1', '2'])
        await following.stop()
      })

      it('delivers again what the handler threw on', async () => {
        const topic = await harness.createTopic(1)
        const seen: string[] = []
        let failures = 1
        const following = await log.follow({
          topic, partition: 0, from: 'end',
          onRecords: (records) => {
            if (failures-- > 0) throw new Error('the handler failed')
            seen.push(...records.map(text))
          },
        })
        await log.publish([recordOf(topic, 'k', '0')])
        await until(() => seen.length > 0)
        expect(seen).toEqual(['0'])
        await following.stop()
      })

      it('ends with `stop`: nothing is delivered after it', async () => {
        const topic = await harness.createTopic(1)
        const seen: string[] = []
        const following = await log.follow({ topic, partition: 0, from: 'end', onRecords: into(seen) })
        await following.stop()
        await log.publish([recordOf(topic, 'k', '0')])
        await sleep(QUIET_MS)
        expect(seen).toEqual([])
      })

      it('is refused for a topic or a partition that does not exist', async () => {
        const topic = await harness.createTopic(1)
        const follow = (name: string, partition: number) =>
          log.follow({ topic: name, partition, from: 'end', onRecords: () => {} })
        await expect(follow('no.such.topic', 0)).rejects.toBeInstanceOf(LogError)
        await expect(follow(topic, 1)).rejects.toBeInstanceOf(LogError)
      })
    })

    describe('reading', () => {
      it('keeps to its bounds, and ends at the end there was when it began', async () => {
        const topic = await harness.createTopic(1)
        await log.publish(['0', '1', '2', '3', '4'].map((value) => recordOf(topic, 'k', value)))
        expect((await all(log.read(topic, 0, 1n, 3n))).map(text)).toEqual(['1', '2'])
        expect((await all(log.read(topic, 0, 3n))).map(text)).toEqual(['3', '4'])
        expect((await all(log.read(topic, 0, 3n, 99n))).map(text)).toEqual(['3', '4'])
        expect(await all(log.read(topic, 0, 3n, 3n))).toEqual([])
        expect(await all(log.read(topic, 0, 7n))).toEqual([])
        const values: string[] = []
        for await (const record of log.read(topic, 0)) {
          if (values.length === 0) await log.publish([recordOf(topic, 'k', 'late')])
          values.push(text(record))
        }
        expect(values).toEqual(['0', '1', '2', '3', '4'])
      })

      it('ends at once on an empty partition', async () => {
        expect(await all(log.read(await harness.createTopic(1), 0))).toEqual([])
      })

      it('may be broken off by the reader', async () => {
        const topic = await harness.createTopic(1)
        await log.publish(['0', '1', '2'].map((value) => recordOf(topic, 'k', value)))
        for await (const record of log.read(topic, 0)) {
          expect(text(record)).toBe('0')
          break
        }
        expect(await all(log.read(topic, 0))).toHaveLength(3)
      })

      it('is refused for a topic or a partition that does not exist', async () => {
        const topic = await harness.createTopic(1)
        await expect(all(log.read('no.such.topic', 0))).rejects.toBeInstanceOf(LogError)
        await expect(all(log.read(topic, 1))).rejects.toBeInstanceOf(LogError)
      })
    })

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

interface Joined {
  readonly records: StoredRecord[]
  readonly batches: Batch[]
  readonly entered: number
  values(): string[]
  stop(): Promise<void>
}

interface JoinOptions {
  readonly group?: string
  /** Say that everything is done. */
  readonly done?: boolean
  /** Say that what is up to here is done. */
  readonly doneUpTo?: bigint
  readonly before?: () => void | Promise<void>
}

async function join(log: Log, topic: string, options: JoinOptions = {}): Promise<Joined> {
  const { group = randomUUID(), done, doneUpTo, before } = options
  const joined = { records: [] as StoredRecord[], batches: [] as Batch[], entered: 0 }
  const subscription = await log.consume(group, [topic], async (batch) => {
    joined.entered++
    await before?.()
    joined.batches.push(batch)
    joined.records.push(...batch.records)
    for (const { offset } of batch.records) {
      if (done || (doneUpTo !== undefined && offset <= doneUpTo)) batch.done(offset)
    }
  })
  return Object.assign(joined, { values: () => joined.records.map(text), stop: () => subscription.stop() })
}

function recordOf(topic: string, key: string, value: string): LogRecord {
  return { topic, key, value: Buffer.from(value), headers: {} }
}

function onPartition(partition: number, topic: string, value: string): LogRecord {
  return { ...recordOf(topic, 'k', value), partition }
}

function into(values: string[]): (records: readonly StoredRecord[]) => void {
  return (records) => void values.push(...records.map(text))
}

function text(record: StoredRecord | undefined): string {
  return Buffer.from(record?.value ?? []).toString()
}

async function all(records: AsyncIterable<StoredRecord>): Promise<StoredRecord[]> {
  const collected: StoredRecord[] = []
  for await (const record of records) collected.push(record)
  return collected
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  while (!await holds()) {
    if (performance.now() > deadline) throw new Error('it did not come to be in time')
    await sleep(10)
  }
}
