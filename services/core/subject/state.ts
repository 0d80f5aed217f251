// The state of one slot, as far as it was loaded. Immutable: `evolve` makes a new one.

import type { Account, AccountType } from '../account/account.ts'
import type { Card } from '../card/card.ts'
import { OPEN_GUARD, type Guard } from '../guard/guard.ts'
import type { LiveToken, Token } from '../token/token.ts'
import type { CardToken, OrderHold } from '../card-token/card-token.ts'
import type { Claim, Outcome, Pending, VerdictRecord } from '../transaction/outcome.ts'

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
  /** By scope key. */
  readonly pendings: ReadonlyMap<string, Pending>
  /** By token hash; on a slot of card tokens. */
  readonly cardTokens: ReadonlyMap<string, CardToken>
  /** By order hash; on a slot of orders. */
  readonly orders: ReadonlyMap<string, OrderHold>
  /**
   * What the store holds beside the slot and no event does: data keys and security codes, wrapped and sealed, by
   * `secretName`. May be gone at any time.
   */
  readonly secrets: ReadonlyMap<string, string>
}

/** Shared by all empty slots: nothing is ever added to it, since states are immutable. */
const NONE: unknown = new Map()

export function emptySlot(id: string): SlotState {
  return {
    id,
    version: 0,
    head: '',
    guard: OPEN_GUARD,
    live: [],
    card: null,
    claim: null,
    tokens: NONE as SlotState['tokens'],
    accounts: NONE as SlotState['accounts'],
    outcomes: NONE as SlotState['outcomes'],
    verdicts: NONE as SlotState['verdicts'],
    pendings: NONE as SlotState['pendings'],
    cardTokens: NONE as SlotState['cardTokens'],
    orders: NONE as SlotState['orders'],
    secrets: NONE as SlotState['secrets'],
  }
}
