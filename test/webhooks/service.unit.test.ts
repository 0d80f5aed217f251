import { Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { MemoryLog } from '../../services/adapters/memory/log.ts'
import { PUBLIC_EVENT_TYPES } from '../../services/consumer/index.ts'
import { TOPIC } from '../../services/runtime/topics.ts'
import { createDelivery } from '../../services/webhooks/delivery.ts'
import { createWebhookMetrics } from '../../services/webhooks/metrics.ts'
import { noProgress, redeliver } from '../../services/webhooks/redeliver.ts'
import { startWebhooks, type Webhooks } from '../../services/webhooks/service.ts'
import type { Subscription } from '../../services/webhooks/subscriptions.ts'
import { generation, memoryLog, wire } from '../consumer/events.ts'
import { sleep, until } from '../ports/log-probes.ts'
import { Receiver, SECRET } from './receiver.ts'

const LIMITS = { deadlineMs: 150, retry: { attempts: 6, firstMs: 5, maxMs: 20 }, concurrency: 4, maxInFlight: 20 }

let log: MemoryLog
let registry: Registry
let lines: { fields: object; message: string }[]
const services: Webhooks[] = []
const receivers: Receiver[] = []

beforeEach(() => {
  log = memoryLog()
  registry = new Registry()
  lines = []
})
afterEach(async () => {
  await Promise.all(services.splice(0).map((service) => service.stop(50)))
  for (const receiver of receivers.splice(0)) receiver.close()
})

async function receiver(): Promise<Receiver> {
  const started = await Receiver.start()
  receivers.push(started)
  return started
}

const subscription = (name: string, { url }: Receiver, more: Partial<Subscription> = {}): Subscription => ({
  name,
  url,
  secrets: [SECRET],
  types: new Set(PUBLIC_EVENT_TYPES),
  start: 'beginning',
  ...more,
})

const serve = (...subscriptions: Subscription[]) => serveWith(LIMITS, ...subscriptions)

async function serveWith(limits: typeof LIMITS, ...subscriptions: Subscription[]): Promise<Webhooks> {
  const tell = (fields: object, message: string) => void lines.push({ fields, message })
  registry.clear()
  const service = await startWebhooks({
    ...limits,
    log,
    wire,
    subscriptions,
    metrics: createWebhookMetrics(registry),
    logger: { info: tell, warn: tell, error: tell },
  })
  services.push(service)
  return service
}

const versionsOf = (names: readonly string[], subject: string) =>
  names.filter((name) => name.startsWith(`${subject}-`)).map((name) => Number(name.split('-')[1]))

async function letters() {
  const found = []
  for await (const { value } of log.read(TOPIC.deadLetters, 0)) found.push(wire.decodeDeadLetter(value))
  return found
}

describe('webhooks', () => {
  it('bring everything, in order for each subject, to a receiver that fails in turns', async () => {
    const to = await receiver()
    const ways = [500, 'silence', 'reset', 503, { afterMs: 20 }, 204, 204] as const
    to.answer = (_call, nth) => ways[nth % ways.length] ?? 204
    await log.publish(Array.from({ length: 40 }, (_, n) => generation(`s${n % 4}`, Math.floor(n / 4) + 1)))
    const patient = { ...LIMITS, deadlineMs: 60, retry: { attempts: 50, firstMs: 1, maxMs: 5 } }
    await serveWith(patient, subscription('erp', to))
    await until(() => to.consecutives.length === 40)
    for (const subject of ['s0', 's1', 's2', 's3']) {
      const order = Array.from({ length: 10 }, (_, n) => n + 1)
      expect(versionsOf(to.consecutives, subject)).toEqual(order)
    }
    expect(await letters()).toEqual([])
    expect(new Set(lines.map(({ message }) => message))).toContain('the receiver takes events again')
  })

  it('send the same id and content for every attempt, and other ids for other events', async () => {
    const to = await receiver()
    to.answer = (_call, nth) => (nth <= 2 ? 500 : 204)
    await log.publish([generation('a', 1), generation('a', 2)])
    await serve(subscription('erp', to))
    await until(() => to.taken.length === 2)
    const [first, second, third, other] = to.calls
    expect([second?.id, third?.id]).toEqual([first?.id, first?.id])
    expect(second?.data).toEqual(first?.data)
    expect(other?.id).not.toBe(first?.id)
    expect(first?.id).toMatch(/^evt_[A-Za-z0-9_-]{27}$/)
    expect(first?.type).toBe('transaction.approved')
  })

  it('put an event that is never taken into the dead letters, and go on with the next of its subject', async () => {
    const to = await receiver()
    to.answer = ({ data }) => (data.consecutive === 'a-1' ? 500 : 204)
    await log.publish([generation('a', 1), generation('a', 2)])
    await serve(subscription('erp', to))
    await until(() => to.taken.length === 1)
    expect(to.consecutives).toEqual(['a-2'])
    expect(to.calls).toHaveLength(LIMITS.retry.attempts + 1)
    expect((await letters()).map(({ reason }) => reason)).toEqual(['webhooks.erp gave up after 6 attempts: status-500'])
  })

  it('let no receiver hold up another: one is dead, one is gone, one is slow', async () => {
    const [dead, gone, slow, good] = [await receiver(), await receiver(), await receiver(), await receiver()]
    dead.close()
    gone.answer = () => 410
    slow.answer = () => ({ afterMs: 120 })
    await log.publish(Array.from({ length: 100 }, (_, n) => generation(`s${n}`, 1)))
    const begin = performance.now()
    await serveWith(
      { ...LIMITS, deadlineMs: 2_000 },
      subscription('dead', dead),
      subscription('gone', gone),
      subscription('slow', slow),
      subscription('good', good),
    )
    await until(() => good.consecutives.length === 100)
    expect(performance.now() - begin).toBeLessThan(4_000)
    expect(slow.consecutives.length).toBeLessThan(100)
    expect(gone.calls.length).toBeLessThanOrEqual(LIMITS.concurrency)
    const text = await registry.metrics()
    expect(text).toContain('webhook_subscription_up{subscription="gone"} 0')
    expect(text).toContain('webhook_subscription_up{subscription="good"} 1')
    expect(text).toMatch(/webhook_attempts_total\{subscription="dead",result="ECONNREFUSED"\} \d+/)
    const inFlight = /webhook_in_flight\{subscription="slow"\} (\d+)/.exec(text)?.[1]
    expect(Number(inFlight)).toBeLessThanOrEqual(LIMITS.maxInFlight)
  })

  it('lose nothing when a receiver answers 410: the next start begins with that event', async () => {
    const to = await receiver()
    to.answer = ({ data }) => (data.consecutive === 'a-2' ? 410 : 204)
    await log.publish([generation('a', 1), generation('a', 2), generation('a', 3)])
    const service = await serve(subscription('erp', to))
    await until(() => lines.some(({ message }) => message.startsWith('no more deliveries')))
    await service.stop(50)
    expect(to.consecutives).toEqual(['a-1'])
    to.answer = () => 204
    await serve(subscription('erp', to))
    await until(() => to.taken.length === 3)
    expect(to.consecutives).toEqual(['a-1', 'a-2', 'a-3'])
  })

  it('go on after a stop in the middle of attempts: everything comes, and at most what was open comes twice', async () => {
    const to = await receiver()
    to.answer = (_call, nth) => (nth % 3 === 0 ? 'silence' : 204)
    await log.publish(Array.from({ length: 60 }, (_, n) => generation(`s${n % 6}`, Math.floor(n / 6) + 1)))
    const first = await serve(subscription('erp', to))
    await until(() => to.taken.length > 15)
    await first.stop(0)
    const before = to.taken.length
    expect(before).toBeLessThan(60)
    await serve(subscription('erp', to))
    await until(() => to.consecutives.length === 60)
    expect(to.taken.length - 60).toBeLessThanOrEqual(LIMITS.maxInFlight)
    for (const subject of ['s0', 's5'])
      expect(versionsOf(to.consecutives, subject)).toEqual(Array.from({ length: 10 }, (_, n) => n + 1))
  })

  it('tell a receiver of what it wants only', async () => {
    const to = await receiver()
    await log.publish([generation('a', 1), generation('a', 2, { responseCode: '65' })])
    await serve(
      subscription('declines', to, { types: new Set(['transaction.declined']) }),
      subscription('others', to, { acquirers: new Set(['B1']) }),
      subscription('codes', to, { transactionCodes: new Set(['REVERSAL']) }),
      subscription('clients', to, { clients: new Set(['nobody']) }),
    )
    await until(() => to.taken.length > 0)
    await sleep(50)
    expect(to.consecutives).toEqual(['a-2'])
  })
})

describe('redelivery', () => {
  const again = (to: Receiver, more: object = {}) => {
    const wanted = subscription('erp', to)
    const progress = noProgress()
    const delivery = createDelivery(wanted, LIMITS)
    const result = redeliver({
      ...LIMITS,
      log,
      wire,
      subscription: wanted,
      delivery,
      from: 'beginning',
      to: 'end',
      dryRun: false,
      signal: new AbortController().signal,
      progress,
      ...more,
    }).finally(() => delivery.close())
    return { progress, result }
  }

  it('brings what is on the log since a time once more, under the same ids, in order', async () => {
    const to = await receiver()
    await log.publish([generation('a', 1)])
    await sleep(5)
    const time = Date.now()
    await sleep(5)
    await log.publish([2, 3, 3, 4].map((version) => generation('a', version)))
    await serve(subscription('erp', to))
    await until(() => to.taken.length === 4)
    const ids = to.taken.slice(1).map(({ id }) => id)
    const { progress, result } = again(to, { from: { time } })
    await result
    expect(to.taken.slice(4).map(({ id }) => id)).toEqual(ids)
    expect(progress).toMatchObject({ read: 4, total: 4, matched: 3, delivered: 3, failed: 0 })
  })

  it('counts and delivers nothing on a dry run', async () => {
    const to = await receiver()
    await log.publish([generation('a', 1), generation('a', 2)])
    const { progress, result } = again(to, { dryRun: true })
    await result
    expect(progress).toMatchObject({ matched: 2, delivered: 0 })
    expect(to.calls).toEqual([])
  })

  it('says what was not taken, and ends at a receiver that is gone', async () => {
    const to = await receiver()
    await log.publish([generation('a', 1), generation('b', 1)])
    to.answer = ({ data }) => (data.consecutive === 'a-1' ? 400 : 204)
    const failing = again(to)
    await failing.result
    expect(failing.progress).toMatchObject({ delivered: 1, failed: 1 })
    expect([...failing.progress.reasons]).toEqual([['status-400', 1]])
    to.answer = () => 410
    await expect(again(to).result).rejects.toThrow('the receiver is gone (410)')
  })

  it('says where to go on when it is interrupted, and goes on there without a gap', async () => {
    const to = await receiver()
    await log.publish(Array.from({ length: 40 }, (_, n) => generation(`s${n % 5}`, Math.floor(n / 5) + 1)))
    const ended = new AbortController()
    to.answer = (_call, nth) => {
      if (nth === 12) ended.abort()
      return nth >= 12 ? 'silence' : 204
    }
    const next = await again(to, { signal: ended.signal }).result
    expect(to.consecutives.length).toBeLessThan(40)
    to.answer = () => 204
    await again(to, { from: { offsets: new Map(next.entries()) } }).result
    expect(to.consecutives).toHaveLength(40)
  })
})
