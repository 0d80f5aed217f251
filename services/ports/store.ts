// The store: slots, each with one version, one text that is read and written with it, and named entries. A cache of the
// log: see ARCHITECTURE.md.
// A failed call throws StoreError; it never looks like an absent entry.

/**
 * The version of a slot as the store compares it: the number and the hash of the event that made it. '' before the
 * first.
 */
export type SlotTag = string

export interface SlotRead {
  readonly slot: string
  /** Names of entries, such as `claim` or `token:<hash>`. */
  readonly names: readonly string[]
  /**
   * Before reading: set `claim` if absent to `value` (null: set nothing), and keep it at least until `expiresAt`, Unix
   * ms.
   */
  readonly claim?: { readonly value: string | null; readonly expiresAt: number }
}

export interface OutboxEntry {
  readonly version: number
  readonly event: Uint8Array
}

export interface SlotView {
  readonly slot: string
  readonly tag: SlotTag
  /** What the unit of this version left as the slot's base, '' before the first. */
  readonly base: string
  /** Entries by name; absent ones are not in it. `claim` is in it when it was named or claimed. */
  readonly entries: ReadonlyMap<string, string>
  /** Events of the slot that are not known to be on the log, by version, oldest first. */
  readonly outbox: readonly OutboxEntry[]
  /** The store's generation under which this was read. */
  readonly generation: number
}

export interface EntryWrite {
  readonly name: string
  /** null deletes. */
  readonly value: string | null
  /** Unix milliseconds at which memory may be freed; null for never. */
  readonly expiresAt: number | null
}

/** A name as `secretName` makes it; its value is wrapped or sealed. */
export interface Secret {
  readonly name: string
  readonly value: string
  /** Unix milliseconds, exactly: no slack. */
  readonly expiresAt: number
}

/** Writes of one slot: all of them or none. */
export interface Unit {
  readonly slot: string
  readonly expectedTag: SlotTag
  readonly nextTag: SlotTag
  /** One line: what the slot's base is then. */
  readonly nextBase: string
  /** Entries that must still be absent. */
  readonly absent: readonly string[]
  readonly writes: readonly EntryWrite[]
  /** Joins the slot's outbox. */
  readonly event: OutboxEntry
  /** Generation of the view it was decided on: another one now is a conflict. */
  readonly generation: number
}

export type CommitResult = 'committed' | 'conflict'

export interface Store {
  /**
   * Raised by every change of the connection. What was loaded or committed under an older generation and is not
   * published yet has to be dropped and decided again.
   */
  readonly generation: number
  /** Identity of the store process behind the connection, '' before the first. */
  readonly runId: string
  /** One round trip for all of them; each slot is read at one moment, its outbox not before. */
  load(reads: readonly SlotRead[]): Promise<readonly SlotView[]>
  /** One round trip; units are taken in order, each on its own. A conflict changes nothing of its unit. */
  commit(units: readonly Unit[]): Promise<readonly CommitResult[]>
  /** Forget outbox events that are on the log. */
  acknowledge(acks: readonly { readonly slot: string; readonly versions: readonly number[] }[]): Promise<void>
  /**
   * Keep secrets beside a slot, outside its versions and of the log: a loss loses them. They are read and deleted like
   * entries. Overwrites; each needs an expiry.
   */
  stash(slot: string, secrets: readonly Secret[]): Promise<void>
  /** Counters of a fixed window, which may be lost. Absent ones are 0. */
  counts(keys: readonly string[]): Promise<readonly number[]>
  count(increments: readonly { readonly key: string; readonly by: number; readonly expiresAt: number }[]): Promise<void>
  /** Resolves when the store answers. @throws StoreError */
  ping(): Promise<void>
  close(): Promise<void>
}

/** The store did not do, or may not have done, what was asked. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly retryable = true
}
