// The outcome of a transaction that another authorizer was asked for, once its answer is certain.

import { chargeOf, newCharge } from '../card-token/decide-charge.ts'
import type { Refund } from '../card-token/card-token.ts'
import type { AuthorizerAnswer } from './authorizer-answer.ts'
import type { ResponseCode } from './codes.ts'
import type { CardCharge, ChargeRefund, TokenSpending } from './command.ts'
import { approve, decline, type Asked, type Decision } from './decision.ts'
import type { Outcome, Pending } from './outcome.ts'
import { scopeKey } from './scope.ts'

/** A command that another authorizer can be asked for. */
export type Askable = TokenSpending | CardCharge | ChargeRefund

type Shown = Pick<Outcome, 'amountMinor' | 'accountType' | 'charge'>

/**
 * On the slot of a pending transaction of which nobody can say what became: it is to be undone, whatever the answer will
 * turn out to be. Committed, and on the log, before it is undone there: else an approval that somebody else has learnt
 * could still be recorded.
 */
export function decideUnanswered({ state, command }: Asked): Decision {
  const scope = scopeKey(command.scope)
  if (!state.pendings.has(scope)) throw new Error('only a pending transaction is unanswered')
  return {
    type: 'transaction-pending',
    reason: 'authorizer-unanswered',
    facts: [{ kind: 'undo-wanted', scope, by: scope }],
  }
}

/**
 * On the slot of the pending transaction, with the answer in `seen`. An approval of what is to be undone is undone there
 * before it comes here, as `not-done`. Codes 00, 05, 43, 51, 54, 59, 91.
 * @throws Error when the slot has no such pending transaction, there is no answer, or it is an approval to be undone.
 */
export function decideAnswer(asked: Asked<Askable>): Decision {
  const { state, command, seen } = asked
  const pending = state.pendings.get(scopeKey(command.scope))
  if (!pending || !seen.answer) throw new Error('an answer needs its pending transaction')
  if (seen.answer.kind === 'approved') {
    if (pending.undoneBy !== undefined) throw new Error('an approval that is to be undone is undone first')
    return approved(asked, pending)
  }
  const { code, reason } = whyNot(command, pending, seen.answer)
  return decline(asked, code, reason, refundFacts(asked, pending, 'failed'), shownOf(asked, pending))
}

function approved(asked: Asked<Askable>, pending: Pending): Decision {
  const facts = refundFacts(asked, pending, 'completed')
  return approve(asked, 'authorizer-approved', facts, { ...shownOf(asked, pending), remote: true })
}

/** What an outcome shows of the transaction; of a charge its card too, also of one that failed. */
function shownOf(asked: Asked<Askable>, { amountMinor, accountType }: Pending): Shown {
  const { command } = asked
  if (command.kind !== 'CARD_CHARGE') return { amountMinor, accountType }
  return { amountMinor, accountType, charge: newCharge({ ...asked, command }, amountMinor) }
}

function whyNot(
  { scope, kind }: Askable,
  { undoneBy }: Pending,
  answer: Exclude<AuthorizerAnswer, { kind: 'approved' }>,
): { readonly code: ResponseCode; readonly reason: string } {
  const reversed = undoneBy !== undefined && undoneBy !== scopeKey(scope)
  if (reversed) return { code: '05', reason: 'undone-before-decision' }
  if (answer.kind === 'not-done') return { code: '91', reason: 'authorizer-did-nothing' }
  // Suspicion of fraud is told to merchants only.
  const code = answer.code === '59' && kind !== 'CARD_CHARGE' ? '05' : answer.code
  return { code, reason: `authorizer-declined-${answer.code}` }
}

/** A refund's end is written into its charge too. */
function refundFacts({ state, command, drawn, seen }: Asked<Askable>, pending: Pending, end: Refund['state']) {
  if (command.kind !== 'CHARGE_REFUND') return []
  const original = scopeKey(command.original)
  if (!chargeOf(state.outcomes.get(original))) throw new Error('a pending refund has its charge')
  const authorizationNumber =
    end === 'completed'
      ? ((seen.answer?.kind === 'approved' ? seen.answer.authorizationNumber : undefined) ?? drawn.authorizationNumber)
      : undefined
  const refund: Refund = {
    scope: scopeKey(command.scope),
    amountMinor: pending.amountMinor,
    state: end,
    at: drawn.now,
    ...(authorizationNumber === undefined ? {} : { authorizationNumber }),
  }
  return [{ kind: 'refund-recorded' as const, scope: original, refund }]
}
