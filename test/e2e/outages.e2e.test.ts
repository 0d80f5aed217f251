// Kafka and Redis killed and started again under load: callers get 503 or 500 and never a decline for it, and the
// services recover by themselves.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TOPIC } from '../../services/runtime/topics.ts'
import { isReady, Stack, until } from './harness.ts'
import { generation, terminal } from './http.ts'
import {
  codesOf,
  expectAgreement,
  expectSameWhenRepeated,
  importHolders,
  Load,
  statusesOf,
  type Holder,
  type Transaction,
} from './load.ts'
import type { FaultyServer } from '../servers/faulty.ts'

const CALLERS = 60
const WARM = 300
/** Shorter than by default, so that open calls end while the server is still away. */
const REPLY_TIMEOUT_MS = 4_000
const NOTICED_WITHIN_MS = 10_000
const RECOVERED_WITHIN_MS = 45_000

let stack: Stack
let holders: readonly Holder[]
const everything: Transaction[] = []

beforeAll(async () => {
  stack = await Stack.start({ instances: { ingress: 2 }, env: { REPLY_TIMEOUT_MS: String(REPLY_TIMEOUT_MS) } })
  holders = await importHolders(stack, 30)
}, 180_000)
afterAll(async () => stack?.stop())

interface Newcomer {
  readonly consecutive: string
  readonly status: number
}

/** New calls, one after the other, while `running`: those that find out. Each has a subject of its own. */
async function newcomers(running: () => boolean): Promise<readonly Newcomer[]> {
  const calls: Promise<Newcomer>[] = []
  while (running()) {
    const ask = generation({ acquirer: terminal(`N${calls.length}`) })
    calls.push(stack.post(ask, { door: calls.length }).then(({ status }) => ({ consecutive: ask.consecutive, status })))
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  return Promise.all(calls)
}

const pids = () => [...stack.services.values()].map(({ pid }) => pid)
const readiness = async () => Promise.all([...stack.services.values()].map(async ({ url }) => isReady(url)))

interface Outage {
  readonly transactions: readonly Transaction[]
  readonly newcomers: readonly Newcomer[]
}

/** `victims` are killed as well while the server is away, and started after it. */
async function outageOf(server: FaultyServer, victims: readonly string[] = []): Promise<Outage> {
  const before = pids()
  const load = new Load(stack, { callers: CALLERS, holders, dropRefused: true })
  await until('the load is under way', 30_000, () => load.decided > WARM)
  await server.kill()
  let away = true
  const others = newcomers(() => away)
  await until('nothing says that it is ready', NOTICED_WITHIN_MS, async () =>
    (await readiness()).every((ready) => !ready),
  )
  for (const door of stack.doors.keys()) {
    const refused = await stack.post(generation({ acquirer: terminal('REFUSED1') }), { door })
    expect(refused.status).toBe(503)
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    expect(String(refused.headers['content-type'])).toContain('application/problem+json')
  }
  // Long enough for calls that were open to end without an answer.
  await new Promise((resolve) => setTimeout(resolve, REPLY_TIMEOUT_MS))
  await Promise.all(victims.map(async (name) => stack.service(name).kill()))
  await server.start()
  await Promise.all(victims.map(async (name) => stack.service(name).start()))
  const back = performance.now()
  await until('all are ready again', RECOVERED_WITHIN_MS, async () => (await readiness()).every(Boolean))
  console.log(`all ready ${Math.round(performance.now() - back)} ms after the server`)
  away = false
  const seen = load.decided
  await until('the load goes on', RECOVERED_WITHIN_MS, () => load.decided > seen + WARM)
  const transactions = await load.stop()
  if (victims.length === 0) expect(pids()).toEqual(before)
  everything.push(...transactions)
  console.log(`statuses ${JSON.stringify(statusesOf(transactions))}, codes ${JSON.stringify(codesOf(transactions))}`)
  return { transactions, newcomers: await others }
}

async function expectHonesty({ transactions, newcomers: others }: Outage): Promise<void> {
  // No connection fails, and the only decline is that of a transaction which was taken up after its deadline.
  expect(Object.keys(statusesOf(transactions)).filter((status) => !['200', '500', '503'].includes(status))).toEqual([])
  expect(Object.keys(codesOf(transactions)).filter((code) => code !== '00' && code !== '68')).toEqual([])
  expect(others.filter(({ status }) => ![200, 500, 503].includes(status))).toEqual([])
  const refused = [
    ...transactions.filter(({ answer }) => answer === null).map(({ body }) => body),
    ...others.filter(({ status }) => status === 503),
  ].map(({ consecutive }) => consecutive)
  expect(refused.length).toBeGreaterThan(50)
  // 503 says that nothing was accepted: nothing of it is on a request topic.
  const requests = [...(await stack.records(TOPIC.tokenRequests)), ...(await stack.records(TOPIC.purchaseRequests))]
  const asked = new Set(requests.map((record) => record.headers['ce_id']?.split('#')[0]?.split(':')[2]))
  expect(refused.filter((id) => asked.has(id))).toEqual([])
  await expectAgreement(stack, everything, holders)
  await expectSameWhenRepeated(stack, transactions)
}

describe('with load on two ingress processes', () => {
  it('Kafka dies and comes back: 503 or 500, then service again without a restart', async () => {
    await expectHonesty(await outageOf(stack.servers.kafka))
  })

  it('Redis dies and comes back: 503 or 500, then service again without a restart', async () => {
    await expectHonesty(await outageOf(stack.servers.redis))
  })

  it('Redis dies, and then the workers that hold requests: those are taken up again', async () => {
    await expectHonesty(await outageOf(stack.servers.redis, ['issuer-1', 'authorizer-1']))
  })
})
