// The fold: what each fact does to a slot. The worker, the rebuild and the replay all use this one, so they cannot
// differ.

import { amountMinor, minus, plus } from '../money/amount.ts'
import type { Account, AccountType } from '../account/account.ts'
import type { AmountMinor } from '../money/amount.ts'
import { SECRET_KINDS, secretName, type Refund } from '../card-token/card-token.ts'
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
    case 'token-claimed':
      return withClaimed(state, fact.hash, fact.clientId)
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
      return {
        ...state,
        outcomes: new Map(state.outcomes).set(fact.scope, fact.outcome),
        pendings: without(state.pendings, fact.scope),
      }
    case 'outcome-undone': {
      const outcome = known(state.outcomes.get(fact.scope), 'outcome')
      return { ...state, outcomes: new Map(state.outcomes).set(fact.scope, { ...outcome, state: fact.state }) }
    }
    case 'verdict-recorded':
      return { ...state, verdicts: new Map(state.verdicts).set(fact.scope, fact.verdict) }
    case 'marker-set':
      return { ...state, claim: fact.marker }
    case 'pending-recorded':
      return { ...state, pendings: new Map(state.pendings).set(fact.scope, fact.pending) }
    case 'undo-wanted': {
      const pending = known(state.pendings.get(fact.scope), 'pending transaction')
      return { ...state, pendings: new Map(state.pendings).set(fact.scope, { ...pending, undoneBy: fact.by }) }
    }
    case 'card-token-issued':
      return { ...state, cardTokens: new Map(state.cardTokens).set(fact.hash, fact.cardToken) }
    case 'card-token-spent':
      return withSpentCard(state, fact.hash, fact.scope)
    case 'order-held':
      return { ...state, orders: new Map(state.orders).set(fact.hash, { heldBy: fact.scope }) }
    case 'order-freed':
      return { ...state, orders: without(state.orders, fact.hash) }
    case 'refund-recorded':
      return withRefund(state, fact.scope, fact.refund)
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

function withClaimed(state: SlotState, hash: string, claimedBy: string): SlotState {
  const token = known(state.tokens.get(hash), 'token')
  return {
    ...state,
    tokens: new Map(state.tokens).set(hash, { ...token, claimedBy }),
    live: state.live.map((other) => (other.hash === hash ? { ...other, claimed: true } : other)),
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

/** The number goes with the data key: what stays shows the card, and opens nothing. */
function withSpentCard(state: SlotState, hash: string, usedBy: string): SlotState {
  const { sealedNumber: _gone, ...shown } = known(state.cardTokens.get(hash), 'card token')
  return {
    ...state,
    cardTokens: new Map(state.cardTokens).set(hash, { ...shown, state: 'spent', usedBy }),
    secrets: SECRET_KINDS.reduce((secrets, kind) => without(secrets, secretName(kind, hash)), state.secrets),
  }
}

function withRefund(state: SlotState, scope: string, refund: Refund): SlotState {
  const outcome = known(state.outcomes.get(scope), 'charge')
  const charge = known(outcome.charge, 'charge')
  const refunds = [...charge.refunds.filter(({ scope: other }) => other !== refund.scope), refund]
  const next = { ...outcome, charge: { ...charge, refunds } }
  return { ...state, outcomes: new Map(state.outcomes).set(scope, next) }
}

/** The map without the key; the same map where it was not in it. */
function without<V>(map: ReadonlyMap<string, V>, key: string): ReadonlyMap<string, V> {
  if (!map.has(key)) return map
  const next = new Map(map)
  next.delete(key)
  return next
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
