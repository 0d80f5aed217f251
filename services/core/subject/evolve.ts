// The fold: what each fact does to a slot. The worker, the rebuild and the replay all use this one, so they cannot
// differ.

import { amountMinor, minus, plus } from '../money/amount.ts'
import type { Account, AccountType } from '../account/account.ts'
import type { AmountMinor } from '../money/amount.ts'
import type { Token, TokenState } from '../token/token.ts'
import type { Fact } from './fact.ts'
import type { SlotState } from './state.ts'

/**
 * @throws Error when the fact does not fit the state: facts are only ever applied to the state they were decided on.
 */
export function evolve(state: SlotState, fact: Fact): SlotState {
  switch (fact.kind) {
    case 'token-issued':
      return withIssued(state, fact.token)
    case 'token-spent':
      return withUsed(state, fact.hash, 'spent', fact.scope)
    case 'token-ended':
      return withUsed(state, fact.hash, 'ended', fact.scope)
    case 'guard-changed':
      return { ...state, guard: fact.guard }
    case 'account-opened':
      return withAccount(state, { type: fact.accountType, balanceMinor: fact.amountMinor })
    case 'account-debited':
      return withBalance(state, fact.accountType, (balance) => minus(balance, fact.amountMinor))
    case 'account-credited':
      return withBalance(
        state,
        fact.accountType,
        (balance) => plus(balance, fact.amountMinor) ?? amountMinor(Number.NaN),
      )
    case 'card-registered':
      return { ...state, card: fact.card }
    case 'card-state-changed':
      return { ...state, card: { ...known(state.card, 'card'), state: fact.state } }
    case 'outcome-recorded':
      return { ...state, outcomes: new Map(state.outcomes).set(fact.scope, fact.outcome) }
    case 'outcome-undone': {
      const outcome = known(state.outcomes.get(fact.scope), 'outcome')
      return { ...state, outcomes: new Map(state.outcomes).set(fact.scope, { ...outcome, state: fact.state }) }
    }
    case 'verdict-recorded':
      return { ...state, verdicts: new Map(state.verdicts).set(fact.scope, fact.verdict) }
    case 'marker-set':
      return { ...state, claim: fact.marker }
    default:
      return unreachable(fact)
  }
}

/** The state after all facts of one event, in their order. */
export function evolveAll(state: SlotState, facts: readonly Fact[]): SlotState {
  return facts.reduce(evolve, state)
}

function withIssued(state: SlotState, token: Token): SlotState {
  const live = state.live.filter((other) => token.issuedAt < other.expiresAt)
  return {
    ...state,
    tokens: new Map(state.tokens).set(token.hash, token),
    live: [...live, { hash: token.hash, expiresAt: token.expiresAt }],
  }
}

function withUsed(state: SlotState, hash: string, use: Exclude<TokenState, 'live'>, usedBy: string): SlotState {
  const token = known(state.tokens.get(hash), 'token')
  return {
    ...state,
    tokens: new Map(state.tokens).set(hash, { ...token, state: use, usedBy }),
    live: state.live.filter((other) => other.hash !== hash),
  }
}

function withAccount(state: SlotState, account: Account): SlotState {
  return { ...state, accounts: new Map(state.accounts).set(account.type, account) }
}

function withBalance(state: SlotState, type: AccountType, change: (balance: AmountMinor) => AmountMinor): SlotState {
  const account = known(state.accounts.get(type), 'account')
  return withAccount(state, { ...account, balanceMinor: change(account.balanceMinor) })
}

function known<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new Error(`a fact names a ${what} that the slot does not have`)
  return value
}

function unreachable(fact: never): never {
  throw new Error(`unknown fact ${JSON.stringify(fact)}`)
}
