// The slots as the store had them when each event was decided: bases, and entries with the expiries that the worker gives.
// Holds only what a partition's events have left, since every slot's events are in one partition.

import { evolveAll } from '../../core/subject/evolve.ts'
import type { DecisionEvent } from '../../core/subject/event.ts'
import type { Rules } from '../../core/subject/rules.ts'
import { emptySlot, type SlotState } from '../../core/subject/state.ts'
import { baseOf, withBase, withEntries, writesBetween } from '../../protocol/entries.ts'
import { namesOf, tokenNamesOf } from './entry-names.ts'

interface Entry {
  readonly text: string
  /** Unix milliseconds; null for never. */
  readonly expiresAt: number | null
}

interface Slot {
  version: number
  head: string
  /** Whether every event from the first on was folded. */
  complete: boolean
  base: string
  readonly entries: Map<string, Entry>
}

/** The clocks of worker and store may differ by this much: which of them an entry expired by is not known exactly. */
export const CLOCK_SKEW_MS = 60_000
/** So seldom that it costs nothing beside the folding. */
const SWEEP_EVERY = 50_000

export type Position = 'next' | 'repeated' | 'forked' | 'gap'

export class FoldedSlots {
  readonly #slots = new Map<string, Slot>()
  readonly #sweepEvery: number
  #folded = 0

  /** @param sweepEvery events folded between two looks at what has expired everywhere. */
  constructor(sweepEvery = SWEEP_EVERY) {
    this.#sweepEvery = sweepEvery
  }

  /** How an event stands to what was folded of its slot. */
  positionOf({ slot, version }: DecisionEvent, hash: string): Position {
    const known = this.#slots.get(slot)
    const last = known?.version ?? 0
    if (version > last) return version === last + 1 ? 'next' : 'gap'
    return version === last && known?.head !== hash ? 'forked' : 'repeated'
  }

  /** Whether all events of the slot so far were folded. */
  isComplete(slot: string): boolean {
    return this.#slots.get(slot)?.complete ?? true
  }

  head(slot: string): string {
    return this.#slots.get(slot)?.head ?? ''
  }

  /** The slot as far as the event concerns it, as the store showed it at that time. */
  before(event: DecisionEvent, now = event.drawn.now): SlotState {
    const slot = this.#slots.get(event.slot)
    if (!slot) return emptySlot(event.slot)
    const start = { ...emptySlot(event.slot), version: slot.version, head: slot.head }
    const state = withEntries(withBase(start, slot.base), shown(slot, namesOf(event), now))
    return withEntries(state, shown(slot, tokenNamesOf(event, state), now))
  }

  /** Whether what a decision saw may depend on whose clock an expiry went by. */
  isNearExpiry(event: DecisionEvent): boolean {
    const slot = this.#slots.get(event.slot)
    const { now } = event.drawn
    return [...(slot?.entries.values() ?? [])].some(
      ({ expiresAt }) => expiresAt !== null && Math.abs(expiresAt - now) <= CLOCK_SKEW_MS,
    )
  }

  /**
   * Folds the recorded facts into `before`. @returns the slot after it.
   * @throws Error when the facts do not fit: the slot is incomplete from then on.
   */
  fold(event: DecisionEvent, hash: string, rules: Rules, before = this.before(event)): SlotState {
    const { now } = event.drawn
    const slot = this.#slot(event.slot)
    slot.version = event.version
    slot.head = hash
    this.#sweepSometimes(now)
    try {
      const after = { ...evolveAll(before, event.facts), version: event.version, head: hash }
      slot.base = baseOf(after)
      for (const { name, value, expiresAt } of writesBetween(before, after, now, rules)) {
        if (value === null) slot.entries.delete(name)
        else slot.entries.set(name, { text: value, expiresAt })
      }
      return after
    } catch (error) {
      slot.complete = false
      throw error
    }
  }

  /** Go on behind events that are missing: nothing of the slot can be decided again. */
  skipTo({ slot: id, version }: DecisionEvent, hash: string): void {
    const slot = this.#slot(id)
    slot.entries.clear()
    Object.assign(slot, { base: '', version, head: hash, complete: false })
  }

  /** Forget everything: the next partition has other slots. */
  clear(): void {
    this.#slots.clear()
  }

  /** Entries held now. */
  get size(): number {
    return [...this.#slots.values()].reduce((sum, { entries }) => sum + entries.size, 0)
  }

  #slot(id: string): Slot {
    const found = this.#slots.get(id)
    if (found) return found
    const slot: Slot = { version: 0, head: '', complete: true, base: '', entries: new Map() }
    this.#slots.set(id, slot)
    return slot
  }

  #sweepSometimes(now: number): void {
    if (++this.#folded % this.#sweepEvery !== 0) return
    for (const { entries } of this.#slots.values()) {
      for (const [name, { expiresAt }] of entries) {
        if (expiresAt !== null && expiresAt + CLOCK_SKEW_MS < now) entries.delete(name)
      }
    }
  }
}

function shown({ entries }: Slot, names: Iterable<string>, now: number): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const name of names) {
    const entry = entries.get(name)
    if (entry && (entry.expiresAt === null || now < entry.expiresAt)) found.set(name, entry.text)
  }
  return found
}
