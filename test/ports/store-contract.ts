// What every store promises, run on each adapter. It knows no adapter.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EntryWrite, Store, Unit } from '../../services/ports/store.ts'
import { StoreError } from '../../services/ports/store.ts'

export interface StoreUnderTest {
  readonly store: Store
  /** A slot that no other test uses. */
  freshSlot(): string
  now(): number
  /** Let time go on, for expiry. */
  pass(ms: number): Promise<void>
  /** Break the connection and wait for a new one. */
  reconnect(): Promise<void>
  /** Lose all data in place. */
  empty(): Promise<void>
  stop(): Promise<void>
}

const DAY_MS = 86_400_000
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

export function storeContract(title: string, start: () => Promise<StoreUnderTest>): void {
  describe(title, () => {
    let test: StoreUnderTest
    beforeAll(async () => {
      test = await start()
    })
    afterAll(async () => {
      await test.stop()
    })

    const unit = (slot: string, version: number, writes: EntryWrite[] = [], more: Partial<Unit> = {}): Unit => ({
      slot,
      expectedTag: version === 1 ? '' : `${version - 1}:h${version - 1}`,
      nextTag: `${version}:h${version}`,
      nextBase: `base ${version}`,
      absent: [],
      writes,
      event: { version, event: bytes(version, 0, 255) },
      generation: test.store.generation,
      ...more,
    })
    const put = (name: string, value: string | null, expiresAt: number | null = null): EntryWrite => ({
      name,
      value,
      expiresAt,
    })
    const claim = async (slot: string, value: string | null, expiresAt: number, ...names: string[]) => {
      const [seen] = await test.store.load([{ slot, names, claim: { value, expiresAt } }])
      if (!seen) throw new Error('a load gives a view for each read')
      return seen
    }
    const view = async (slot: string, ...names: string[]) => {
      const [seen] = await test.store.load([{ slot, names }])
      if (!seen) throw new Error('a load gives a view for each read')
      return seen
    }

    describe('load', () => {
      it('shows a slot that was never written as empty, with tag "" and the present generation', async () => {
        const slot = test.freshSlot()
        const seen = await view(slot, 'guard', 'token:abc')
        expect(seen).toMatchObject({ slot, tag: '', base: '', outbox: [], generation: test.store.generation })
        expect(seen.entries.size).toBe(0)
      })

      it('answers each read in the order asked, the same slot twice too', async () => {
        const [a, b] = [test.freshSlot(), test.freshSlot()]
        await test.store.commit([unit(a, 1, [put('guard', 'A')]), unit(b, 1, [put('guard', 'B')])])
        const views = await test.store.load([
          { slot: b, names: ['guard'] },
          { slot: a, names: ['guard'] },
          { slot: b, names: [] },
        ])
        expect(views.map((seen) => [seen.slot, seen.tag, [...seen.entries]])).toEqual([
          [b, '1:h1', [['guard', 'B']]],
          [a, '1:h1', [['guard', 'A']]],
          [b, '1:h1', []],
        ])
      })

      it('gives only the entries that were named and exist', async () => {
        const slot = test.freshSlot()
        await test.store.commit([unit(slot, 1, [put('guard', 'g'), put('live', 'l'), put('token:t1.hash', 't')])])
        const seen = await view(slot, 'token:t1.hash', 'token:t2.other', 'live')
        expect([...seen.entries].sort()).toEqual([
          ['live', 'l'],
          ['token:t1.hash', 't'],
        ])
      })

      it('keeps text of any alphabet as it was written', async () => {
        const slot = test.freshSlot()
        const text = '{"ñ":"día ✓ 💳","nul":"\u0000"}'
        await test.store.commit([unit(slot, 1, [put('card', text), put('guard', '')], { nextBase: text })])
        const seen = await view(slot, 'card', 'guard')
        expect([seen.entries.get('card'), seen.base]).toEqual([text, text])
        expect(seen.entries.get('guard')).toBe('')
      })

      it('reads nothing at all when asked for nothing', async () => {
        expect(await test.store.load([])).toEqual([])
      })

      it('reads more slots than one pipeline takes', async () => {
        const slots = Array.from({ length: 1_201 }, () => test.freshSlot())
        const results = await test.store.commit(slots.map((slot) => unit(slot, 1, [put('guard', slot)])))
        expect(results.every((result) => result === 'committed')).toBe(true)
        const views = await test.store.load(slots.map((slot) => ({ slot, names: ['guard'] })))
        expect(views.map((seen) => seen.entries.get('guard'))).toEqual(slots)
      })
    })

    describe('a claim', () => {
      it('is set when absent and read back in the same round trip', async () => {
        const slot = `@${test.freshSlot()}:TOKEN_PURCHASE:c-1`
        const seen = await claim(slot, 'mine', test.now() + DAY_MS, 'outcome:x')
        expect([...seen.entries]).toEqual([['claim', 'mine']])
        expect(seen.tag).toBe('')
      })

      it('is left as it is when another was first, also within one load', async () => {
        const slot = test.freshSlot()
        const expiresAt = test.now() + DAY_MS
        const views = await test.store.load([
          { slot, names: [], claim: { value: 'first', expiresAt } },
          { slot, names: ['claim'], claim: { value: 'second', expiresAt } },
        ])
        expect(views.map((seen) => seen.entries.get('claim'))).toEqual(['first', 'first'])
      })

      it('of null sets nothing', async () => {
        const slot = test.freshSlot()
        const seen = await claim(slot, null, test.now() + DAY_MS, 'claim')
        expect(seen.entries.has('claim')).toBe(false)
        expect((await view(slot, 'claim')).entries.has('claim')).toBe(false)
      })

      it('expires at its time', async () => {
        const slot = test.freshSlot()
        await claim(slot, 'v', test.now() + 80)
        await test.pass(200)
        expect((await view(slot, 'claim')).entries.has('claim')).toBe(false)
      })

      it('is kept for longer by a later load, with a value or with null, and never for less', async () => {
        const [a, b, c] = [test.freshSlot(), test.freshSlot(), test.freshSlot()]
        const soon = test.now() + 80
        const later = test.now() + DAY_MS
        for (const slot of [a, b]) await claim(slot, 'v', soon)
        await claim(c, 'v', later)
        await test.store.load([
          { slot: a, names: [], claim: { value: 'w', expiresAt: later } },
          { slot: b, names: [], claim: { value: null, expiresAt: later } },
          { slot: c, names: [], claim: { value: null, expiresAt: soon } },
        ])
        await test.pass(200)
        for (const slot of [a, b, c]) expect((await view(slot, 'claim')).entries.get('claim')).toBe('v')
      })

      it('shows tag, entries and outbox of its slot like any read', async () => {
        const slot = test.freshSlot()
        await test.store.commit([unit(slot, 1, [put('guard', 'ü')]), unit(slot, 2)])
        const seen = await claim(slot, 'v', test.now() + DAY_MS, 'live', 'guard')
        expect([...seen.entries].sort()).toEqual([
          ['claim', 'v'],
          ['guard', 'ü'],
        ])
        expect(seen.tag).toBe('2:h2')
        expect(seen.outbox.map((entry) => [entry.version, ...entry.event])).toEqual([
          [1, 1, 0, 255],
          [2, 2, 0, 255],
        ])
      })
    })

    describe('commit', () => {
      it('writes, deletes and raises the version in one unit', async () => {
        const slot = test.freshSlot()
        await test.store.commit([unit(slot, 1, [put('guard', 'g1'), put('live', 'l1')])])
        const second = unit(slot, 2, [put('guard', null), put('live', 'l2'), put('account:10', '5')])
        expect(await test.store.commit([second])).toEqual(['committed'])
        const seen = await view(slot, 'guard', 'live', 'account:10')
        expect([...seen.entries].sort()).toEqual([
          ['account:10', '5'],
          ['live', 'l2'],
        ])
        expect(seen).toMatchObject({ tag: '2:h2', base: 'base 2' })
      })

      it('changes nothing of a unit whose version is not the present one', async () => {
        const slot = test.freshSlot()
        await test.store.commit([unit(slot, 1, [put('guard', 'g1')])])
        const late = unit(slot, 1, [put('guard', 'late'), put('live', 'late')])
        const ahead = unit(slot, 3, [put('guard', 'ahead')])
        const forked = unit(slot, 2, [put('guard', 'forked')], { expectedTag: '1:other' })
        expect(await test.store.commit([late, ahead, forked])).toEqual(['conflict', 'conflict', 'conflict'])
        const seen = await view(slot, 'guard', 'live')
        expect([...seen.entries]).toEqual([['guard', 'g1']])
        expect(seen).toMatchObject({ tag: '1:h1', base: 'base 1' })
        expect(seen.outbox.map((entry) => entry.version)).toEqual([1])
      })

      it('changes nothing of a unit when an entry that must be absent is there', async () => {
        const slot = test.freshSlot()
        await claim(slot, 'theirs', test.now() + DAY_MS)
        const blocked = unit(slot, 1, [put('claim', 'mine')], { absent: ['outcome:o', 'claim'] })
        expect(await test.store.commit([blocked])).toEqual(['conflict'])
        const seen = await view(slot, 'claim')
        expect([seen.tag, seen.entries.get('claim'), seen.outbox.length]).toEqual(['', 'theirs', 0])
      })

      it('takes an expired entry for absent', async () => {
        const slot = test.freshSlot()
        await claim(slot, 'old', test.now() + 60)
        await test.pass(200)
        const first = unit(slot, 1, [put('claim', 'new')], { absent: ['claim'] })
        expect(await test.store.commit([first])).toEqual(['committed'])
        expect((await view(slot, 'claim')).entries.get('claim')).toBe('new')
      })

      it('takes the units of one call in order, each on its own', async () => {
        const [a, b] = [test.freshSlot(), test.freshSlot()]
        const results = await test.store.commit([
          unit(a, 1, [put('guard', '1')]),
          unit(b, 2, [put('guard', 'never')]),
          unit(a, 2, [put('guard', '2')]),
          unit(a, 2, [put('guard', 'twice')]),
        ])
        expect(results).toEqual(['committed', 'conflict', 'committed', 'conflict'])
        expect((await view(a, 'guard')).entries.get('guard')).toBe('2')
        expect((await view(b, 'guard')).entries.size).toBe(0)
      })

      it('lets exactly one of many parallel units on one version through', async () => {
        const slot = test.freshSlot()
        const tries = Array.from({ length: 20 }, (_, i) => test.store.commit([unit(slot, 1, [put('guard', `${i}`)])]))
        const results = (await Promise.all(tries)).flat()
        expect(results.filter((result) => result === 'committed')).toHaveLength(1)
        expect((await view(slot, 'guard')).entries.get('guard')).toBe(`${results.indexOf('committed')}`)
      })

      it('frees an entry at its expiry and leaves the version and the others', async () => {
        const slot = test.freshSlot()
        const [soon, later] = [test.now() + 80, test.now() + DAY_MS]
        const writes = [put('token:a', 'short', soon), put('token:b', 'long', later), put('guard', 'ever')]
        await test.store.commit([unit(slot, 1, writes)])
        await test.pass(200)
        const seen = await view(slot, 'token:a', 'token:b', 'guard')
        expect([...seen.entries.keys()].sort()).toEqual(['guard', 'token:b'])
        expect(seen.tag).toBe('1:h1')
      })

      it('gives an entry written again its new expiry, or none', async () => {
        const slot = test.freshSlot()
        const soon = test.now() + 80
        await test.store.commit([unit(slot, 1, [put('guard', '1', soon), put('live', '1', soon)])])
        await test.store.commit([unit(slot, 2, [put('guard', '2'), put('live', '2', test.now() + DAY_MS)])])
        await test.pass(200)
        expect([...(await view(slot, 'guard', 'live')).entries.values()]).toEqual(['2', '2'])
      })

      it('refuses a unit that would not raise the version, and sends nothing of its call', async () => {
        const slot = test.freshSlot()
        for (const odd of [{ nextTag: '' }, { nextTag: '2\n' }, { nextBase: 'two\nlines' }])
          await expect(test.store.commit([unit(slot, 1), unit(slot, 2, [], odd)])).rejects.toThrow(RangeError)
        expect((await view(slot)).tag).toBe('')
      })

      it('refuses names that would break a key apart', async () => {
        const slot = test.freshSlot()
        for (const odd of ['', `${slot}}{x`, `${slot}\n`, 'x'.repeat(300)]) {
          await expect(test.store.load([{ slot: odd, names: [] }])).rejects.toThrow(RangeError)
        }
        for (const odd of ['', 'guard:', 'Guard', 'guard:{x}', 'version', 'base', 'outbox:1']) {
          await expect(test.store.load([{ slot, names: [odd] }])).rejects.toThrow(RangeError)
          await expect(test.store.commit([unit(slot, 1, [put(odd, 'x')])])).rejects.toThrow(RangeError)
        }
      })

      it('refuses an expiry that is no whole number of milliseconds', async () => {
        const slot = test.freshSlot()
        for (const odd of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
          await expect(test.store.commit([unit(slot, 1, [put('guard', 'x', odd)])])).rejects.toThrow(RangeError)
          await expect(claim(slot, 'x', odd)).rejects.toThrow(RangeError)
        }
      })
    })

    describe('the outbox', () => {
      it('shows events byte for byte, oldest first by number', async () => {
        const slot = test.freshSlot()
        const every = Uint8Array.from({ length: 256 }, (_, i) => i)
        for (let version = 1; version <= 11; version += 1) {
          await test.store.commit([unit(slot, version, [], { event: { version, event: every.slice(version) } })])
        }
        const { outbox } = await view(slot)
        expect(outbox.map((entry) => entry.version)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
        for (const { version, event } of outbox) expect(Buffer.from(event).equals(every.slice(version))).toBe(true)
      })

      it('forgets the versions that are acknowledged, of that slot only', async () => {
        const [a, b] = [test.freshSlot(), test.freshSlot()]
        for (const slot of [a, b]) await test.store.commit([1, 2, 3, 4].map((version) => unit(slot, version)))
        await test.store.acknowledge([
          { slot: a, versions: [1, 3] },
          { slot: b, versions: [] },
        ])
        expect(await view(a)).toMatchObject({ base: 'base 4', outbox: [{ version: 2 }, { version: 4 }] })
        expect((await view(b)).outbox.map((entry) => entry.version)).toEqual([1, 2, 3, 4])
      })

      it('takes an acknowledgement twice, and one for what it never held', async () => {
        const slot = test.freshSlot()
        await test.store.commit([unit(slot, 1)])
        await test.store.acknowledge([
          { slot, versions: [1, 1] },
          { slot, versions: [1, 7] },
        ])
        await test.store.acknowledge([{ slot: test.freshSlot(), versions: [9] }])
        await test.store.acknowledge([{ slot, versions: [] }])
        expect(await view(slot)).toMatchObject({ tag: '1:h1', base: 'base 1', outbox: [] })
        await test.store.commit([unit(slot, 2, [], { nextBase: '' })])
        expect((await view(slot)).base).toBe('')
      })
    })

    describe('counters', () => {
      it('start at zero, add up, and are told apart', async () => {
        const [a, b] = [test.freshSlot(), test.freshSlot()]
        const expiresAt = test.now() + DAY_MS
        await test.store.count([
          { key: a, by: 2, expiresAt },
          { key: a, by: 3, expiresAt },
        ])
        expect(await test.store.counts([b, a])).toEqual([0, 5])
      })

      it('are gone after their window', async () => {
        const key = test.freshSlot()
        await test.store.count([{ key, by: 1, expiresAt: test.now() + 80 }])
        await test.pass(200)
        expect(await test.store.counts([key])).toEqual([0])
      })
    })

    describe('the generation', () => {
      it('rises with a reconnect, and units of an older one are conflicts that change nothing', async () => {
        const slot = test.freshSlot()
        const before = test.store.generation
        const old = unit(slot, 1, [put('guard', 'old')])
        await test.reconnect()
        expect(test.store.generation).toBeGreaterThan(before)
        expect(await test.store.commit([old])).toEqual(['conflict'])
        expect((await view(slot, 'guard')).tag).toBe('')
        expect(await test.store.commit([unit(slot, 1)])).toEqual(['committed'])
      })

      it('keeps the data over a reconnect', async () => {
        const slot = test.freshSlot()
        await test.store.commit([unit(slot, 1, [put('guard', 'kept')])])
        await test.reconnect()
        expect((await view(slot, 'guard')).entries.get('guard')).toBe('kept')
      })

      it('rises when the store was emptied, and the run id is another', async () => {
        const slot = test.freshSlot()
        await test.store.commit([unit(slot, 1)])
        const { generation, runId } = test.store
        await test.empty()
        expect(test.store.generation).toBeGreaterThan(generation)
        expect(test.store.runId).not.toBe(runId)
        expect((await view(slot)).tag).toBe('')
      })
    })

    it('answers a ping', async () => {
      await expect(test.store.ping()).resolves.toBeUndefined()
    })

    it('refuses everything once closed, and closes twice', async () => {
      const other = await start()
      const { store } = other
      const { generation } = store
      await store.close()
      await store.close()
      expect(store.generation).toBeGreaterThan(generation)
      await expect(store.load([{ slot: other.freshSlot(), names: [] }])).rejects.toThrow(StoreError)
      await expect(store.acknowledge([{ slot: other.freshSlot(), versions: [1] }])).rejects.toThrow(StoreError)
      await expect(store.counts([other.freshSlot()])).rejects.toThrow(StoreError)
      await expect(store.count([{ key: other.freshSlot(), by: 1, expiresAt: 9e12 }])).rejects.toThrow(StoreError)
      await expect(store.ping()).rejects.toThrow(StoreError)
      await other.stop()
    })
  })
}
