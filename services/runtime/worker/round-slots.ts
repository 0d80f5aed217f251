// The slots of one round: what was loaded, and what the round's own units have made of it. Lives as long as the round.

import { CLAIM, claimExpiresAt, claimText, stateOf, withEntries } from '../../protocol/entries.ts'
import type { Loaded, LoadOperation, SlotAsk } from '../../protocol/operations.ts'
import { evolveAll } from '../../core/subject/evolve.ts'
import type { Fact } from '../../core/subject/fact.ts'
import type { Rules } from '../../core/subject/rules.ts'
import type { SlotState } from '../../core/subject/state.ts'
import type { Headers } from '../../ports/log.ts'
import type { OutboxEntry, SlotRead, SlotView } from '../../ports/store.ts'

/** An event that may not be on the log yet; headers only where it was made in this process. */
export interface PendingEvent extends OutboxEntry {
  readonly headers?: Headers
}

interface Cached {
  state: SlotState
  readonly names: Set<string>
  outbox: readonly PendingEvent[]
  /** Units of the running wave stand on this state, not committed yet. */
  dirty: boolean
}

export interface Evolved {
  readonly before: SlotState
  readonly after: SlotState
}

export class RoundSlots {
  readonly #slots = new Map<string, Cached>()
  readonly #counts = new Map<string, number>()

  /** What must be read from the store before these loads can be answered: one read a slot. */
  missing(operations: Iterable<LoadOperation>, now: number, rules: Rules): { reads: SlotRead[]; counters: string[] } {
    const wanted = new Map<string, SlotAsk[]>()
    const counters = new Set<string>()
    for (const { asks, counters: keys } of operations) {
      for (const key of keys) if (!this.#counts.has(key)) counters.add(key)
      for (const ask of asks) {
        if (this.#has(ask)) continue
        const others = wanted.get(ask.slot)
        if (others) others.push(ask)
        else wanted.set(ask.slot, [ask])
      }
    }
    const reads = [...wanted].map(([slot, asks]) => readOf(slot, asks, now, rules))
    return { reads, counters: [...counters] }
  }

  /** Take up what was read. A slot that moved on meanwhile is taken anew. */
  merge(reads: readonly SlotRead[], views: readonly SlotView[]): void {
    views.forEach((view, i) => {
      const fresh = stateOf(view)
      const names = reads[i]?.names ?? []
      const cached = this.#slots.get(view.slot)
      if (!cached || cached.state.version !== fresh.version || cached.state.head !== fresh.head) {
        this.#slots.set(view.slot, { state: fresh, names: new Set(names), outbox: view.outbox, dirty: false })
        return
      }
      const added = new Map([...view.entries].filter(([name]) => name === CLAIM || !cached.names.has(name)))
      cached.state = withEntries(cached.state, added)
      for (const name of names) cached.names.add(name)
    })
  }

  mergeCounts(keys: readonly string[], counts: readonly number[]): void {
    keys.forEach((key, i) => this.#counts.set(key, counts[i] ?? 0))
  }

  addCount(key: string): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
  }

  /** The answer to a load, or null while something of it has to be read first. */
  answer({ asks, counters, settled }: LoadOperation): Loaded | null {
    for (const ask of asks) if (!this.#has(ask) || (settled && this.#slots.get(ask.slot)?.dirty)) return null
    for (const key of counters) if (!this.#counts.has(key)) return null
    const states = asks.map(({ slot }) => this.#cached(slot).state)
    const counts = counters.map((key) => this.#counts.get(key) ?? 0)
    return {
      state: (slot) => got(states[asks.findIndex((ask) => ask.slot === slot)], slot),
      count: (key) => got(counts[counters.indexOf(key)], key),
    }
  }

  /** What the facts make of a slot, as the next version. */
  evolved(slot: string, facts: readonly Fact[]): Evolved {
    const before = this.#cached(slot).state
    return { before, after: { ...evolveAll(before, facts), version: before.version + 1 } }
  }

  /** Go on with a unit's result before it is committed. */
  apply(state: SlotState, event: PendingEvent): void {
    const cached = this.#cached(state.id)
    cached.state = state
    cached.outbox = [...cached.outbox, event]
    cached.dirty = true
  }

  /** Whether what is known of a slot has come to a version; else the slot has to be loaded again. */
  reaches(slot: string, version: number): boolean {
    const cached = this.#slots.get(slot)
    return cached !== undefined && cached.state.version >= version
  }

  /** Events of a slot up to a version that it reaches that are not known to be on the log; else null. */
  pending(slot: string, version: number): readonly PendingEvent[] | null {
    if (!this.reaches(slot, version)) return null
    return this.#cached(slot).outbox.filter((event) => event.version <= version)
  }

  forget(slot: string): void {
    this.#slots.delete(slot)
  }

  /** The wave's units are committed or forgotten. */
  settle(): void {
    for (const cached of this.#slots.values()) cached.dirty = false
  }

  #has(ask: SlotAsk): boolean {
    const cached = this.#slots.get(ask.slot)
    if (!cached || (ask.claim && !cached.state.claim)) return false
    return ask.names.every((name) => cached.names.has(name))
  }

  #cached(slot: string): Cached {
    return got(this.#slots.get(slot), slot)
  }
}

function readOf(slot: string, asks: readonly SlotAsk[], now: number, rules: Rules): SlotRead {
  const [first] = asks
  const names = asks.length === 1 && first ? first.names : [...new Set(asks.flatMap((ask) => ask.names))]
  const claim = asks.find((ask) => ask.claim)?.claim
  if (!claim) return { slot, names }
  return { slot, names, claim: { value: claimText(claim.value), expiresAt: claimExpiresAt(now, claim.code, rules) } }
}

function got<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`${name} was not loaded`)
  return value
}
