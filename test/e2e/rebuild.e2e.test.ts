// Redis emptied and rewound under load: the services stop deciding, bring it up to the log and go on. No token is spent
// twice, no balance is off, and what Redis holds equals a fold of the log.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRedisStore } from '../../services/adapters/redis/store.ts'
import { DEFAULT_RULES } from '../../services/core/subject/rules.ts'
import { differences, dumpLog, dumpStore, linesOf } from '../../services/runtime/recovery/dump.ts'
import { askRedis } from '../servers/redis-probe.ts'
import { Stack, until, wire } from './harness.ts'
import {
  codesOf,
  expectAgreement,
  expectSameWhenRepeated,
  importHolders,
  Load,
  statusesOf,
  type Holder,
} from './load.ts'

const CALLERS = 40
/** Transactions before the first loss; more by hand. */
const WARM = Number(process.env['REBUILD_TRANSACTIONS'] ?? 1_500)
const DECIDED_WITHIN_MS = 60_000 + WARM * 20
const GO_ON_WITHIN_MS = 60_000 + WARM * 5

let stack: Stack
let holders: readonly Holder[]

beforeAll(async () => {
  stack = await Stack.start({ instances: { ingress: 2, issuer: 2, authorizer: 2 } })
  holders = await importHolders(stack, 30)
}, 180_000)
afterAll(async () => stack?.stop())

const flushAll = async () => void (await askRedis(stack.servers.redisUrl, [['FLUSHALL']]))

/** What Redis holds is what the log says; gives it as lines. */
async function expectStoreEqualsLog(): Promise<readonly string[]> {
  const store = await createRedisStore({ url: stack.servers.redisUrl })
  try {
    const [log, held] = [await dumpLog(stack.log, wire, DEFAULT_RULES), await dumpStore(store.upkeep)]
    expect(differences(log, held, Date.now())).toEqual([])
    expect(log.size).toBeGreaterThan(100)
    return linesOf(held, Date.now())
  } finally {
    await store.close()
  }
}

/** Runs a load, does something to Redis once it is warm, and holds log, store and answers against each other. */
async function underLoad(warm: number, loss: () => Promise<void>): Promise<void> {
  const load = new Load(stack, { callers: CALLERS, holders })
  await until('the load is under way', DECIDED_WITHIN_MS, () => load.decided > warm)
  await loss()
  const begun = performance.now()
  const before = load.decided
  await until('the services decide again', GO_ON_WITHIN_MS, () => load.decided > before + 200)
  const ms = Math.round(performance.now() - begun)
  const transactions = await load.stop()
  const [statuses, codes] = [statusesOf(transactions), codesOf(transactions)].map((of) => JSON.stringify(of))
  process.stdout.write(`200 more ${ms} ms after the loss; statuses ${statuses}, codes ${codes}\n`)
  await expectAgreement(
    stack,
    transactions,
    holders.map((holder) => ({ ...holder, initialMinor: left(holder) })),
  )
  for (const { holder, answer, body } of transactions) {
    if (body.transactionCode === 'TOKEN_PURCHASE' && answer?.body.responseCode === '00') {
      spent.set(holder.slot, (spent.get(holder.slot) ?? 0) + Number(body['amount']) * 100)
    }
  }
  await expectSameWhenRepeated(stack, transactions)
  await expectStoreEqualsLog()
}

const spent = new Map<string, number>()
const left = ({ slot, initialMinor }: Holder) => initialMinor - (spent.get(slot) ?? 0)

describe('a store that loses what it had, under load', () => {
  it(
    'is rebuilt after FLUSHALL, which cuts no connection',
    async () => {
      await underLoad(WARM, flushAll)
    },
    300_000 + WARM * 60,
  )

  it('is brought up to the log when Redis comes back with an older copy of its files', async () => {
    const putBack = await stack.servers.redis.keep()
    await underLoad(300, async () => {
      await stack.servers.redis.kill()
      await putBack()
      await stack.servers.redis.start()
    })
  }, 300_000)

  it('is rebuilt by others when those who do it are killed in the middle', async () => {
    await underLoad(300, async () => {
      await flushAll()
      const victims = ['issuer-1', 'authorizer-1'].map((name) => stack.service(name))
      await until('a catch-up has begun', 10_000, async () => {
        const [owner] = await askRedis(stack.servers.redisUrl, [['GET', 'store:owner']])
        return owner !== null
      }).catch(() => undefined)
      await Promise.all(victims.map(async (service) => service.kill()))
      await flushAll()
      await Promise.all(victims.map(async (service) => service.start()))
    })
  }, 300_000)

  it('is found damaged and made again by the command line, and is then as before', async () => {
    const before = await expectStoreEqualsLog()
    const balance = (await askRedis(stack.servers.redisUrl, [['KEYS', 'account:*']]))[0] as readonly Buffer[]
    await askRedis(stack.servers.redisUrl, [
      ['SET', String(balance[0]), '{"type":"10","balanceMinor":1}'],
      ['DEL', String(balance[1])],
      ['SET', 'guard:{D.nobody}', '{}'],
    ])
    const damaged = await stack.run('services/cli/audit.ts', ['rebuild', '--check'])
    expect(damaged.code).toBe(1)
    for (const kind of ['different', 'missing', 'extra']) expect(damaged.output).toContain(`${kind}: `)
    const rebuilt = await stack.run('services/cli/audit.ts', ['rebuild', '--clear'])
    expect(rebuilt.output).toContain('Redis holds what the log says')
    expect(rebuilt.code).toBe(0)
    expect(await expectStoreEqualsLog()).toEqual(before)
    const checked = await stack.run('services/cli/audit.ts', ['rebuild', '--check', '--json'])
    expect(checked.code).toBe(0)
    expect(JSON.parse(checked.output)).toMatchObject({ found: [] })
  }, 120_000)
})
