// The store in memory: the contract of every store, and the hooks that only it has.

import { describe, expect, it } from 'vitest'
import { createMemoryStore } from '../../../services/adapters/memory/store.ts'
import { StoreError, type Unit } from '../../../services/ports/store.ts'
import { storeContract } from '../../ports/store-contract.ts'
import { storeUpkeepContract } from '../../ports/store-upkeep-contract.ts'

function start() {
  let now = 1_700_000_000_000
  let slots = 0
  const store = createMemoryStore({ clock: { now: () => now } })
  return {
    store,
    freshSlot: () => `S.${++slots}`,
    now: () => now,
    pass: async (ms: number) => void (now += ms),
    reconnect: async () => store.restart(),
    empty: async () => store.wipe(),
    stop: async () => store.close(),
  }
}

storeContract('the store in memory', async () => start())
storeUpkeepContract('the store in memory, brought up to the log', async () => {
  const store = createMemoryStore({ clock: { now: () => Date.now() } })
  // Its data would be other data after a restart; a new connection is enough here.
  return { store, reconnect: async () => store.upkeep.renew('a test'), stop: async () => store.close() }
})

describe('the hooks of the store in memory', () => {
  const unit = (slot: string, version: number, generation: number, value = 'g'): Unit => ({
    slot,
    expectedTag: version === 1 ? '' : `${version - 1}`,
    nextTag: `${version}`,
    nextBase: '',
    absent: [],
    generation,
    writes: [{ name: 'guard', value, expiresAt: null }],
    event: { version, event: Uint8Array.of(version) },
  })
  const tag = async ({ store }: ReturnType<typeof start>, slot: string) => {
    const [seen] = await store.load([{ slot, names: [] }])
    return seen?.tag
  }

  it('fails as many calls as told, before they take effect', async () => {
    const test = start()
    test.store.failNext(2)
    await expect(test.store.commit([unit('S', 1, 1)])).rejects.toThrow(StoreError)
    await expect(test.store.ping()).rejects.toThrow(StoreError)
    expect(await tag(test, 'S')).toBe('')
  })

  it('fails a call after it took effect, as when an answer is lost', async () => {
    const test = start()
    test.store.failNext(1, 'after')
    await expect(test.store.commit([unit('S', 1, 1)])).rejects.toThrow(StoreError)
    expect(await tag(test, 'S')).toBe('1')
  })

  it('goes back to a snapshot under a new generation, and the snapshot can be used again', async () => {
    const test = start()
    await test.store.commit([unit('S', 1, test.store.generation)])
    const snapshot = test.store.snapshot()
    for (let again = 0; again < 2; again += 1) {
      const { generation } = test.store
      expect(await test.store.commit([unit('S', 2, generation, 'lost')])).toEqual(['committed'])
      test.store.rewind(snapshot)
      const [seen] = await test.store.load([{ slot: 'S', names: ['guard'] }])
      expect([seen?.tag, seen?.entries.get('guard'), seen?.outbox.length]).toEqual(['1', 'g', 1])
      expect(test.store.generation).toBeGreaterThan(generation)
    }
  })

  it('dumps what it holds by the keys that Redis would use', async () => {
    const test = start()
    await test.store.commit([unit('S', 1, 1)])
    await test.store.load([{ slot: '@A:B:c', names: [], claim: { value: 'f', expiresAt: test.now() + 10 } }])
    await test.store.count([{ key: 'T.x:1', by: 3, expiresAt: test.now() + 10 }])
    expect(Object.fromEntries(test.store.dump())).toEqual({
      'version:{S}': '1\n\n',
      'guard:{S}': 'g',
      'outbox:{S}#1': '\u0001',
      'claim:{@A:B:c}': 'f',
      'count:{T.x:1}': '3',
    })
    await test.pass(11)
    expect([...test.store.dump().keys()]).toEqual(['version:{S}', 'guard:{S}', 'outbox:{S}#1'])
  })

  it('frees the memory of what has expired without being asked for it again', async () => {
    const test = start()
    for (let i = 0; i < 100; i += 1) {
      await test.store.load([{ slot: `@${i}`, names: [], claim: { value: 'f', expiresAt: test.now() + 10 } }])
      await test.store.count([{ key: `k${i}`, by: 1, expiresAt: test.now() + 10 }])
    }
    await test.pass(11)
    for (let i = 0; i < 300; i += 1) await test.store.ping()
    expect(test.store.snapshot().slots.size).toBe(0)
    expect(test.store.snapshot().counters.size).toBe(0)
  })

  it('does not share bytes with its callers', async () => {
    const test = start()
    const given = unit('S', 1, 1)
    await test.store.commit([given])
    given.event.event[0] = 9
    const read = async () => (await test.store.load([{ slot: 'S', names: [] }]))[0]?.outbox[0]?.event
    const seen = await read()
    expect(seen?.[0]).toBe(1)
    if (seen) seen[0] = 8
    expect((await read())?.[0]).toBe(1)
  })
})
