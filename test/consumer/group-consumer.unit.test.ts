import { afterEach, describe, expect, it } from 'vitest'
import type { MemoryLog } from '../../services/adapters/memory/log.ts'
import {
  HandlerError,
  startConsumer,
  StopConsumingError,
  type Consumer,
  type ConsumerOptions,
  type PublicEvent,
} from '../../services/consumer/index.ts'
import { TOPIC } from '../../services/runtime/topics.ts'
import { sleep, until } from '../ports/log-probes.ts'
import { generation, memoryLog, wire } from './events.ts'

const FAST = { attempts: 3, firstMs: 5, maxMs: 10 }
const running: Consumer[] = []

afterEach(async () => {
  await Promise.all(running.splice(0).map((consumer) => consumer.stop(100)))
})

type Given = Partial<ConsumerOptions> & { readonly log: MemoryLog }

async function consume(given: Given, handle: ConsumerOptions['handle']): Promise<Consumer> {
  const consumer = await startConsumer({ wire, group: 'test', retry: FAST, ...given, handle })
  running.push(consumer)
  return consumer
}

const into = (seen: string[]) => (event: PublicEvent) => void seen.push(event.consecutive)

async function letters(log: MemoryLog) {
  const found = []
  for await (const { value } of log.read(TOPIC.deadLetters, 0)) found.push(wire.decodeDeadLetter(value))
  return found
}

describe('a consumer in a group', () => {
  it('gets every event, those of one subject in order, and other subjects meanwhile', async () => {
    const log = memoryLog()
    const records = Array.from({ length: 60 }, (_, n) => generation(`s${n % 3}`, Math.floor(n / 3) + 1))
    await log.publish(records)
    const [seen, overlaps]: [string[], number[]] = [[], []]
    let open = 0
    await consume({ log, concurrency: 3 }, async ({ consecutive }) => {
      overlaps.push(++open)
      await sleep(Math.random() * 3)
      open--
      seen.push(consecutive)
    })
    await until(() => seen.length === 60)
    for (const subject of ['s0', 's1', 's2']) {
      const versions = seen.filter((name) => name.startsWith(subject)).map((name) => Number(name.split('-')[1]))
      expect(versions).toEqual(Array.from({ length: 20 }, (_, n) => n + 1))
    }
    expect(Math.max(...overlaps)).toBe(3)
  })

  it('drops an event that is on the log twice, and takes only what is wanted', async () => {
    const log = memoryLog()
    const seen: string[] = []
    const dropped: string[] = []
    await log.publish([generation('a', 1), generation('a', 1), generation('b', 1), generation('a', 2)])
    await consume(
      {
        log,
        wanted: ({ consecutive }) => !consecutive.startsWith('b'),
        observer: { dropped: (why) => dropped.push(why) },
      },
      into(seen),
    )
    await until(() => seen.length === 2)
    expect(seen).toEqual(['a-1', 'a-2'])
    expect(dropped).toEqual(['repeat'])
  })

  it('forgets ids beyond its window', async () => {
    const log = memoryLog()
    const seen: string[] = []
    await log.publish([1, 2, 3, 1].map((version) => generation('a', version)))
    await consume({ log, window: 2 }, into(seen))
    await until(() => seen.length === 4)
    expect(seen).toEqual(['a-1', 'a-2', 'a-3', 'a-1'])
  })

  it('tries again after a failure, then goes on with a dead letter that quotes nothing', async () => {
    const log = memoryLog()
    const seen: string[] = []
    const attempts: number[] = []
    await log.publish([generation('a', 1), generation('a', 2), generation('b', 1)])
    await consume({ log }, (event, { attempt }) => {
      if (event.consecutive === 'a-1') {
        attempts.push(attempt)
        throw new TypeError(`cannot handle ${event.consecutive}`)
      }
      seen.push(event.consecutive)
    })
    await until(() => seen.length === 2)
    expect(seen).toEqual(['b-1', 'a-2'])
    expect(attempts).toEqual([1, 2, 3])
    const [letter] = await letters(log)
    expect(letter).toMatchObject({ topic: TOPIC.events, reason: 'test gave up after 3 attempts: TypeError' })
    expect(Buffer.from(letter?.value ?? [])).toEqual(Buffer.from(generation('a', 1).value))
  })

  it('records an offset only after its handler: what was not handled comes again', async () => {
    const log = memoryLog()
    await log.publish([generation('a', 1), generation('a', 2)])
    const first: string[] = []
    const one = await consume({ log }, async ({ consecutive }, { signal }) => {
      first.push(consecutive)
      if (consecutive === 'a-2') await new Promise((_, reject) => signal.addEventListener('abort', reject))
    })
    await until(() => first.length === 2)
    await one.stop(20)
    const second: string[] = []
    await consume({ log }, into(second))
    await until(() => second.length === 1)
    expect(second).toEqual(['a-2'])
  })

  it('waits no longer than a handler asks, and no shorter', async () => {
    const log = memoryLog()
    await log.publish([generation('a', 1)])
    const at: number[] = []
    await consume({ log }, () => {
      at.push(performance.now())
      if (at.length === 1) throw new HandlerError('busy', { retryAfterMs: 120 })
    })
    await until(() => at.length === 2)
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThan(110)
  })

  it('ends when the handler says so, and begins with that event the next time', async () => {
    const log = memoryLog()
    await log.publish([generation('a', 1), generation('a', 2)])
    const consumer = await consume({ log }, ({ consecutive }) => {
      if (consecutive === 'a-2') throw new StopConsumingError('enough')
    })
    await expect(consumer.failed).rejects.toThrow('enough')
    await consumer.stop(100)
    const seen: string[] = []
    await consume({ log }, into(seen))
    await until(() => seen.length === 1)
    expect(seen).toEqual(['a-2'])
  })

  it('can end instead of passing an event over', async () => {
    const log = memoryLog()
    await log.publish([generation('a', 1)])
    const consumer = await consume({ log, onGiveUp: 'stop' }, () => {
      throw new TypeError('no')
    })
    await expect(consumer.failed).rejects.toThrow('test gave up after 3 attempts: TypeError')
    expect(await letters(log)).toEqual([])
  })

  it('puts what is no event into the dead letters, once, and passes over what is void', async () => {
    const log = memoryLog()
    const [seen, dropped]: [string[], string[]] = [[], []]
    log.inject(TOPIC.events, 0, { value: Buffer.from('garbage') })
    const raised = wire.encodeEvent({ type: 'epoch-raised', epoch: 2, runId: 'new', now: 0, barriers: [] })
    await log.publish([0, 1, 2, 3].map((partition) => ({ topic: TOPIC.events, key: '', partition, ...raised })))
    await log.publish([generation('a', 1, { epoch: 1 }), generation('a', 1, { epoch: 2 })])
    await consume({ log, observer: { dropped: (why) => dropped.push(why) } }, into(seen))
    await until(async () => seen.length === 1 && (await letters(log)).length === 1)
    expect(dropped.toSorted()).toEqual(['malformed', 'void'])
    expect((await letters(log))[0]?.reason).toBe('not in Avro single-object encoding')
  })

  it('holds the reader back when too much is taken up', async () => {
    const log = memoryLog()
    await log.publish(Array.from({ length: 50 }, (_, n) => generation(`s${n}`, 1)))
    const counts: number[] = []
    const gate = Promise.withResolvers<void>()
    let handled = 0
    await consume({ log, maxInFlight: 7, observer: { inFlight: (count) => counts.push(count) } }, async () => {
      await gate.promise
      handled++
    })
    await sleep(50)
    expect(Math.max(...counts)).toBe(7)
    gate.resolve()
    await until(() => handled === 50)
    expect(Math.max(...counts)).toBe(7)
  })

  it('does not run ahead of an event that is not handled further than it may, and goes on when it is', async () => {
    const log = memoryLog()
    const records = ['stuck', ...Array.from({ length: 200 }, (_, n) => `s${n}`)]
    await log.publish(records.map((subject) => ({ ...generation(subject, 1), partition: 0 })))
    const gate = Promise.withResolvers<void>()
    const seen: string[] = []
    await consume({ log, maxUnrecorded: 40 }, async ({ consecutive }) => {
      if (consecutive === 'stuck-1') await gate.promise
      seen.push(consecutive)
    })
    await until(() => seen.length === 39)
    await sleep(50)
    expect(seen).toHaveLength(39)
    gate.resolve()
    await until(() => seen.length === 201)
  })

  it('begins at the end or at a time when told to, and goes on from its own place after that', async () => {
    const log = memoryLog()
    await log.publish([generation('a', 1)])
    const seen: string[] = []
    const one = await consume({ log, start: 'end' }, into(seen))
    await sleep(20)
    await one.stop(100)
    await log.publish([generation('a', 2)])
    await consume({ log, start: 'end' }, into(seen))
    await until(() => seen.length === 1)
    expect(seen).toEqual(['a-2'])
    const since: string[] = []
    await sleep(5)
    const time = Date.now()
    await sleep(5)
    await log.publish([generation('a', 3)])
    await consume({ log, group: 'other', start: { time } }, into(since))
    await until(() => since.length === 1)
    expect(since).toEqual(['a-3'])
  })
})
