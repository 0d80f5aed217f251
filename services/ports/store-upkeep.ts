// What brings a store up to the log and keeps it there: the store's notes on itself, and writes of what was folded from
// the log. For recovery and audit only; transactions use the store.

import type { CommitResult, EntryWrite, SlotRead, SlotView, Store } from './store.ts'

/** How far the store holds a partition of the events. */
export interface Position {
  /** Every valid record before this offset is in the store. */
  readonly next: bigint
  /** The epoch that is in force there. */
  readonly epoch: number
}

export type Progress = ReadonlyMap<number, Position>

/** Live and die with the data: a store that lost something has lost its newer notes too. */
export interface StoreNotes {
  /** The term that was admitted last; '' when none was, or since it was suspended or lost. */
  readonly term: string
  /** By partition of the events. */
  readonly progress: Progress
  /**
   * To be cleared before anything else is made of it: a `clear` was begun and not ended, or an older release wrote slots
   * in another form. No term is admitted then.
   */
  readonly unusable: boolean
}

/** What a slot becomes by events of the log. */
export interface SlotRestore {
  readonly slot: string
  readonly expectedTag: string
  readonly nextTag: string
  readonly nextBase: string
  readonly writes: readonly EntryWrite[]
}

/** A claim that the log tells of: set if the scope has none. */
export interface ClaimRestore {
  readonly slot: string
  readonly value: string
  /** Unix milliseconds. */
  readonly expiresAt: number
}

/** One entry as the store holds it, for dumps. */
export interface HeldEntry {
  readonly slot: string
  /** As in `SlotView.entries`; 'version' for the slot's tag, 'base' for its base where it has one. */
  readonly name: string
  readonly value: string
  /** Unix milliseconds until memory is freed; null for never. */
  readonly expiresAt: number | null
}

/** Who may note how far the store is: the owner of a catch-up, or any worker of the admitted term. */
export type Holder = { readonly owner: string } | { readonly term: string }

/** Every method but the first two throws StoreError when it was not done, or may not have been. */
export interface StoreUpkeep {
  /**
   * Claims and units of this process are taken from now on only while the store's admitted term is this one; else the
   * call throws StoreError, and the generation rises.
   */
  enter(term: string): void
  /** Give the connection up and make a new one: the generation rises. */
  renew(why: string): void
  /** @throws StoreError also when a newer release wrote the store in another form. */
  notes(): Promise<StoreNotes>
  /** Become, or go on being, the only one who brings the store up to the log. False while another is. */
  seize(owner: string, ttlMs: number): Promise<boolean>
  /** Let the owner's seizure end. */
  release(owner: string): Promise<void>
  /** Nobody's units are taken from now on, until a term is admitted. */
  suspend(owner: string): Promise<void>
  /** Read slots as `load` does, but for their outboxes. */
  peek(reads: readonly SlotRead[]): Promise<readonly SlotView[]>
  /** Write what the log says. A slot at another tag than expected is a conflict and stays as it is. */
  restore(claims: readonly ClaimRestore[], slots: readonly SlotRestore[]): Promise<readonly CommitResult[]>
  /** Note how far the store holds the events. Never ahead of the data: everything before was written by then. */
  advance(holder: Holder, progress: Progress): Promise<void>
  /** The store is up to the log: take units of this term, and of no other. Ends the owner's seizure. */
  admit(owner: string, term: string): Promise<void>
  /**
   * Forget every version, outbox, entry of these kinds and all notes but the seizure, which is prolonged meanwhile. The
   * data has a new identity then, and the generation rises. Noted as `unusable` while it lasts.
   */
  clear(owner: string, ttlMs: number, kinds: ReadonlySet<string>): Promise<void>
  /**
   * Everything held, in no order, entries of one slot not together. Not one moment: for a store at rest. @throws
   * StoreError also when another release wrote it in another form.
   */
  held(): AsyncIterable<HeldEntry>
}

/** A store that can be brought up to the log. */
export interface RecoverableStore extends Store {
  readonly upkeep: StoreUpkeep
}
