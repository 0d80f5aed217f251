// The state of one slot, as far as it was loaded. Immutable: `evolve` makes a new one.

import type { Account, AccountType } from '../account/account.ts'
import type { Card } from '../card/card.ts'
import { OPEN_GUARD, type Guard } from '../guard/guard.ts'
import type { LiveToken, Token } from '../token/token.ts'
import type { Claim, Outcome, VerdictRecord } from '../transaction/outcome.ts'

/** A slot: what has one version. Every unit raises it by one and is one event. */
export interface SlotState {
  readonly id: string
  readonly version: number
  /** Hash of the slot's last event, '' before the first. */
  readonly head: string
  readonly guard: Guard
  readonly live: readonly LiveToken[]
  /** By token hash. */
  readonly tokens: ReadonlyMap<string, Token>
  readonly accounts: ReadonlyMap<AccountType, Account>
  readonly card: Card | null
  readonly claim: Claim | null
  /** By scope key. */
  readonly outcomes: ReadonlyMap<string, Outcome>
  /** By scope key; on a terminal's slot. */
  readonly verdicts: ReadonlyMap<string, VerdictRecord>
}

export function emptySlot(id: string): SlotState {
  return {
    id, version: 0, head: '', guard: OPEN_GUARD, live: [], tokens: new Map(), accounts: new Map(), card: null, claim: null,
    outcomes: new Map(), verdicts: new Map(),
  }
}
