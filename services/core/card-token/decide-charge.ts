// A charge spends a card token and asks another authorizer for the money; a refund gives some of it back. What that one
// answers is decided on in `decide-answer.ts`.

import { amountMinor, type AmountMinor } from '../money/amount.ts'
import { ask, decline, isLate, type Asked, type Decision } from '../transaction/decision.ts'
import type { CardCharge, ChargeRefund } from '../transaction/command.ts'
import type { Outcome } from '../transaction/outcome.ts'
import { scopeKey } from '../transaction/scope.ts'
import { leftOf, type Charge } from './card-token.ts'

/** Refunds that one charge may have, approved or not: its outcome holds them all. */
export const MAX_REFUNDS = 100

/**
 * On the token's slot: pending, or declined. 91 (nobody can be asked) spends the token; these do not touch it: 12 used, 25
 * unknown or expired, 68 late, 94 the order has another charge.
 */
export function decideCharge(asked: Asked<CardCharge>): Decision {
  const { state, command, seen, drawn } = asked
  if (isLate(asked)) return decline(asked, '68', 'deadline-passed')
  if (seen.order === 'taken') return decline(asked, '94', 'order-used')
  const token = state.cardTokens.get(command.tokenHash)
  if (!token) return decline(asked, '25', 'card-token-unknown')
  if (token.state === 'spent') return decline(asked, '12', 'card-token-spent')
  if (drawn.now >= token.expiresAt) return decline(asked, '25', 'card-token-expired')
  if (!seen.cardReadable) return decline(asked, '25', 'card-token-without-its-key')
  const { amountMinor: amount, tokenHash: hash } = command
  const spent = [{ kind: 'card-token-spent' as const, hash, scope: scopeKey(command.scope) }]
  if (seen.notAsked) {
    return decline(asked, '91', seen.notAsked, spent, { amountMinor: amount, charge: newCharge(asked, amount) })
  }
  return ask(asked, 'authorizer-asked', spent, { amountMinor: amount })
}

/**
 * On the charge's slot: pending with the amount set aside, or 12 (more than is left, or nothing is), 25 (no charge), 91
 * (nobody can be asked).
 */
export function decideRefund(asked: Asked<ChargeRefund>): Decision {
  const { state, command, drawn, seen } = asked
  const original = state.outcomes.get(scopeKey(command.original))
  const charge = chargeOf(original)
  if (!charge) return decline(asked, '25', 'no-approved-charge')
  const left = leftOf(charge)
  const amount = command.amountMinor ?? amountMinor(left)
  if (amount === 0 || amount > left) return decline(asked, '12', 'more-than-is-left', [], { amountMinor: amount })
  if (charge.refunds.length >= MAX_REFUNDS) return decline(asked, '12', 'too-many-refunds', [], { amountMinor: amount })
  if (seen.notAsked) return decline(asked, '91', seen.notAsked, [], { amountMinor: amount })
  const refund = { scope: scopeKey(command.scope), amountMinor: amount, state: 'pending' as const, at: drawn.now }
  return ask(asked, 'authorizer-asked', [{ kind: 'refund-recorded', scope: scopeKey(command.original), refund }], {
    amountMinor: amount,
  })
}

/** The charge of an approved outcome. */
export function chargeOf(outcome: Outcome | undefined): Charge | null {
  return outcome?.state === 'approved' ? (outcome.charge ?? null) : null
}

/** What the charge of this command shows from now on. @throws Error when the slot lacks its token. */
export function newCharge({ state, command }: Asked<CardCharge>, amount: AmountMinor): Charge {
  const token = state.cardTokens.get(command.tokenHash)
  if (!token) throw new Error('a pending charge has its card token')
  const { mask, brand, details } = token
  return {
    amountMinor: amount,
    card: { mask, brand, details },
    description: command.description,
    ...(command.order ? { orderId: command.order.id } : {}),
    refunds: [],
  }
}

/** The unit that keeps an order for one charge, before anything else of it. */
export function decideOrderHold({ command }: Asked<CardCharge>): Decision {
  if (!command.order) throw new Error('only a charge with an order holds one')
  const fact = { kind: 'order-held' as const, hash: command.order.hash, scope: scopeKey(command.scope) }
  return { type: 'order-held', reason: 'order-free', facts: [fact] }
}

/** The unit that frees the order of a charge that was not approved. */
export function decideOrderFreed({ command }: Asked<CardCharge>): Decision {
  if (!command.order) throw new Error('only a charge with an order frees one')
  const fact = { kind: 'order-freed' as const, hash: command.order.hash, scope: scopeKey(command.scope) }
  return { type: 'order-freed', reason: 'charge-not-approved', facts: [fact] }
}
