// Purchase and withdrawal with a token: first the token, then the card, the account, the rules, the funds.

import { MISSING_ACCOUNT } from '../account/decline.ts'
import { cardDecline } from '../card/standing.ts'
import type { Card, CardRestriction } from '../card/card.ts'
import { isMultipleOf } from '../money/amount.ts'
import type { Fact } from '../subject/fact.ts'
import type { ResponseCode } from '../transaction/codes.ts'
import type { TokenSpending } from '../transaction/command.ts'
import { approve, ask, decline, type Asked, type Decision } from '../transaction/decision.ts'
import type { Verdict } from '../transaction/outcome.ts'
import { judgeToken } from './judge-token.ts'

/** A verdict that ends the transaction, and its code. */
const VERDICT_DECLINE: Record<Exclude<Verdict, 'right'>, ResponseCode> = {
  wrong: '55',
  locked: '75',
  limited: '65',
  late: '68',
  undone: '05',
}

const RESTRICTION: Record<TokenSpending['kind'], CardRestriction> = {
  TOKEN_PURCHASE: 'no-purchases',
  TOKEN_WITHDRAWAL: 'no-withdrawals',
}

/** Codes 00, 05, 13, 14, 39, 41, 43, 51-55, 57, 61, 62, 65, 68, 75, 78, 91, checked in the contract's order. */
export function decidePurchase(asked: Asked<TokenSpending>): Decision {
  const { command, seen } = asked
  const paid = { amountMinor: command.amountMinor, accountType: command.accountType }
  const judged = seen.verdict
    ? { verdict: seen.verdict, reason: `token-${seen.verdict}`, facts: [] }
    : judgeToken(asked)
  if (judged.verdict !== 'right')
    return decline(asked, VERDICT_DECLINE[judged.verdict], judged.reason, judged.facts, paid)
  const refusal = command.remote ? remoteDecline(asked) : fundsDecline(asked)
  if (refusal) return decline(asked, refusal.code, refusal.reason, judged.facts, paid)
  if (command.remote && seen.notAsked) return decline(asked, '91', seen.notAsked, judged.facts, paid)
  if (command.remote) return ask(asked, 'authorizer-asked', judged.facts, paid)
  const debit: Fact = { kind: 'account-debited', accountType: command.accountType, amountMinor: command.amountMinor }
  return approve(asked, 'paid', [...judged.facts, debit], paid)
}

interface Refusal {
  readonly code: ResponseCode
  readonly reason: string
}

/** The funds are another authorizer's business; a card that we know as well must be in order here too. */
function remoteDecline(asked: Asked<TokenSpending>): Refusal | null {
  const { state, command, seen, drawn } = asked
  const card = seen.card?.record
  const standing = card && cardDecline(state.id, command.card.hash, card, drawn.now, true)
  return standing ?? (card && restrictionDecline(card, command)) ?? amountDecline(asked)
}

function fundsDecline(asked: Asked<TokenSpending>): Refusal | null {
  const { state, command, seen, drawn } = asked
  const card = seen.card?.record ?? null
  const standing = cardDecline(state.id, command.card.hash, card, drawn.now, true)
  if (standing || !card) return standing
  const account = state.accounts.get(command.accountType)
  if (!account) return { code: MISSING_ACCOUNT[command.accountType], reason: 'no-such-account' }
  const refused = restrictionDecline(card, command) ?? amountDecline(asked)
  if (refused) return refused
  if (command.amountMinor > account.balanceMinor) return { code: '51', reason: 'not-enough-funds' }
  return null
}

function restrictionDecline(card: Card, { kind }: TokenSpending): Refusal | null {
  const restriction = RESTRICTION[kind]
  return card.restrictions.includes(restriction) ? { code: '57', reason: `card-${restriction}` } : null
}

function amountDecline({ command, rules }: Asked<TokenSpending>): Refusal | null {
  if (command.kind === 'TOKEN_WITHDRAWAL' && !isMultipleOf(command.amountMinor, rules.withdrawalNoteMinor)) {
    return { code: '13', reason: 'no-multiple-of-the-note' }
  }
  return command.amountMinor > rules.maxAmountMinor ? { code: '61', reason: 'over-the-amount-limit' } : null
}
