// What every store promises to who brings it up to the log, run on each adapter. It knows no adapter.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StoreError, type Unit } from '../../services/ports/store.ts'
import type { RecoverableStore } from '../../services/ports/store-upkeep.ts'

export interface UpkeepUnderTest {
  readonly store: RecoverableStore
  /** Break the connection and wait for a new one. */
  reconnect(): Promise<void>
  stop(): Promise<void>
}

const OWNER = 'me'
const TTL_MS = 5_000
const KINDS = new Set(['guard', 'claim'])

export function storeUpkeepContract(title: string, start: () => Promise<UpkeepUnderTest>): void {
  describe(title, () => {
    let test: UpkeepUnderTest
    beforeEach(async () => void (test = await start()))
    afterEach(async () => test.stop())

    const unit = (version: number): Unit => ({
      slot: 'S.1',
      expectedTag: version === 1 ? '' : `${version - 1}.h`,
      nextTag: `${version}.h`,
      nextBase: `{"b":${version}}`,
      absent: [],
      writes: [{ name: 'guard', value: `"${version}"`, expiresAt: null }],
      event: { version, event: Uint8Array.of(version) },
      generation: test.store.generation,
    })
    const view = async () => {
      const [seen] = await test.store.load([{ slot: 'S.1', names: ['guard'] }])
      return seen
    }

    it('takes units and claims of the admitted term only, and ends the generation of who is in another', async () => {
      const { store } = test
      const { upkeep } = store
      await upkeep.seize(OWNER, TTL_MS)
      await upkeep.admit(OWNER, '1.run')
      const { generation } = store
      await expect(store.commit([unit(1)])).rejects.toThrow(StoreError)
      expect(store.generation).toBeGreaterThan(generation)
      await test.reconnect()
      const claim = { value: '"c"', expiresAt: Date.now() + 60_000 }
      await expect(store.load([{ slot: '@S', names: [], claim }])).rejects.toThrow(StoreError)
      await test.reconnect()
      upkeep.enter('1.run')
      expect(await store.commit([unit(1)])).toEqual(['committed'])
      await upkeep.seize(OWNER, TTL_MS)
      await upkeep.suspend(OWNER)
      await expect(store.commit([unit(2)])).rejects.toThrow(StoreError)
      await test.reconnect()
      expect((await view())?.tag).toBe('1.h')
    })

    it('lets one owner at a time bring it up, until it releases or admits', async () => {
      const { upkeep } = test.store
      expect(await upkeep.seize(OWNER, TTL_MS)).toBe(true)
      expect(await upkeep.seize('other', TTL_MS)).toBe(false)
      expect(await upkeep.seize(OWNER, TTL_MS)).toBe(true)
      await upkeep.release(OWNER)
      expect(await upkeep.seize('other', TTL_MS)).toBe(true)
      await upkeep.admit('other', '2.run')
      expect(await upkeep.seize(OWNER, 20)).toBe(true)
      await new Promise((resolve) => setTimeout(resolve, 40))
      await expect(upkeep.admit(OWNER, '3.run')).rejects.toThrow(StoreError)
      await test.reconnect()
      expect((await upkeep.notes()).term).toBe('2.run')
    })

    it('keeps positions that the owner or a worker of the term notes, and no others', async () => {
      const { upkeep } = test.store
      const at = (next: bigint) => new Map([[0, { next, epoch: 3 }]])
      await upkeep.seize(OWNER, TTL_MS)
      await upkeep.advance({ owner: OWNER }, at(5n))
      await upkeep.admit(OWNER, '3.run')
      await upkeep.advance({ term: '3.run' }, at(9n))
      expect(await upkeep.notes()).toEqual({ term: '3.run', progress: at(9n), unusable: false })
      await expect(upkeep.advance({ term: '2.run' }, at(99n))).rejects.toThrow(StoreError)
      await test.reconnect()
      expect((await upkeep.notes()).progress).toEqual(at(9n))
    })

    it('writes what the log says where a slot is as expected, forgets its outbox, and claims only what is free', async () => {
      const { store } = test
      await store.commit([unit(1)])
      const expiresAt = Date.now() + 60_000
      const claims = ['"first"', '"second"'].map((value) => ({ slot: '@S', value, expiresAt }))
      const restore = (expectedTag: string, value: string) => ({
        slot: 'S.1',
        expectedTag,
        nextTag: '3.h',
        nextBase: value,
        writes: [{ name: 'guard', value, expiresAt: null }],
      })
      expect(await store.upkeep.restore(claims, [restore('2.h', '"no"'), restore('1.h', '"yes"')])).toEqual([
        'conflict',
        'committed',
      ])
      expect(await view()).toMatchObject({
        tag: '3.h',
        base: '"yes"',
        outbox: [],
        entries: new Map([['guard', '"yes"']]),
      })
      const [peeked] = await store.upkeep.peek([{ slot: '@S', names: ['claim'] }])
      expect(peeked?.entries.get('claim')).toBe('"first"')
      const held = []
      for await (const entry of store.upkeep.held()) held.push(`${entry.slot} ${entry.name} ${entry.value}`)
      expect(held.toSorted()).toEqual(['@S claim "first"', 'S.1 base "yes"', 'S.1 guard "yes"', 'S.1 version 3.h'])
    })

    it('forgets everything of the kinds named when it is cleared, and is other data then', async () => {
      const { store } = test
      await store.commit([unit(1)])
      const { runId } = store
      await store.upkeep.seize(OWNER, TTL_MS)
      await store.upkeep.advance({ owner: OWNER }, new Map([[0, { next: 5n, epoch: 1 }]]))
      await store.upkeep.clear(OWNER, TTL_MS, KINDS)
      await test.reconnect()
      expect(store.runId).not.toBe(runId)
      expect(await view()).toMatchObject({ tag: '', base: '', outbox: [], entries: new Map() })
      expect(await store.upkeep.notes()).toEqual({ term: '', progress: new Map(), unusable: false })
      expect(await store.upkeep.seize('other', TTL_MS)).toBe(false)
    })
  })
}
