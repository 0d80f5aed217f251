// Applies runs of events to the store: folds those of each slot in memory and writes the result once, so that a batch
// costs the store a write for each slot and claim, not for each event. Holds a bounded number of slots.

import { kindOf } from '../../adapters/store-limits.ts'
import { foldEvent, namesFor } from '../../protocol/fold.ts'
import { baseOf, claimExpiresAt, claimText, stateOf, tagOf, withEntries } from '../../protocol/entries.ts'
import type { AuthorizationEvent, ClaimRef, DecisionEvent } from '../../core/subject/event.ts'
import type { Rules } from '../../core/subject/rules.ts'
import { emptySlot, type SlotState } from '../../core/subject/state.ts'
import type { TransactionCode } from '../../core/transaction/codes.ts'
import { scopeSlot } from '../../core/transaction/scope.ts'
import { StoreError, type EntryWrite } from '../../ports/store.ts'
import type { ClaimRestore, SlotRestore, StoreUpkeep } from '../../ports/store-upkeep.ts'

/** Slots kept between batches, with their live tokens only: a few kilobytes each. */
const MAX_CACHED_SLOTS = 10_000
/** Reading a slot again after it moved on under our hands: somebody else applies the same events. */
const MAX_ATTEMPTS = 10
/**
 * What ended less than this ago is kept so much longer, so that events later in the log that tell of it find it.
 * Milliseconds.
 */
const KEPT_FOR_LATER_MS = 86_400_000
/** Events older than this many retentions of outcomes tell of nothing that is still remembered. */
const RETENTIONS_REMEMBERED = 2

export interface LoggedEvent {
  readonly event: AuthorizationEvent
  /** SHA-256 of its bytes. */
  readonly hash: string
}

export interface RestorerOptions {
  readonly upkeep: Pick<StoreUpkeep, 'peek' | 'restore'>
  readonly rules: Rules
  /** Unix milliseconds. */
  readonly now: () => number
  /** The store was empty: a slot whose first event comes is not read before. */
  readonly fromEmpty?: boolean
  /** Only these slots; all by default. */
  readonly only?: (slot: string) => boolean
}

interface Group {
  readonly slot: string
  events: { readonly event: DecisionEvent; readonly hash: string }[]
}

/** A slot as far as it is known; of tokens and outcomes only those that are in the state are. */
interface Cached {
  readonly state: SlotState
  /** Other entries that are known to be as in the state, or 'all' of them. */
  readonly known: ReadonlySet<string> | 'all'
}

export class Restorer {
  readonly #options: RestorerOptions
  readonly #cache = new Map<string, Cached>()

  constructor(options: RestorerOptions) {
    this.#options = options
  }

  /**
   * Apply events of one partition, in the order of the log; what the store has already is passed over.
   * @throws FoldError when store and log contradict each other. @throws StoreError
   */
  async apply(logged: readonly LoggedEvent[]): Promise<void> {
    const groups = new Map<string, Group>()
    const claims = new Map<string, ClaimRestore>()
    for (const { event, hash } of logged) {
      if (event.type === 'rules-published' || event.type === 'epoch-raised') continue
      this.#collectClaims(event.claims, event.type === 'transaction-refused' ? event.now : event.drawn.now, claims)
      if (event.type === 'transaction-refused' || this.#options.only?.(event.slot) === false) continue
      const group = groups.get(event.slot)
      if (group) group.events.push({ event, hash })
      else groups.set(event.slot, { slot: event.slot, events: [{ event, hash }] })
    }
    await this.#applyGroups([...groups.values()], [...claims.values()])
  }

  async #applyGroups(groups: readonly Group[], claims: readonly ClaimRestore[]): Promise<void> {
    let left = groups
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const states = await this.#states(left, attempt === 0 && this.#options.fromEmpty === true)
      const folded = left.flatMap((group, i) => this.#fold(group, states[i] as Cached))
      const verdicts = await this.#options.upkeep.restore(
        attempt === 0 ? claims : [],
        folded.map(({ restore }) => restore),
      )
      const moved = new Set<string>()
      folded.forEach(({ restore, cached }, i) => {
        if (verdicts[i] === 'committed') this.#remember(restore.slot, cached)
        else {
          moved.add(restore.slot)
          this.#cache.delete(restore.slot)
        }
      })
      if (moved.size === 0) return
      left = left.filter(({ slot }) => moved.has(slot))
    }
    throw new StoreError('restore: slots keep moving on')
  }

  #collectClaims(refs: readonly ClaimRef[], now: number, claims: Map<string, ClaimRestore>): void {
    for (const { scope, claim } of refs) {
      const slot = scopeSlot(scope)
      const expiresAt = claimExpiresAt(now, codeOf(scope), this.#options.rules)
      if (this.#options.only?.(slot) === false) continue
      if (expiresAt > this.#options.now() && !claims.has(slot))
        claims.set(slot, { slot, value: claimText(claim), expiresAt })
    }
  }

  /** What the store has of each group's slot, as far as its events need it. */
  async #states(groups: readonly Group[], fromEmpty: boolean): Promise<readonly Cached[]> {
    const states: Cached[] = []
    const reads: { readonly at: number; readonly slot: string; readonly names: readonly string[] }[] = []
    groups.forEach(({ slot, events }, at) => {
      const first = events[0]?.event.version ?? 1
      const cached =
        this.#cache.get(slot) ??
        (fromEmpty && first === 1 ? { state: emptySlot(slot), known: 'all' as const } : undefined)
      const needed = namesFor(
        events.map(({ event }) => event),
        cached ? cached.state.version : null,
      )
      if (cached) {
        states[at] = cached
        const missing = [...needed].filter((name) => !isKnown(cached, name))
        if (missing.length > 0 && cached.state.version > 0) reads.push({ at, slot, names: missing })
      } else reads.push({ at, slot, names: [...needed] })
    })
    if (reads.length === 0) return states
    const views = await this.#options.upkeep.peek(reads)
    views.forEach((view, i) => {
      const { at = 0, slot = '', names = [] } = reads[i] ?? {}
      const seen = stateOf(view)
      const cached = states[at]
      // Another version than remembered: the write conflicts, and the slot is read anew.
      const state = cached ? withEntries(cached.state, view.entries) : seen
      const known = cached?.known === 'all' ? cached.known : new Set([...(cached?.known ?? []), ...names])
      states[at] = { state, known }
      if (cached && (cached.state.version !== seen.version || cached.state.head !== seen.head)) this.#cache.delete(slot)
    })
    return states
  }

  /** Nothing when the store has all of it. */
  #fold({ slot, events }: Group, { state, known }: Cached): { restore: SlotRestore; cached: Cached }[] {
    const writes = new Map<string, EntryWrite>()
    const names = new Set(known === 'all' ? [] : known)
    const from = state
    for (const { event, hash } of events) {
      const folded = foldEvent(state, event, hash, this.#options.rules)
      if (!folded) continue
      state = folded.after
      for (const write of folded.writes) {
        writes.set(write.name, this.#lasting(write, event.drawn.now))
        if (!ofMany(write.name)) names.add(write.name)
      }
    }
    if (state === from) return []
    const tags = { expectedTag: tagOf(from), nextTag: tagOf(state) }
    const restore = { slot, ...tags, nextBase: baseOf(state), writes: [...writes.values()] }
    return [{ restore, cached: { state: pruned(state), known: known === 'all' ? known : names } }]
  }

  /** Long enough in memory for what comes later in the log, and not at all if nothing can refer to it any more. */
  #lasting(write: EntryWrite, decidedAt: number): EntryWrite {
    const now = this.#options.now()
    if (write.expiresAt === null || write.expiresAt > now + KEPT_FOR_LATER_MS) return write
    const remembered = RETENTIONS_REMEMBERED * this.#options.rules.outcomeRetentionMs + KEPT_FOR_LATER_MS
    if (write.expiresAt <= now && decidedAt + remembered <= now) return { ...write, value: null, expiresAt: null }
    return { ...write, expiresAt: now + KEPT_FOR_LATER_MS }
  }

  #remember(slot: string, cached: Cached): void {
    this.#cache.delete(slot)
    this.#cache.set(slot, cached)
    if (this.#cache.size <= MAX_CACHED_SLOTS) return
    const oldest = this.#cache.keys().next()
    if (!oldest.done) this.#cache.delete(oldest.value)
  }
}

/** The middle of a scope key. */
function codeOf(scope: string): TransactionCode {
  return scope.split(':')[1] as TransactionCode
}

/** Kinds of which a slot may have many, and where: only those in the state are known. */
const OF_MANY: Readonly<Record<string, (state: SlotState) => ReadonlyMap<string, unknown>>> = {
  token: (state) => state.tokens,
  outcome: (state) => state.outcomes,
  verdict: (state) => state.verdicts,
  cardtoken: (state) => state.cardTokens,
  order: (state) => state.orders,
}

function ofMany(name: string): ((state: SlotState) => ReadonlyMap<string, unknown>) | undefined {
  return OF_MANY[kindOf(name)]
}

function isKnown({ state, known }: Cached, name: string): boolean {
  const many = ofMany(name)
  if (many) return many(state).has(name.slice(kindOf(name).length + 1))
  return known === 'all' || known.has(name)
}

/** What is worth remembering of a slot between batches: not what it may have many of, but for tokens that are live. */
function pruned(state: SlotState): SlotState {
  const { outcomes, verdicts, cardTokens, orders, secrets } = emptySlot(state.id)
  const live = state.live.flatMap(({ hash }) => state.tokens.get(hash) ?? [])
  const tokens = new Map(live.map((token) => [token.hash, token]))
  return { ...state, tokens, outcomes, verdicts, cardTokens, orders, secrets, claim: null }
}
