// What the contract suite of the store runs on, and how its tests write and look.

import type { EntryWrite, SlotView, Store, Unit } from '../../services/ports/store.ts'

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

export const DAY_MS = 86_400_000

export function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values)
}

export function put(name: string, value: string | null, expiresAt: number | null = null): EntryWrite {
  return { name, value, expiresAt }
}

export interface StoreProbes {
  /** The store is made before the first test runs. */
  given(): StoreUnderTest
  /** The unit that makes this version of a slot. */
  unit(slot: string, version: number, writes?: EntryWrite[], more?: Partial<Unit>): Unit
  claim(slot: string, value: string | null, expiresAt: number, ...names: string[]): Promise<SlotView>
  view(slot: string, ...names: string[]): Promise<SlotView>
}

export function storeProbes(given: () => StoreUnderTest): StoreProbes {
  const only = ([seen]: readonly SlotView[]): SlotView => {
    if (!seen) throw new Error('a load gives a view for each read')
    return seen
  }
  return {
    given,
    unit: (slot, version, writes = [], more = {}) => ({
      slot,
      expectedTag: version === 1 ? '' : `${version - 1}:h${version - 1}`,
      nextTag: `${version}:h${version}`,
      nextBase: `base ${version}`,
      absent: [],
      writes,
      event: { version, event: bytes(version, 0, 255) },
      generation: given().store.generation,
      ...more,
    }),
    claim: async (slot, value, expiresAt, ...names) =>
      only(await given().store.load([{ slot, names, claim: { value, expiresAt } }])),
    view: async (slot, ...names) => only(await given().store.load([{ slot, names }])),
  }
}
