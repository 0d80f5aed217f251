// The store on a real Redis: the contract of every store, and what only a server and a network can do to it.

import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRedisStore, type RedisStoreOptions } from '../../../services/adapters/redis/store.ts'
import { StoreError, type Store, type Unit } from '../../../services/ports/store.ts'
import { storeContract } from '../../ports/store-contract.ts'
import { storeUpkeepContract } from '../../ports/store-upkeep-contract.ts'
import { startProxy } from './proxy.ts'

const WAIT_MS = 5_000

function redisUrl(): URL {
  const url = process.env['REDIS_URL']
  if (url === undefined) throw new Error('REDIS_URL must name a real Redis')
  return new URL(url)
}

async function until(reached: () => boolean): Promise<void> {
  const deadline = Date.now() + WAIT_MS
  while (!reached()) {
    if (Date.now() > deadline) throw new Error('waited too long')
    await pause(5)
  }
}

/** Waits for a connection that can be used. */
async function untilUsed(store: Store): Promise<void> {
  for (let alive = false; !alive; await pause(5))
    alive = await store.ping().then(
      () => true,
      () => false,
    )
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms))

async function start(options: Partial<RedisStoreOptions> = {}) {
  const real = redisUrl()
  const proxy = await startProxy({ host: real.hostname, port: Number(real.port || 6379) })
  const through = new URL(real)
  through.hostname = '127.0.0.1'
  through.port = String(proxy.port)
  const keyPrefix = `t${randomBytes(6).toString('hex')}:`
  const store = await createRedisStore({ url: through.href, keyPrefix, ...options })
  const admin = new Redis(real.href)
  let slots = 0
  const another = async (work: () => Promise<void>): Promise<void> => {
    const before = store.generation
    await work()
    await until(() => store.generation > before)
    await untilUsed(store)
  }
  return {
    store,
    proxy,
    admin,
    keyPrefix,
    freshSlot: () => `S.${++slots}`,
    now: () => Date.now(),
    pass: pause,
    reconnect: () => another(async () => proxy.cut()),
    // The server is shared, so only what this test wrote may go: the marker and the versions.
    empty: () =>
      another(async () => {
        const versions = Array.from({ length: slots }, (_, i) => `${keyPrefix}version:{S.${i + 1}}`)
        for (const key of [`${keyPrefix}store:marker`, ...versions]) await admin.del(key)
        await store.load([{ slot: 'S.1', names: [] }]).catch(() => undefined)
      }),
    async stop() {
      await store.close()
      await proxy.close()
      admin.disconnect()
    },
  }
}

type Started = Awaited<ReturnType<typeof start>>

async function heldBy({ upkeep }: Started['store']): Promise<readonly string[]> {
  const held: string[] = []
  for await (const { slot, name, value } of upkeep.held()) held.push(`${slot} ${name} ${value}`)
  return held
}

storeContract('the store on Redis', () => start())
storeUpkeepContract('the store on Redis, brought up to the log', () => start())

const unit = (store: Store, slot: string, version = 1, value = 'g'): Unit => ({
  slot,
  expectedTag: version === 1 ? '' : `${version - 1}`,
  nextTag: `${version}`,
  nextBase: '',
  absent: [],
  generation: store.generation,
  writes: [{ name: 'guard', value, expiresAt: null }],
  event: { version, event: Uint8Array.of(version) },
})

describe('the keys of the store on Redis', () => {
  let test: Started
  beforeAll(async () => void (test = await start()))
  afterAll(async () => test.stop())

  it('carry the slot as their hash tag, and the expiry that was given', async () => {
    const { store, admin, keyPrefix: k } = test
    const expiresAt = Date.now() + 60_000
    const claimed = { slot: '@A1:TOKEN_PURCHASE:abc', names: [], claim: { value: 'f', expiresAt } }
    await store.load([claimed])
    await store.commit([
      {
        ...unit(store, 'D.i1.xxx'),
        nextBase: '{"card":1}',
        writes: [
          { name: 'guard', value: 'g', expiresAt: null },
          { name: 'token:t1.hash', value: 't', expiresAt },
          { name: 'outcome:A1:TOKEN_PURCHASE:abc', value: 'o', expiresAt },
        ],
      },
    ])
    await store.count([{ key: 'T.i1.yyy:7', by: 4, expiresAt }])
    expect(await admin.get(`${k}version:{D.i1.xxx}`)).toBe('1\n{"card":1}\n1:1:\u0001')
    expect(await admin.get(`${k}guard:{D.i1.xxx}`)).toBe('g')
    expect(await admin.get(`${k}count:{T.i1.yyy:7}`)).toBe('4')
    const timed = [
      'claim:{@A1:TOKEN_PURCHASE:abc}',
      'token:{D.i1.xxx}:t1.hash',
      'outcome:{D.i1.xxx}:A1:TOKEN_PURCHASE:abc',
      'count:{T.i1.yyy:7}',
    ]
    for (const key of timed) expect(await admin.pexpiretime(k + key)).toBe(expiresAt)
    const untimed = ['version:{D.i1.xxx}', 'guard:{D.i1.xxx}']
    for (const key of untimed) expect(await admin.pexpiretime(k + key)).toBe(-1)
    await store.acknowledge([{ slot: 'D.i1.xxx', versions: [1] }])
    expect(await admin.get(`${k}version:{D.i1.xxx}`)).toBe('1\n{"card":1}\n')
  })

  it('lose one event, whatever waits with it, and keep tag and base', async () => {
    const { store } = test
    const slot = test.freshSlot()
    const commit = (version: number) => store.commit([{ ...unit(store, slot, version), nextBase: `año ${version}` }])
    const forget = (version: number) => store.acknowledge([{ slot: slot, versions: [version] }])
    const seen = async () => (await store.load([{ slot: slot, names: [] }]))[0]
    await commit(1)
    await commit(2)
    await forget(2)
    expect(await seen()).toMatchObject({ tag: '2', base: 'año 2', outbox: [{ version: 1 }] })
    await forget(1)
    await commit(3)
    await forget(3)
    expect(await seen()).toMatchObject({ tag: '3', base: 'año 3', outbox: [] })
    await commit(4)
    await forget(3)
    expect(await seen()).toMatchObject({ tag: '4', base: 'año 4', outbox: [{ version: 4 }] })
    await forget(4)
    expect(await seen()).toMatchObject({ tag: '4', base: 'año 4', outbox: [] })
  })

  it('are touched by no part of a unit that Redis cannot carry out', async () => {
    const { store, admin, keyPrefix: k } = test
    await admin.lpush(`${k}version:{broken}`, 'no text')
    await expect(store.commit([unit(store, 'broken')])).rejects.toThrow(/WRONGTYPE/)
    expect(await admin.exists(`${k}guard:{broken}`)).toBe(0)
    expect(await admin.lrange(`${k}version:{broken}`, 0, -1)).toEqual(['no text'])
  })

  it('stay together when scripts are lost between two calls and within a pipeline', async () => {
    const { store, admin } = test
    const slot = test.freshSlot()
    await admin.script('FLUSH')
    expect(await store.commit([unit(store, slot, 1), unit(store, slot, 2)])).toEqual(['committed', 'committed'])
    await admin.script('FLUSH')
    const [seen] = await store.load([{ slot, names: ['guard'], claim: { value: 'f', expiresAt: Date.now() + 1_000 } }])
    expect([seen?.tag, seen?.entries.get('claim')]).toEqual(['2', 'f'])
  })
})

describe('a store on Redis that is being emptied', () => {
  let test: Started
  beforeAll(async () => void (test = await start()))
  afterAll(async () => test.stop())

  it('says so until that is done, also when whoever began it has lost it to somebody else', async () => {
    const { store, admin, keyPrefix: k } = test
    const units = Array.from({ length: 3_000 }, (_, n) => unit(store, `many.${n}`))
    await store.commit(units)
    await store.upkeep.seize('first', 60_000)
    const begun = store.upkeep.clear('first', 60_000, new Set(['guard'])).catch((error: unknown) => error)
    for (let stolen = false; !stolen;) stolen = (await admin.exists(`${k}store:clearing`)) === 1
    await admin.set(`${k}store:owner`, 'second')
    expect(await begun).toBeInstanceOf(StoreError)
    await test.reconnect()
    expect((await store.upkeep.notes()).unusable).toBe(true)
    await store.upkeep.clear('second', 60_000, new Set(['guard']))
    await test.reconnect()
    expect((await store.upkeep.notes()).unusable).toBe(false)
    expect(await heldBy(store)).toEqual([])
  })
})

describe('a store on Redis that another release wrote', () => {
  it('is not read: it says that it has to be cleared, admits nobody, and is ours then', async () => {
    const test = await start()
    const { store, admin, keyPrefix: k } = test
    await store.upkeep.seize('me', 60_000)
    await store.upkeep.admit('me', '1.run')
    // As it was before a slot had a base: a marker without a form, and entries that are parts of the base now.
    await admin.set(`${k}store:marker`, 'bare')
    await admin.set(`${k}version:{D.x}`, '1.h\n1:1:\u0001')
    await admin.set(`${k}account:{D.x}:10`, '{}')
    await expect(store.load([{ slot: 'D.x', names: [] }])).rejects.toThrow(StoreError)
    await test.reconnect()
    expect(await store.upkeep.notes()).toMatchObject({ term: '', unusable: true })
    await expect(heldBy(store)).rejects.toThrow('another release wrote this store')
    await store.upkeep.seize('me', 60_000)
    await store.upkeep.clear('me', 60_000, new Set(['account']))
    await test.reconnect()
    expect(await store.upkeep.notes()).toEqual({ term: '', progress: new Map(), unusable: false })
    expect(await heldBy(store)).toEqual([])
    await test.stop()
  })

  it('is left alone when that release is newer, until somebody clears it', async () => {
    const test = await start()
    const { store, admin, keyPrefix: k } = test
    await admin.set(`${k}store:marker`, '3:newer')
    await expect(store.load([{ slot: 'D.x', names: [] }])).rejects.toThrow(StoreError)
    await test.reconnect()
    await expect(store.upkeep.notes()).rejects.toThrow('a newer release wrote this store')
    await store.upkeep.seize('me', 60_000)
    await store.upkeep.clear('me', 60_000, new Set())
    await test.reconnect()
    expect((await store.upkeep.notes()).unusable).toBe(false)
    await test.stop()
  })
})

describe('a version that nobody of ours wrote', () => {
  it.each(['', 'y', '1.h', '1.h\n{"a":1}', '1.h\n\n1:1:', '1.h\n\n1:99:x', '1.h\n\nx:1:x', '1.h\n\nno colon'])(
    'is read as none, taken for a conflict, and shown: %j',
    async (damaged) => {
      const test = await start()
      const { store, admin, keyPrefix: k } = test
      await store.commit([unit(store, 'whole')])
      await admin.set(`${k}version:{D.x}`, damaged)
      const [seen] = await store.load([{ slot: 'D.x', names: [] }])
      expect(seen).toMatchObject({ tag: 'damaged', base: '', outbox: [] })
      const other = unit(store, 'whole', 2)
      expect(await store.commit([unit(store, 'D.x'), other])).toEqual(['conflict', 'committed'])
      await store.acknowledge([{ slot: 'whole', versions: [1] }])
      expect(await heldBy(store)).toContain('D.x version damaged')
      await test.stop()
    },
  )
})

describe('the store on Redis behind a network', () => {
  it('starts without a Redis, says so to every call, and is used once it is there', async () => {
    const test = await start()
    const { store, proxy } = test
    proxy.refuse(true)
    proxy.cut()
    await until(() => store.generation === 2)
    const late = await createRedisStore({ url: `redis://127.0.0.1:${proxy.port}`, keyPrefix: test.keyPrefix })
    expect(late.runId).toBe('')
    await expect(late.ping()).rejects.toThrow(StoreError)
    await expect(late.load([{ slot: 'S', names: [] }])).rejects.toThrow('load: the store is not connected')
    expect(await late.commit([unit(late, 'S')]).catch((error: unknown) => error)).toBeInstanceOf(StoreError)
    proxy.refuse(false)
    await until(() => late.runId !== '')
    await expect(late.ping()).resolves.toBeUndefined()
    await late.close()
    await test.stop()
  })

  it('waits longer and longer while what it connects to is of no use, and says so each time', async () => {
    const test = await start()
    const keyPrefix = `${test.keyPrefix}bad:`
    await test.admin.lpush(`${keyPrefix}store:marker`, 'no text')
    let dropped = 0
    const log = { info: () => undefined, warn: () => void (dropped += 1) }
    const url = `redis://127.0.0.1:${test.proxy.port}`
    const useless = await createRedisStore({ url, keyPrefix, log })
    await pause(700)
    expect(dropped).toBeGreaterThan(1)
    expect(dropped).toBeLessThan(7)
    await test.admin.del(`${keyPrefix}store:marker`)
    await until(() => useless.runId !== '')
    await useless.close()
    await test.stop()
  })

  it('gives up a call that gets no answer in time, and the connection with it', async () => {
    const test = await start({ commandTimeoutMs: 200 })
    const { store, proxy } = test
    const { generation } = store
    proxy.silence(true)
    const began = performance.now()
    await expect(store.commit([unit(store, 'S')])).rejects.toThrow(StoreError)
    expect(performance.now() - began).toBeLessThan(1_000)
    expect(store.generation).toBeGreaterThan(generation)
    await expect(store.ping()).rejects.toThrow(StoreError)
    proxy.silence(false)
    await untilUsed(store)
    const [seen] = await store.load([{ slot: 'S', names: [] }])
    expect(seen?.tag).toBe('1')
    await test.stop()
  })

  it('forgets no other event than it is told to, when nobody heard that a unit was written', async () => {
    const test = await start({ commandTimeoutMs: 200 })
    const { store, proxy } = test
    await store.commit([unit(store, 'S')])
    proxy.silence(true)
    await expect(store.commit([unit(store, 'S', 2)])).rejects.toThrow(StoreError)
    proxy.silence(false)
    await untilUsed(store)
    await store.acknowledge([{ slot: 'S', versions: [1] }])
    const [seen] = await store.load([{ slot: 'S', names: [] }])
    expect(seen).toMatchObject({ tag: '2', outbox: [{ version: 2 }] })
    await test.stop()
  })

  it('fails the call during which the connection was cut, once, and resends nothing', async () => {
    const test = await start()
    const { store, proxy, admin, keyPrefix } = test
    proxy.silence(true)
    const counting = store.count([{ key: 'c', by: 1, expiresAt: Date.now() + 60_000 }])
    const outcome = counting.catch((error: unknown) => error)
    await pause(50)
    proxy.cut()
    expect(await outcome).toBeInstanceOf(StoreError)
    proxy.silence(false)
    await untilUsed(store)
    expect(await admin.get(`${keyPrefix}count:{c}`)).toBe('1')
    await test.stop()
  })

  it('publishes nothing that was committed while its data vanished in place', async () => {
    const test = await start()
    const { store, admin, keyPrefix } = test
    const { generation } = store
    await admin.del(`${keyPrefix}store:marker`)
    await expect(store.commit([unit(store, 'S')])).rejects.toThrow('the store was emptied')
    expect(store.generation).toBeGreaterThan(generation)
    await test.stop()
  })

  it('tells no argument, value, key or password in errors and logs', async () => {
    const lines: unknown[] = []
    const keep = (...line: unknown[]): void => void lines.push(line)
    const log = { info: keep, warn: keep }
    const test = await start({ log, commandTimeoutMs: 300 })
    const { store, admin, proxy, keyPrefix } = test
    const errors: unknown[] = []
    const secret = 'canary-6039591000000018'
    await admin.lpush(`${keyPrefix}version:{canary}`, 'no text')
    errors.push(await store.commit([unit(store, 'canary', 1, secret)]).catch((error: unknown) => error))
    proxy.silence(true)
    errors.push(await store.commit([unit(store, 'canary2', 1, secret)]).catch((error: unknown) => error))
    proxy.cut()
    errors.push(await store.load([{ slot: 'canary2', names: [] }]).catch((error: unknown) => error))
    const refused = `redis://someone:${secret}@127.0.0.1:${proxy.port}`
    const bad = await createRedisStore({ url: refused, log, commandTimeoutMs: 100 })
    errors.push(await bad.ping().catch((error: unknown) => error))
    await bad.close()
    for (const error of errors) {
      expect(error).toBeInstanceOf(StoreError)
      const { stack } = error as Error
      expect(`${String(error)} ${stack} ${JSON.stringify(error)}`).not.toContain('canary')
      expect((error as Error).cause).toBeUndefined()
    }
    expect(lines.length).toBeGreaterThan(0)
    expect(JSON.stringify(lines)).not.toContain('canary')
    await test.stop()
  })
})
