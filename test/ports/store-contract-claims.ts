// What every store promises of claims. Part of the contract suite of the store.

import { describe, expect, it } from 'vitest'
import { DAY_MS, put, type StoreProbes } from './store-probes.ts'

export function describeClaims({ given, unit, claim, view }: StoreProbes): void {
  describe('a claim', () => {
    it('is set when absent and read back in the same round trip', async () => {
      const slot = `@${given().freshSlot()}:TOKEN_PURCHASE:c-1`
      const seen = await claim(slot, 'mine', given().now() + DAY_MS, 'outcome:x')
      expect([...seen.entries]).toEqual([['claim', 'mine']])
      expect(seen.tag).toBe('')
    })

    it('is left as it is when another was first, also within one load', async () => {
      const slot = given().freshSlot()
      const expiresAt = given().now() + DAY_MS
      const views = await given().store.load([
        { slot, names: [], claim: { value: 'first', expiresAt } },
        { slot, names: ['claim'], claim: { value: 'second', expiresAt } },
      ])
      expect(views.map((seen) => seen.entries.get('claim'))).toEqual(['first', 'first'])
    })

    it('of null sets nothing', async () => {
      const slot = given().freshSlot()
      const seen = await claim(slot, null, given().now() + DAY_MS, 'claim')
      expect(seen.entries.has('claim')).toBe(false)
      expect((await view(slot, 'claim')).entries.has('claim')).toBe(false)
    })

    it('expires at its time', async () => {
      const slot = given().freshSlot()
      await claim(slot, 'v', given().now() + 80)
      await given().pass(200)
      expect((await view(slot, 'claim')).entries.has('claim')).toBe(false)
    })

    it('is kept for longer by a later load, with a value or with null, and never for less', async () => {
      const [a, b, c] = [given().freshSlot(), given().freshSlot(), given().freshSlot()]
      const soon = given().now() + 80
      const later = given().now() + DAY_MS
      for (const slot of [a, b]) await claim(slot, 'v', soon)
      await claim(c, 'v', later)
      await given().store.load([
        { slot: a, names: [], claim: { value: 'w', expiresAt: later } },
        { slot: b, names: [], claim: { value: null, expiresAt: later } },
        { slot: c, names: [], claim: { value: null, expiresAt: soon } },
      ])
      await given().pass(200)
      for (const slot of [a, b, c]) expect((await view(slot, 'claim')).entries.get('claim')).toBe('v')
    })

    it('that was there shows tag, entries and outbox of its slot like any read', async () => {
      const slot = given().freshSlot()
      await claim(slot, 'v', given().now() + DAY_MS)
      await given().store.commit([unit(slot, 1, [put('guard', 'ü')]), unit(slot, 2)])
      const seen = await claim(slot, 'w', given().now() + DAY_MS, 'live', 'guard')
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

    it('that was set shows nothing else, and what was there all the same lets no unit pass', async () => {
      const slot = given().freshSlot()
      await given().store.commit([unit(slot, 1, [put('guard', 'x')])])
      const seen = await claim(slot, 'v', given().now() + DAY_MS, 'guard')
      expect([seen.tag, seen.base, [...seen.entries], seen.outbox]).toEqual(['', '', [['claim', 'v']], []])
      expect(await given().store.commit([unit(slot, 1)])).toEqual(['conflict'])
      expect((await claim(slot, 'v', given().now() + DAY_MS, 'guard')).tag).toBe('1:h1')
    })

    it('that was set shows the secrets that were kept before', async () => {
      const slot = given().freshSlot()
      await given().store.stash(slot, [{ name: 'cardkey:a', value: 'wrapped', expiresAt: given().now() + DAY_MS }])
      const seen = await claim(slot, 'v', given().now() + DAY_MS, 'cardkey:a', 'cardkey:b')
      expect([...seen.entries].sort()).toEqual([
        ['cardkey:a', 'wrapped'],
        ['claim', 'v'],
      ])
    })

    it('is set and read among more slots than one script or pipeline takes', async () => {
      const slots = Array.from({ length: 601 }, () => given().freshSlot())
      const expiresAt = given().now() + DAY_MS
      const taken = slots.filter((_, i) => i % 7 === 0)
      await given().store.load(taken.map((slot) => ({ slot, names: [], claim: { value: 'theirs', expiresAt } })))
      const views = await given().store.load(
        slots.map((slot) => ({ slot, names: [], claim: { value: slot, expiresAt } })),
      )
      const expected = slots.map((slot, i) => (i % 7 === 0 ? 'theirs' : slot))
      expect(views.map((seen) => seen.slot)).toEqual(slots)
      expect(views.map((seen) => seen.entries.get('claim'))).toEqual(expected)
    })
  })
}
