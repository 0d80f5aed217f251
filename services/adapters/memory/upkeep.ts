// What brings the store in memory up to the log, with the promises of the one on Redis. Its notes go with the data.

import { StoreError, type CommitResult, type SlotRead, type SlotView } from '../../ports/store.ts'
import type {
  ClaimRestore,
  HeldEntry,
  Holder,
  Position,
  Progress,
  SlotRestore,
  StoreNotes,
  StoreUpkeep,
} from '../../ports/store-upkeep.ts'
import { kindOf } from '../store-limits.ts'
import type { Entry, Slot } from './store.ts'

/** What the store holds about itself. */
export interface Notes {
  term: string
  owner: string
  ownerUntil: number
  readonly progress: Map<number, Position>
}

export function copyNotes(notes: Notes): Notes {
  return { ...notes, progress: new Map(notes.progress) }
}

/** What the store lets its upkeep do. */
export interface Inside {
  now(): number
  answer<T>(label: string, work: () => T): T
  read(read: SlotRead): SlotView
  slots(): Map<string, Slot>
  slot(id: string): Slot
  /** If the slot has none. */
  claim(id: string, value: string, expiresAt: number): void
  /** The connection was made anew; `renewed`: the data is other data, too. */
  renew(): void
  renewed(): void
  alive(entry: Entry): boolean
}

const NOTHING: Notes = { term: '', owner: '', ownerUntil: 0, progress: new Map() }

export class MemoryUpkeep implements StoreUpkeep {
  readonly #inside: Inside
  kept: Notes = copyNotes(NOTHING)
  #term = ''

  constructor(inside: Inside) {
    this.#inside = inside
  }

  /** The data is gone, and its notes with it. */
  forget(): void {
    this.kept = copyNotes(NOTHING)
  }

  /** Whether this process is in the admitted term. */
  entered(): boolean {
    return this.#term === this.kept.term
  }

  enter(term: string): void {
    this.#term = term
  }

  renew(_why: string): void {
    this.#inside.renew()
  }

  async notes(): Promise<StoreNotes> {
    return this.#inside.answer('notes', () => ({
      term: this.kept.term,
      progress: new Map(this.kept.progress),
      unusable: false,
    }))
  }

  async seize(owner: string, ttlMs: number): Promise<boolean> {
    return this.#inside.answer('seize', () => {
      if (this.#owner() !== '' && this.#owner() !== owner) return false
      this.kept = { ...this.kept, owner, ownerUntil: this.#inside.now() + ttlMs }
      return true
    })
  }

  async release(owner: string): Promise<void> {
    this.#inside.answer('release', () => {
      if (this.#owner() === owner) this.kept = { ...this.kept, owner: '' }
    })
  }

  async suspend(owner: string): Promise<void> {
    this.#note('suspend', { owner }, () => (this.kept = { ...this.kept, term: '' }))
  }

  async peek(reads: readonly SlotRead[]): Promise<readonly SlotView[]> {
    return this.#inside.answer('peek', () => reads.map(({ slot, names }) => this.#inside.read({ slot, names })))
  }

  async restore(claims: readonly ClaimRestore[], slots: readonly SlotRestore[]): Promise<readonly CommitResult[]> {
    return this.#inside.answer('restore', () => {
      for (const { slot, value, expiresAt } of claims) this.#inside.claim(slot, value, expiresAt)
      return slots.map((restored) => this.#restore(restored))
    })
  }

  async advance(holder: Holder, progress: Progress): Promise<void> {
    this.#note('advance', holder, () => {
      for (const [partition, position] of progress) this.kept.progress.set(partition, position)
    })
  }

  async admit(owner: string, term: string): Promise<void> {
    this.#note('admit', { owner }, () => (this.kept = { ...this.kept, term, owner: '' }))
  }

  async clear(owner: string, _ttlMs: number, kinds: ReadonlySet<string>): Promise<void> {
    this.#note('clear', { owner }, () => {
      this.kept = { ...this.kept, term: '', progress: new Map() }
      for (const [id, slot] of this.#inside.slots()) {
        slot.tag = ''
        slot.base = ''
        slot.outbox.clear()
        for (const name of slot.entries.keys()) if (kinds.has(kindOf(name))) slot.entries.delete(name)
        if (slot.entries.size === 0) this.#inside.slots().delete(id)
      }
    })
    this.#inside.renewed()
  }

  async *held(): AsyncGenerator<HeldEntry> {
    for (const [slot, { tag, base, entries }] of this.#inside.slots()) {
      if (tag !== '') yield { slot, name: 'version', value: tag, expiresAt: null }
      if (base !== '') yield { slot, name: 'base', value: base, expiresAt: null }
      for (const [name, entry] of entries) if (this.#inside.alive(entry)) yield { slot, name, ...entry }
    }
  }

  #restore({ slot: id, expectedTag, nextTag, nextBase, writes }: SlotRestore): CommitResult {
    if ((this.#inside.slots().get(id)?.tag ?? '') !== expectedTag) return 'conflict'
    const slot = this.#inside.slot(id)
    for (const { name, value, expiresAt } of writes) {
      if (value === null) slot.entries.delete(name)
      else slot.entries.set(name, { value, expiresAt })
    }
    slot.tag = nextTag
    slot.base = nextBase
    slot.outbox.clear()
    return 'committed'
  }

  #owner(): string {
    return this.#inside.now() < this.kept.ownerUntil ? this.kept.owner : ''
  }

  #note(label: string, holder: Holder, change: () => unknown): void {
    this.#inside.answer(label, () => {
      const holds = 'owner' in holder ? this.#owner() === holder.owner : this.kept.term === holder.term
      if (holds) return void change()
      this.#inside.renew()
      throw new StoreError(`${label}: the store was emptied, or another process brings it up to the log`)
    })
  }
}
