// Those who react to authorizations, on a real Kafka: a CSV file of approvals and webhooks, both killed in the middle.
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { parse } from 'csv-parse/sync'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { publicEventOf, type PublicEvent } from '../../services/consumer/public-event.ts'
import { TOPIC } from '../../services/runtime/topics.ts'
import { startProcess, untilReady, type ServerProcess } from '../../scripts/processes.ts'
import { freePort, LOOPBACK } from '../../scripts/ports.ts'
import { Receiver, SECRET } from '../webhooks/receiver.ts'
import { ROOT, Stack, until, wire } from './harness.ts'

const CSV = 'services/consumer/examples/approvals-csv.ts'
const WEBHOOKS = 'services/webhooks/main.ts'
const ROUNDS = 6
const CALLS = 50
/** Of one terminal: a sixth live token would be declined. */
const EACH = 4
const WITHIN_MS = 60_000

let stack: Stack
let folder: string
let calls = 0
const children: ServerProcess[] = []
const receivers: Receiver[] = []

beforeAll(async () => {
  stack = await Stack.start()
  folder = mkdtempSync(join(tmpdir(), 'consumers-'))
}, 180_000)
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.kill()))
  for (const receiver of receivers.splice(0)) receiver.close()
})
afterAll(async () => {
  await stack?.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Generations, all approved: a few for each terminal, which is their subject. */
async function approve(count: number): Promise<void> {
  const bodies = Array.from({ length: count }, () => {
    const consecutive = `consumer-${++calls}`
    const terminalId = `T${Math.floor(calls / EACH)}`
    return {
      consecutive,
      transactionCode: 'TOKEN_GENERATION',
      acquirer: { id: 'A1', storeId: '1', terminalId },
      ttlSeconds: 30,
    }
  })
  await Promise.all(bodies.map((body) => stack.post(body)))
}

async function start(script: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<ServerProcess> {
  const child = await startProcess({
    name: script,
    command: process.execPath,
    args: [join(ROOT, script), ...args],
    env: { ...stack.env, ...env },
    cwd: folder,
    log: join(folder, 'output.log'),
    stopWithinMs: 12_000,
  })
  children.push(child)
  return child
}

/** What is on the log, each event once. */
async function events(wanted: (event: PublicEvent) => boolean): Promise<readonly PublicEvent[]> {
  const found = new Map<string, PublicEvent>()
  for (const { value } of await stack.records(TOPIC.events)) {
    const event = publicEventOf(wire.decodeEvent(value))
    if (event && wanted(event)) found.set(event.id, event)
  }
  return [...found.values()]
}

const isApproval = ({ type }: PublicEvent) => type === 'transaction.approved'
const output = () => readFileSync(join(folder, 'output.log'), 'utf8')

describe('the CSV file of approvals', () => {
  it('has exactly one line for each approval, however often its writer is killed', async () => {
    const file = join(folder, 'approvals.csv')
    const lines = () => (existsSync(file) ? readFileSync(file, 'utf8').split('\r\n').length - 2 : 0)
    let before = 0
    for (let round = 0; round < ROUNDS; round++) {
      const writer = await start(CSV, ['--file', file])
      const traffic = approve(CALLS)
      await until('the writer is at it', WITHIN_MS, () => lines() > before)
      await sleep(Math.random() * 60)
      await writer.kill()
      await traffic
      before = lines()
    }
    const last = await start(CSV, ['--file', file, '--once'])
    expect(await last.exited).toMatchObject({ code: 0 })
    const rows: Record<string, string>[] = parse(readFileSync(file), { bom: true, columns: true, delimiter: ';' })
    const approvals = await events(isApproval)
    expect(approvals.length).toBeGreaterThan(CALLS)
    expect(rows.map(({ event }) => event).toSorted()).toEqual(approvals.map(({ id }) => id).toSorted())
    const places = await Promise.all(rows.map(async ({ event = '' }) => event.split('#')))
    for (const subject of new Set(places.map(([slot]) => slot))) {
      const versions = places.filter(([slot]) => slot === subject).map(([, version]) => Number(version))
      expect(versions).toEqual(versions.toSorted((a, b) => a - b))
    }
  })

  it('is refused on another log, and when there is none, with a sentence that says what to do', async () => {
    const file = join(folder, 'approvals.csv')
    const place = JSON.parse(readFileSync(`${file}.place.json`, 'utf8')) as { offsets: string[] }
    const ahead = { ...place, offsets: place.offsets.map(() => '999999999') }
    const copy = stack.write('other.csv', readFileSync(file, 'utf8'))
    stack.write('other.csv.place.json', JSON.stringify(ahead))
    const refused = await stack.run(CSV, ['--file', copy, '--once'])
    expect(refused).toMatchObject({ code: 2 })
    expect(refused.output).toContain('is of another log')
    const env = { ...stack.env, KAFKA_BROKERS: `${LOOPBACK}:${await freePort()}` }
    const alone = await stack.run(CSV, ['--file', join(folder, 'none.csv'), '--once'], env)
    expect(alone.code).toBe(2)
    expect(alone.output).toContain('Kafka does not answer')
    expect(existsSync(join(folder, 'none.csv'))).toBe(false)
  })
})

describe('webhooks', () => {
  async function subscribe(...named: readonly (readonly [string, Receiver, object?])[]): Promise<NodeJS.ProcessEnv> {
    const subscriptions = named.map(([name, { url }, more]) => ({ name, url, secrets: [SECRET], ...more }))
    return {
      WEBHOOKS_FILE: stack.write('webhooks.json', JSON.stringify({ subscriptions })),
      WEBHOOK_DEADLINE_MS: '500',
      WEBHOOK_RETRY_FIRST_MS: '20',
      WEBHOOK_RETRY_MAX_MS: '200',
      WEBHOOK_ATTEMPTS: '40',
      HEALTH_PORT: String(await freePort()),
    }
  }

  async function receiver(): Promise<Receiver> {
    const started = await Receiver.start()
    receivers.push(started)
    return started
  }

  /** Resolves when it is ready. */
  async function serve(env: NodeJS.ProcessEnv): Promise<ServerProcess> {
    const child = await start(WEBHOOKS, [], env)
    const url = `http://${LOOPBACK}:${env['HEALTH_PORT']}/health/ready`
    const ready = () =>
      fetch(url).then(
        ({ ok }) => ok,
        () => false,
      )
    await untilReady(child, join(folder, 'output.log'), WITHIN_MS, ready)
    return child
  }

  it('lose nothing when their service is killed under load, before receivers that fail in turns', async () => {
    const [flaky, good] = [await receiver(), await receiver()]
    const ways = [500, 204, 'reset', 204, 503, 'silence', 204, { afterMs: 30 }] as const
    flaky.answer = (_call, nth) => ways[nth % ways.length] ?? 204
    const env = await subscribe(['flaky', flaky, { start: 'beginning' }], ['good', good, { start: 'end' }])
    let service = await serve(env)
    const first = calls
    for (let round = 0; round < 2; round++) {
      const traffic = approve(CALLS)
      await sleep(100)
      await service.kill()
      await traffic
      service = await serve(env)
    }
    const approvals = await events(isApproval)
    const fresh = approvals.filter(({ consecutive }) => Number(consecutive.split('-')[1]) > first)
    expect(fresh).toHaveLength(2 * CALLS)
    const ids = (to: Receiver) => new Set(to.taken.map(({ data }) => `${data.subject}#${data.version}`))
    const missing = () => {
      const [all, since] = [ids(flaky), ids(good)]
      return {
        flaky: approvals.filter(({ id }) => !all.has(id)).map(({ id }) => id),
        good: fresh.filter(({ id }) => !since.has(id)).map(({ id }) => id),
      }
    }
    await expect.poll(missing, { timeout: WITHIN_MS }).toEqual({ flaky: [], good: [] })
    expect([...ids(good)].toSorted()).toEqual(fresh.map(({ id }) => id).toSorted())
    for (const subject of new Set(fresh.map((event) => event.subject))) {
      const order = [...ids(flaky)].filter((id) => id.startsWith(`${subject}#`)).map((id) => Number(id.split('#')[1]))
      expect(order).toEqual(order.toSorted((a, b) => a - b))
    }
    expect(await service.stop()).toMatchObject({ code: 0 })
    const metrics = output()
    expect(metrics).not.toContain(SECRET)
  })

  it('go on by themselves when the broker was gone for a while, and lose nothing', async () => {
    const to = await receiver()
    await serve(await subscribe(['outage', to]))
    const first = calls
    await approve(5)
    await until('the first ones are delivered', WITHIN_MS, () => to.consecutives.length === 5)
    await stack.servers.kafka.kill()
    await sleep(1_000)
    await stack.servers.kafka.start()
    await until('deliveries go on', WITHIN_MS, async () => {
      await approve(1)
      return to.consecutives.length > 5
    })
    const fresh = await events((event) => isApproval(event) && Number(event.consecutive.split('-')[1]) > first)
    const ids = () => new Set(to.taken.map(({ data }) => `${data.subject}#${data.version}`))
    await until('everything is delivered', WITHIN_MS, () => fresh.every(({ id }) => ids().has(id)))
  })

  it('are delivered again by command line, since a time, and only what there is', async () => {
    const to = await receiver()
    const env = { ...stack.env, ...(await subscribe(['erp', to])) }
    const since = new Date().toISOString()
    await approve(10)
    const args = ['redeliver', '--subscription', 'erp', '--from', since]
    const dry = await stack.run(WEBHOOKS, [...args, '--dry-run'], env)
    expect(dry).toMatchObject({ code: 0 })
    expect(dry.output).toContain('10 of them for this subscription, 0 delivered')
    const done = await stack.run(WEBHOOKS, args, env)
    expect(done).toMatchObject({ code: 0 })
    expect(done.output).toContain('10 delivered, 0 failed')
    expect(to.consecutives).toHaveLength(10)
    const unknown = await stack.run(WEBHOOKS, ['redeliver', '--subscription', 'x', '--from', '1h'], env)
    expect(unknown).toMatchObject({ code: 2 })
    expect(unknown.output).toContain('there are: erp')
    to.answer = () => 400
    const failed = await stack.run(WEBHOOKS, [...args, '--attempts', '1'], env)
    expect(failed).toMatchObject({ code: 1 })
    expect(failed.output).toContain('10 not delivered: status-400')
  })

  it('stop the start with the name of what is wrong', async () => {
    const to = await receiver()
    to.url = 'http://example.com/hook'
    const refused = await stack.run(WEBHOOKS, [], { ...stack.env, ...(await subscribe(['erp', to])) })
    expect(refused).toMatchObject({ code: 1 })
    expect(refused.output).toContain('WEBHOOKS_FILE.subscriptions[0].url: must be https, unless it names this machine')
    expect(refused.output).not.toContain('example.com')
  })
})
