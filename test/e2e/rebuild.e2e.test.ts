// Redis emptied and rewound under load: the services stop deciding, bring it up to the log and go on. No token is spent
// twice, no balance is off, and what Redis holds equals a fold of the log.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRedisStore } from '../../services/adapters/redis/store.ts'
import type { DecisionEvent } from '../../services/core/subject/event.ts'
import { DEFAULT_RULES } from '../../services/core/subject/rules.ts'
import { endsOf } from '../../services/runtime/recovery/recovery.ts'
import { differences, dumpLog, dumpStore, linesOf } from '../../services/runtime/recovery/dump.ts'
import { publicKeysOf } from '../../services/adapters/keys/signing.ts'
import { followEvents } from '../../services/consumer/index.ts'
import { SEIZED_MS } from '../../services/runtime/recovery/catch-up.ts'
import { TOPIC } from '../../services/runtime/topics.ts'
import { askRedis, type RedisReply } from '../servers/redis-probe.ts'
import { ROOT, Stack, until, wire, type Finished } from './harness.ts'
import {
  codesOf,
  expectAgreement,
  expectSameWhenRepeated,
  importHolders,
  Load,
  statusesOf,
  type Holder,
} from './load.ts'
import { frozenInItsCatchUp, frozenWithEvents, hasCaughtUp, newestEpoch, voidEvents, workersOf } from './recoveries.ts'

const CALLERS = 40
/** Transactions before the first loss; more by hand. */
const WARM = Number(process.env['REBUILD_TRANSACTIONS'] ?? 1_500)
const DECIDED_WITHIN_MS = 60_000 + WARM * 20
/** Keys of a store that is being made: its notes are a few. */
const WRITTEN_KEYS = 100
/** Times that workers are put to sleep, to find them between a decision and its event. */
const SLEEPS = 20
const SLEEPER_PUBLISHES_WITHIN_MS = 1_000
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

/** What the consumer kit hands over, from the beginning to the present end, is none of these. */
async function expectNotConsumed(approvals: readonly DecisionEvent[]): Promise<void> {
  const ends = await endsOf(stack.log, TOPIC.events)
  const reached = ends.map(() => 0n)
  const numbers = new Set<string>()
  const following = await followEvents({
    log: stack.log,
    wire,
    from: ends.map(() => 0n),
    handle: ({ partition, events, next }) => {
      reached[partition] = next
      for (const { authorizationNumber, consecutive } of events)
        numbers.add(`${consecutive} ${authorizationNumber ?? ''}`)
    },
  })
  await until('all is read', 30_000, () => ends.every((end, n) => (reached[n] ?? 0n) >= end))
  await following.stop()
  expect(numbers.size).toBeGreaterThan(100)
  for (const { command, drawn } of approvals)
    expect(numbers).not.toContain(`${command.scope.consecutive} ${drawn.authorizationNumber}`)
}

/** The JSON that a command printed, behind what it may have told of its progress. */
const resultOf = ({ output }: Finished): unknown => JSON.parse(output.slice(output.indexOf('{')))

const owner = async () => (await askRedis(stack.servers.redisUrl, [['GET', 'store:owner']]))[0]

/** Starts a rebuild, and sends the signal once it has written some of what it reads and before it is done. */
async function rebuildUntilItWrites(signal: NodeJS.Signals) {
  const cli = join(ROOT, 'services', 'cli', 'audit.ts')
  const child = spawn(process.execPath, [cli, 'rebuild'], { env: stack.env })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (text) => (output.stdout += String(text)))
  child.stderr.on('data', (text) => (output.stderr += String(text)))
  const ended = once(child, 'close')
  let state: readonly RedisReply[] = []
  await until(
    'it has written something',
    30_000,
    async () => {
      state = await askRedis(stack.servers.redisUrl, [['DBSIZE'], ['GET', 'store:owner'], ['GET', 'store:term']])
      return Number(state[0]) > WRITTEN_KEYS
    },
    1,
  )
  child.kill('SIGSTOP')
  const [, seizedBy, term] = state
  expect(seizedBy).not.toBeNull()
  expect(term).toBeNull()
  child.kill(signal)
  child.kill('SIGCONT')
  const [code] = (await ended) as [number | null]
  return { code, ...output }
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

  it('is rebuilt by another one when the one that does it is killed in the middle', async () => {
    await underLoad(300, async () => {
      const holder = await frozenInItsCatchUp(stack)
      const before = newestEpoch(stack)
      await holder.kill()
      // Who is dead holds the store for 15 seconds more: the test does not wait for the rest of them.
      const [left] = await askRedis(stack.servers.redisUrl, [['PTTL', 'store:owner']])
      expect(left).toBeGreaterThan(0)
      expect(left).toBeLessThanOrEqual(SEIZED_MS)
      await askRedis(stack.servers.redisUrl, [['PEXPIRE', 'store:owner', '100']])
      const others = workersOf(stack).filter((one) => one !== holder)
      await until('another one has caught up', 30_000, () => others.some((one) => hasCaughtUp(one, before - 1)))
      await holder.start()
    })
  }, 300_000)

  it('counts for nothing what a worker publishes that slept through its loss and rebuild', async () => {
    await underLoad(300, async () => {
      const sleepers = ['issuer-1', 'authorizer-1'].map((name) => stack.service(name))
      const awake = workersOf(stack).filter((one) => !sleepers.includes(one))
      for (let sleeps = 0, found = 0; sleeps < SLEEPS && found === 0; sleeps++) {
        const before = newestEpoch(stack)
        const wake = await frozenWithEvents(stack, ...sleepers)
        await flushAll()
        await until('others have caught up', 30_000, () => awake.some((one) => hasCaughtUp(one, before)))
        wake()
        await until('it counts nowhere', SLEEPER_PUBLISHES_WITHIN_MS, async () => {
          found = (await voidEvents(stack)).approvals.length
          return found > 0
        }).catch(() => undefined)
      }
    })
    const verified = await stack.run('services/cli/audit.ts', ['verify', '--json'], {
      ...stack.env,
      AUDIT_PUBLIC_KEYS: JSON.stringify(publicKeysOf([{ id: 'k1', key: Buffer.alloc(32, 1).toString('base64') }])),
    })
    const { all, approvals } = await voidEvents(stack)
    process.stdout.write(`${all.length} void events, ${approvals.length} of them approvals that count nowhere\n`)
    expect(approvals.length).toBeGreaterThan(0)
    expect(verified.code).toBe(0)
    const { partitions, faults } = resultOf(verified) as { partitions: { void: number }[]; faults: unknown[] }
    expect(partitions.reduce((sum, part) => sum + part.void, 0)).toBe(all.length)
    expect(faults).toEqual([])
    await expectNotConsumed(approvals)
  }, 300_000)

  it('is found damaged and made again by the command line, and is then as before', async () => {
    const before = await expectStoreEqualsLog()
    const { redisUrl } = stack.servers
    const keysLike = async (pattern: string) => (await askRedis(redisUrl, [['KEYS', pattern]]))[0] as readonly Buffer[]
    const outcome = String((await keysLike('outcome:*'))[0])
    const versions = (await keysLike('version:*')).map(String)
    const texts = (await askRedis(redisUrl, [['MGET', ...versions]]))[0] as readonly Buffer[]
    const at = texts.findIndex((text) => text.includes('"accounts"'))
    await askRedis(redisUrl, [
      ['SET', String(versions[at]), String(texts[at]).replace(/"balanceMinor":\d+/, '"balanceMinor":1')],
      ['DEL', outcome],
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
    expect(resultOf(checked)).toMatchObject({ found: [] })
  }, 120_000)

  it('is made again by a command line that goes on after it was interrupted and killed on its way', async () => {
    const before = await expectStoreEqualsLog()
    await Promise.all(workersOf(stack).map((service) => service.kill()))
    await flushAll()
    const interrupted = await rebuildUntilItWrites('SIGINT')
    expect(interrupted).toMatchObject({ code: 130, stdout: '', stderr: expect.stringContaining('interrupted') })
    // Whoever comes next need not wait for it.
    expect(await owner()).toBeNull()
    await flushAll()
    const killed = await rebuildUntilItWrites('SIGKILL')
    expect(killed).toMatchObject({ code: null, stdout: '' })
    expect(await owner()).not.toBeNull()
    const [term] = await askRedis(stack.servers.redisUrl, [['GET', 'store:term']])
    expect(term).toBeNull()
    // The rest of its 15 seconds.
    await askRedis(stack.servers.redisUrl, [['PEXPIRE', 'store:owner', '100']])
    const rebuilt = await stack.run('services/cli/audit.ts', ['rebuild'])
    expect(rebuilt).toMatchObject({
      code: 0,
      output: expect.stringMatching(/Redis holds what the log says: [\d,]+ rec/),
    })
    expect(await expectStoreEqualsLog()).toEqual(before)
  }, 120_000)
})
