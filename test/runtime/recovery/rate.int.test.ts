// How fast a store is made again from a real topic, against a bare read of that topic and bare writes of as much, in the
// same run; and that memory stays flat. REBUILD_EVENTS for more events than the few that every run of the tests takes.
import { randomBytes } from 'node:crypto'
import { expect, it, vi } from 'vitest'
import { createKafkaLog } from '../../../services/adapters/kafka/log.ts'
import { createTopics } from '../../../services/adapters/kafka/topics.ts'
import { createRedisStore } from '../../../services/adapters/redis/store.ts'
import type { DecisionEvent } from '../../../services/core/subject/event.ts'
import { DEFAULT_RULES } from '../../../services/core/subject/rules.ts'
import { catchUp } from '../../../services/runtime/recovery/catch-up.ts'
import { endsOf } from '../../../services/runtime/recovery/recovery.ts'
import { TOPIC, TOPICS } from '../../../services/runtime/topics.ts'
import { hashOf } from '../../../services/runtime/event-hash.ts'
import { bareReadRate } from '../../adapters/kafka/bare-read.ts'
import { bareWriteRate } from '../../adapters/redis/bare-write.ts'
import { bench, commands, keys, wire } from '../worker/harness.ts'

const EVENTS = Number(process.env['REBUILD_EVENTS'] ?? 20_000)
const HOLDERS = 100
const BATCH = 500
/** Of a bare read or write, whichever is slower. In a small run a consumer that joins takes most of the time. */
const SHARE = EVENTS >= 50_000 ? 0.5 : 0.2

const silent = { info: () => {}, warn: () => {}, error: () => {} }

/** Decisions on holders' slots and terminals', as workers make them: one in four is of another kind than the next. */
async function decided(): Promise<readonly DecisionEvent[]> {
  const b = await bench()
  const { worker } = await b.worker()
  const holder = async (n: number) => {
    const [card, document] = [`60395910000${n}`, `CC:${n}`]
    await b.ask(commands.registration(`zqr${n}`, { card, document }))
    await b.ask(commands.opening(`zqo${n}`, { document, amount: 100_000 }))
    for (let m = 0; m < 4; m++) {
      const generated = await b.ask(commands.generation(`zqg${n}-${m}`, { card }))
      const token = generated?.token ? keys.reveal(generated.token) : '000000'
      await b.ask(commands.spending(`zqp${n}-${m}`, { card, token, amount: 10 }))
      if (m === 3) await b.ask(commands.undoing('REVERSAL', `zqp${n}-${m}`))
    }
  }
  await Promise.all(Array.from({ length: HOLDERS }, (_, n) => holder(n)))
  const events = (await b.events()).filter((event) => 'slot' in event)
  await worker.stop(1_000)
  const once = new Map(events.map((event) => [`${event.slot}#${event.version}`, event]))
  return [...once.values()]
}

/** The same decisions for other people: other slots, other consecutives, chains of their own. */
function* copies(events: readonly DecisionEvent[], count: number): Generator<{ slot: string; value: Uint8Array }> {
  const texts = events.map((event) => JSON.stringify(event))
  for (let copy = 0; ; copy++) {
    const heads = new Map<string, string>()
    for (const text of texts) {
      if (count-- <= 0) return
      const renamed = text.replaceAll('zq', `q${copy}x`).replaceAll(/"([CDKT])\.i1\./g, `"$1.i1.${copy}x`)
      const event = JSON.parse(renamed) as DecisionEvent
      const { value } = wire.encodeEvent({ ...event, previousHash: heads.get(event.slot) ?? '' })
      heads.set(event.slot, hashOf(value))
      yield { slot: event.slot, value }
    }
  }
}

it(`makes ${EVENTS} events into a store at ${SHARE} of the rate of a bare read or write at least, in flat memory`, async () => {
  const [brokers, url] = [(process.env['KAFKA_BROKERS'] ?? '').split(','), process.env['REDIS_URL'] ?? '']
  await createTopics({ brokers, clientId: 'rate', logger: silent }, TOPICS)
  const log = await createKafkaLog({ brokers, clientId: 'rate', logger: silent })
  const store = await createRedisStore({ url, keyPrefix: `rate${randomBytes(4).toString('hex')}:` })
  // A topic that was just made has no leader for a moment.
  const begins = await vi.waitFor(() => endsOf(log, TOPIC.events), { timeout: 10_000, interval: 200 })
  const batch: Parameters<typeof log.publish>[0][number][] = []
  for (const { slot: key, value } of copies(await decided(), EVENTS)) {
    batch.push({ topic: TOPIC.events, key, value, headers: { epoch: '999' } })
    if (batch.length >= BATCH) await log.publish(batch.splice(0))
  }
  await log.publish(batch)

  const heap = [] as number[]
  const begun = performance.now()
  await store.upkeep.seize('rate', 60_000)
  const { records } = await catchUp({
    log,
    wire,
    upkeep: store.upkeep,
    rules: DEFAULT_RULES,
    clock: { now: () => Date.now() },
    owner: 'rate',
    progress: new Map(begins.map((next, partition) => [partition, { next: next + 1_000n, epoch: 0 }])),
    fromEmpty: true,
    ends: await endsOf(log, TOPIC.events),
    epoch: 1_000,
    onProgress: () => void heap.push(process.memoryUsage().heapUsed + process.memoryUsage().external),
    stopped: () => false,
  })
  const rebuild = records / ((performance.now() - begun) / 1_000)
  expect(records).toBeGreaterThanOrEqual(EVENTS)
  const keys = new Map<string, string>()
  for await (const { slot, name, value } of store.upkeep.held()) {
    // One key has the version and the base.
    const key = `${slot}:${name === 'base' ? 'version' : name}`
    keys.set(key, (keys.get(key) ?? '') + value)
  }
  const entries = [...keys]
  expect(entries.length).toBeGreaterThan(EVENTS)
  const total = (await endsOf(log, TOPIC.events)).reduce((sum, end) => sum + Number(end), 0)
  const read = await bareReadRate(brokers, TOPIC.events, total)
  const written = ((await bareWriteRate(url, entries)) * records) / entries.length
  const figures = [rebuild, read, written].map((rate) => Math.round(rate).toLocaleString('en'))
  const peak = (part: readonly number[]) => Math.round(Math.max(...part) / 2 ** 20)
  const half = heap.length >> 1
  process.stdout.write(
    `events a second: rebuild ${figures[0]}, bare read ${figures[1]}, bare write of as much ${figures[2]}; ` +
      `memory at most ${peak(heap.slice(0, half))} MB in the first half, ${peak(heap.slice(half))} MB in the second\n`,
  )
  expect(rebuild).toBeGreaterThan(SHARE * Math.min(read, written))
  expect(peak(heap.slice(half))).toBeLessThan(peak(heap.slice(0, half)) * 1.5 + 50)
  await Promise.all([store.close(), log.close()])
}, 600_000)
