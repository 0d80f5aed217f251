// The fold of the log into slots, one event at a time, for whoever brings a store up to it: the same `evolve` and the
// same entries as a worker's, so that they cannot differ. No I/O.

import { SECRET_KINDS, secretName } from '../core/card-token/card-token.ts'
import { evolve } from '../core/subject/evolve.ts'
import type { DecisionEvent } from '../core/subject/event.ts'
import type { Fact } from '../core/subject/fact.ts'
import type { Rules } from '../core/subject/rules.ts'
import type { SlotState } from '../core/subject/state.ts'
import type { EntryWrite } from '../ports/store.ts'
import { cardTokenName, orderName, outcomeName, pendingName, tokenName, writesBetween } from './entries.ts'

/** The store and the log tell of a slot what cannot both be true. Not retryable. */
export class FoldError extends Error {
  override readonly name = 'FoldError'
  /** 'gap': events before this one are neither in the store nor read. 'fork': another event has its place. */
  readonly kind: 'gap' | 'fork'

  constructor(kind: 'gap' | 'fork', slot: string, version: number) {
    super(
      kind === 'gap'
        ? `the events of ${slot} before version ${version} are missing`
        : `the store has another event than the log at version ${version} of ${slot}, or before it`,
    )
    this.kind = kind
  }
}

export interface Folded {
  readonly after: SlotState
  /** Besides the base. */
  readonly writes: readonly EntryWrite[]
}

/**
 * The entries that must be known, besides the base, before these events of one slot can be applied to it. Those that
 * are not in the store any more are over.
 * @param at the slot's version, beyond which events are applied and make entries themselves; null when it is not known:
 * any of these events may be in the store already.
 */
export function namesFor(events: readonly DecisionEvent[], at: number | null): ReadonlySet<string> {
  const needed = new Set<string>()
  const made = new Set<string>()
  for (const { version, facts, seen } of events) {
    if (at !== null && version <= at) continue
    for (const fact of facts) {
      for (const name of namesForFact(fact)) if (!made.has(name)) needed.add(name)
      // Only what another authorizer answered was pending.
      if (fact.kind === 'outcome-recorded' && seen.answer) needed.add(pendingName(fact.scope))
      if (at === null) continue
      if (fact.kind === 'card-token-issued') made.add(cardTokenName(fact.hash))
      if (fact.kind === 'token-issued') made.add(tokenName(fact.token.hash))
      if (fact.kind === 'outcome-recorded') made.add(outcomeName(fact.scope))
    }
  }
  return needed
}

function namesForFact(fact: Fact): string[] {
  switch (fact.kind) {
    case 'token-spent':
    case 'token-ended':
    case 'token-claimed':
      return [tokenName(fact.hash)]
    case 'card-token-spent':
      return [cardTokenName(fact.hash)]
    case 'undo-wanted':
      return [pendingName(fact.scope)]
    case 'order-freed':
      return [orderName(fact.hash)]
    case 'outcome-undone':
    case 'refund-recorded':
      return [outcomeName(fact.scope)]
    case 'token-issued':
    case 'guard-changed':
    case 'account-opened':
    case 'account-debited':
    case 'account-credited':
    case 'card-state-changed':
    case 'card-registered':
    case 'outcome-recorded':
    case 'verdict-recorded':
    case 'marker-set':
    case 'pending-recorded':
    case 'card-token-issued':
    case 'order-held':
      return []
  }
}

/**
 * Apply an event to a state that has the entries of `namesFor`. Null when the state holds it already.
 * @throws FoldError when the event does not follow from the state.
 */
export function foldEvent(state: SlotState, event: DecisionEvent, hash: string, rules: Rules): Folded | null {
  const { version, previousHash, slot } = event
  if (version < state.version || (version === state.version && hash === state.head)) return null
  if (version > state.version + 1) throw new FoldError('gap', slot, version)
  if (version === state.version || previousHash !== state.head) throw new FoldError('fork', slot, version)
  const after: SlotState = { ...event.facts.reduce(apply, state), version, head: hash }
  return { after, writes: [...writesBetween(state, after, event.drawn.now, rules), ...secretsGone(event)] }
}

/** What opens a card number goes with its token, also when the store still had it and this fold never saw it. */
function secretsGone({ facts }: DecisionEvent): EntryWrite[] {
  return facts.flatMap((fact) => {
    if (fact.kind !== 'card-token-spent') return []
    return SECRET_KINDS.map((kind) => ({ name: secretName(kind, fact.hash), value: null, expiresAt: null }))
  })
}

/**
 * As `evolve`, but for facts about a token or an outcome that memory was freed of: it ended long before now, so what
 * became of it changes nothing any more.
 */
function apply(state: SlotState, fact: Fact): SlotState {
  switch (fact.kind) {
    case 'token-spent':
    case 'token-ended':
      if (state.tokens.has(fact.hash)) return evolve(state, fact)
      return { ...state, live: state.live.filter(({ hash }) => hash !== fact.hash) }
    case 'token-claimed':
      if (state.tokens.has(fact.hash)) return evolve(state, fact)
      return state
    case 'outcome-undone':
    case 'refund-recorded':
      return state.outcomes.has(fact.scope) ? evolve(state, fact) : state
    case 'card-token-spent':
      return state.cardTokens.has(fact.hash) ? evolve(state, fact) : state
    default:
      return evolve(state, fact)
  }
}
