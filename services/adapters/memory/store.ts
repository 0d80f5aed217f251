// The store in memory, with the promises of the one on Redis: versions, expiry, generations. For embedded mode and the
// simulation, whose hooks make it fail, restart and lose its last writes. It survives no process.

import type { Clock } from '../../ports/clock.ts'
import {
  StoreError,
  type CommitResult,
  type OutboxEntry,
  type Secret,
  type SlotRead,
  type SlotView,
  type Unit,
} from '../../ports/store.ts'
import type { RecoverableStore } from '../../ports/store-upkeep.ts'
import {
  checkAcks,
  checkCounterKeys,
  checkIncrements,
  checkReads,
  checkSecrets,
  checkUnits,
  kindOf,
  type Ack,
  type Increment,
} from '../store-limits.ts'
import { copyNotes, MemoryUpkeep, type Notes } from './upkeep.ts'

/** What a store held at a moment. Opaque: only for `rewind`. */
export interface MemorySnapshot {
  readonly slots: ReadonlyMap<string, Slot>
  readonly counters: ReadonlyMap<string, Entry>
  readonly notes: Notes
}

export interface MemoryStore extends RecoverableStore {
  /**
   * Let the next `calls` calls throw StoreError; 'after' lets them take effect first, as when an answer is lost.
   */
  failNext(calls: number, when?: 'before' | 'after'): void
  /** A new connection to the same data: the generation rises, the run id changes. */
  restart(): void
  snapshot(): MemorySnapshot
  /** A restart that brings back what was held at a snapshot. */
  rewind(snapshot: MemorySnapshot): void
  /** A restart with nothing left. */
  wipe(): void
  /** Nothing left, and nobody is told: the next call notices. */
  flush(): void
  /** Everything unexpired by the key that Redis would use, events as Latin-1, for tests that search it. */
  dump(): ReadonlyMap<string, string>
}

export interface Entry {
  readonly value: string
  readonly expiresAt: number | null
}

export interface Slot {
  tag: string
  base: string
  readonly entries: Map<string, Entry>
  readonly outbox: Map<number, Uint8Array>
}

/** Slots looked at for expired entries by each call that writes, so that memory is bounded by what is alive. */
const SWEPT_PER_CALL = 4

/** @param options.clock by which entries expire. */
export function createMemoryStore(options: { readonly clock: Clock }): MemoryStore {
  return new InMemoryStore(options.clock)
}

class InMemoryStore implements MemoryStore {
  readonly #clock: Clock
  #slots = new Map<string, Slot>()
  #counters = new Map<string, Entry>()
  #generation = 1
  /** Raised when the data may be other data. */
  #run = 1
  #emptied = false
  readonly upkeep: MemoryUpkeep
  #closed = false
  #failing = { calls: 0, after: false }
  #sweep: Iterator<[string, Slot]> | null = null
  #counterSweep: Iterator<[string, Entry]> | null = null

  constructor(clock: Clock) {
    this.#clock = clock
    this.upkeep = new MemoryUpkeep({
      now: () => clock.now(),
      answer: (label, work) => this.#answer(label, work),
      read: (read) => this.#read(read),
      slots: () => this.#slots,
      slot: (id) => this.#slot(id),
      claim: (id, value, expiresAt) => this.#claim(id, value, expiresAt),
      renewed: () => this.restart(),
      renew: () => void (this.#generation += 1),
      alive: (entry) => this.#alive(entry) !== undefined,
    })
  }

  get generation(): number {
    return this.#generation
  }

  get runId(): string {
    return `memory-${this.#run}`
  }

  async load(reads: readonly SlotRead[]): Promise<readonly SlotView[]> {
    checkReads(reads)
    return this.#answer('load', () => reads.map((read) => this.#read(read)))
  }

  async commit(units: readonly Unit[]): Promise<readonly CommitResult[]> {
    checkUnits(units)
    return this.#answer('commit', () => units.map((unit) => this.#apply(unit)))
  }

  async acknowledge(acks: readonly Ack[]): Promise<void> {
    checkAcks(acks)
    this.#answer('acknowledge', () => {
      for (const { slot, versions } of acks) {
        for (const version of versions) this.#slots.get(slot)?.outbox.delete(version)
      }
    })
  }

  async stash(slot: string, secrets: readonly Secret[]): Promise<void> {
    checkSecrets(slot, secrets)
    this.#answer('stash', () => {
      const { entries } = this.#slot(slot)
      for (const { name, value, expiresAt } of secrets) entries.set(name, { value, expiresAt })
    })
  }

  async counts(keys: readonly string[]): Promise<readonly number[]> {
    checkCounterKeys(keys)
    return this.#answer('counts', () => keys.map((key) => Number(this.#alive(this.#counters.get(key))?.value ?? 0)))
  }

  async count(increments: readonly Increment[]): Promise<void> {
    checkIncrements(increments)
    this.#answer('count', () => {
      for (const { key, by, expiresAt } of increments) {
        const before = Number(this.#alive(this.#counters.get(key))?.value ?? 0)
        this.#counters.set(key, { value: String(before + by), expiresAt })
      }
    })
  }

  async ping(): Promise<void> {
    this.#answer('ping', () => undefined)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#generation += 1
  }

  failNext(calls: number, when: 'before' | 'after' = 'before'): void {
    this.#failing = { calls, after: when === 'after' }
  }

  restart(): void {
    this.#generation += 1
    this.#run += 1
  }

  snapshot(): MemorySnapshot {
    const notes = copyNotes(this.upkeep.kept)
    return { slots: copySlots(this.#slots), counters: new Map(this.#counters), notes }
  }

  rewind(snapshot: MemorySnapshot): void {
    this.#replace(copySlots(snapshot.slots), new Map(snapshot.counters))
    this.upkeep.kept = copyNotes(snapshot.notes)
  }

  wipe(): void {
    this.#replace(new Map(), new Map())
  }

  flush(): void {
    this.#clearAll(new Map(), new Map())
    this.#emptied = true
  }

  dump(): ReadonlyMap<string, string> {
    const all = new Map<string, string>()
    for (const [id, slot] of this.#slots) {
      if (slot.tag !== '') all.set(`version:{${id}}`, `${slot.tag}\n${slot.base}\n`)
      for (const [name, entry] of slot.entries) {
        const kind = kindOf(name)
        if (this.#alive(entry)) all.set(`${kind}:{${id}}${name.slice(kind.length)}`, entry.value)
      }
      for (const [version, event] of slot.outbox) {
        all.set(`outbox:{${id}}#${version}`, Buffer.from(event).toString('latin1'))
      }
    }
    for (const [key, entry] of this.#counters) if (this.#alive(entry)) all.set(`count:{${key}}`, entry.value)
    return all
  }

  #replace(slots: Map<string, Slot>, counters: Map<string, Entry>): void {
    this.#clearAll(slots, counters)
    this.restart()
  }

  #clearAll(slots: Map<string, Slot>, counters: Map<string, Entry>): void {
    this.#slots = slots
    this.#counters = counters
    this.#sweep = null
    this.#counterSweep = null
    this.upkeep.forget()
  }

  #answer<T>(label: string, work: () => T): T {
    if (this.#closed) throw new StoreError(`${label}: the store is not connected`)
    if (this.#emptied) {
      this.#emptied = false
      this.restart()
      throw new StoreError(`${label}: the store was emptied`)
    }
    const fails = this.#failing.calls > 0
    if (fails) this.#failing.calls -= 1
    if (fails && !this.#failing.after) throw new StoreError(`${label}: the store did not answer in time`)
    const answer = work()
    this.#sweepSome()
    if (fails) throw new StoreError(`${label}: the connection to the store changed`)
    return answer
  }

  #read({ slot: id, names, claim }: SlotRead): SlotView {
    if (claim) {
      this.#mustBeAdmitted('load')
      this.#claim(id, claim.value, claim.expiresAt)
    }
    const slot = this.#slots.get(id)
    const entries = new Map<string, string>()
    for (const name of claim ? [...names, 'claim'] : names) {
      const entry = this.#alive(slot?.entries.get(name))
      if (entry) entries.set(name, entry.value)
    }
    const outbox: OutboxEntry[] = []
    for (const [version, event] of slot?.outbox ?? []) outbox.push({ version, event: event.slice() })
    outbox.sort((a, b) => a.version - b.version)
    return { slot: id, tag: slot?.tag ?? '', base: slot?.base ?? '', entries, outbox, generation: this.#generation }
  }

  #claim(id: string, value: string | null, expiresAt: number): void {
    const held = this.#alive(this.#slots.get(id)?.entries.get('claim'))
    if (held) {
      const kept = held.expiresAt === null ? null : Math.max(held.expiresAt, expiresAt)
      this.#slot(id).entries.set('claim', { value: held.value, expiresAt: kept })
    } else if (value !== null) {
      this.#slot(id).entries.set('claim', { value, expiresAt })
    }
  }

  #apply(unit: Unit): CommitResult {
    if (unit.generation !== this.#generation) return 'conflict'
    this.#mustBeAdmitted('commit')
    const before = this.#slots.get(unit.slot)
    if ((before?.tag ?? '') !== unit.expectedTag) return 'conflict'
    if (unit.absent.some((name) => this.#alive(before?.entries.get(name)))) return 'conflict'
    const slot = this.#slot(unit.slot)
    for (const { name, value, expiresAt } of unit.writes) {
      if (value === null) slot.entries.delete(name)
      else slot.entries.set(name, { value, expiresAt })
    }
    slot.tag = unit.nextTag
    slot.base = unit.nextBase
    slot.outbox.set(unit.event.version, unit.event.event.slice())
    return 'committed'
  }

  #mustBeAdmitted(label: string): void {
    if (this.upkeep.entered()) return
    this.#generation += 1
    throw new StoreError(`${label}: the store takes units of another term`)
  }

  #slot(id: string): Slot {
    let slot = this.#slots.get(id)
    if (!slot) {
      slot = { tag: '', base: '', entries: new Map(), outbox: new Map() }
      this.#slots.set(id, slot)
    }
    return slot
  }

  #alive(entry: Entry | undefined): Entry | undefined {
    return entry && (entry.expiresAt === null || this.#clock.now() < entry.expiresAt) ? entry : undefined
  }

  #sweepSome(): void {
    for (let looked = 0; looked < SWEPT_PER_CALL; looked += 1) {
      this.#sweep ??= this.#slots.entries()
      const next = this.#sweep.next()
      if (next.done === true) {
        this.#sweep = null
        break
      }
      this.#clear(next.value[0], next.value[1])
    }
    this.#counterSweep ??= this.#counters.entries()
    const counter = this.#counterSweep.next()
    if (counter.done === true) this.#counterSweep = null
    else if (!this.#alive(counter.value[1])) this.#counters.delete(counter.value[0])
  }

  #clear(id: string, slot: Slot): void {
    for (const [name, entry] of slot.entries) if (!this.#alive(entry)) slot.entries.delete(name)
    if (slot.tag === '' && slot.entries.size === 0 && slot.outbox.size === 0) this.#slots.delete(id)
  }
}

function copySlots(slots: ReadonlyMap<string, Slot>): Map<string, Slot> {
  const copies = new Map<string, Slot>()
  for (const [id, { tag, base, entries, outbox }] of slots) {
    copies.set(id, { tag, base, entries: new Map(entries), outbox: new Map(outbox) })
  }
  return copies
}
