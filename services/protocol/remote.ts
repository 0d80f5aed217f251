// A transaction that another authorizer decides, without ever guessing: a lost answer leads to an inquiry, and what is
// not surely approved is undone there before a decline is recorded here. After each call everything is loaded again.

import type { AuthorizerAnswer } from '../core/transaction/authorizer-answer.ts'
import { decideAnswer, type Askable } from '../core/transaction/decide-answer.ts'
import type { Claim, Outcome, Pending } from '../core/transaction/outcome.ts'
import { scopeKey } from '../core/transaction/scope.ts'
import type { SlotState } from '../core/subject/state.ts'
import type { AuthorizationRequest } from '../ports/card-authorizer.ts'
import { plainDraw } from './draw.ts'
import { call, commit, UnansweredError, type Part, type Shell } from './operations.ts'

/** What one run of a protocol has learnt from the other authorizer. A run that begins again has learnt nothing. */
export interface Learnt {
  answer: AuthorizerAnswer | null
  /** Its approval is undone there. */
  undone: boolean
}

/** Ask for the money, once in the life of a transaction: its pending event is on the log. */
export function* authorize(request: AuthorizationRequest): Part<AuthorizerAnswer> {
  const answer = yield* call({ call: 'authorize', request })
  return answer.kind === 'unknown' ? yield* settle(request.key) : answer
}

/**
 * One step from a pending transaction to its outcome: learn what became of it, undo an approval that a reversal wants
 * undone, or commit the outcome. The caller loads again.
 * @throws UnansweredError when nobody can say yet.
 */
export function* goOnPending(
  command: Askable,
  state: SlotState,
  pending: Pending,
  learnt: Learnt,
  claim: Claim,
  shell: Shell,
): Part<void> {
  const scope = scopeKey(command.scope)
  const { answer } = learnt
  if (answer === null) {
    learnt.answer = yield* command.kind === 'CHARGE_REFUND'
      ? refund(scope, scopeKey(command.original), pending)
      : settle(scope)
    return
  }
  if (pending.undoneBy !== undefined && answer.kind === 'approved' && !learnt.undone) {
    yield* reverse(scope)
    learnt.undone = true
    return
  }
  const seen = { answer }
  const drawn = plainDraw(shell)
  const decision = decideAnswer({ state, command, seen, drawn, rules: shell.rules })
  yield* commit({ state, command, decision, seen, drawn, claims: [{ scope, claim }], claimAbsent: false })
}

/** Whoever comes with an approval and finds another outcome undoes it there first. @returns whether it had to. */
export function* dropApproval(scope: string, outcome: Outcome, learnt: Learnt): Part<boolean> {
  if (learnt.answer?.kind !== 'approved' || learnt.undone || outcome.responseCode === '00') return false
  yield* reverse(scope)
  learnt.undone = true
  return true
}

/** Undo it there, whether it arrived or not. @throws UnansweredError when that is not confirmed. */
export function* reverse(key: string): Part<void> {
  const answer = yield* call({ call: 'reverse', key })
  if (answer.kind !== 'not-done') throw new UnansweredError('a reversal is not confirmed')
}

/** What became of a transaction that was asked for: approved, declined, or surely undone. */
function* settle(key: string): Part<AuthorizerAnswer> {
  const found = yield* call({ call: 'inquire', key })
  if (found.kind !== 'unknown') return found
  yield* reverse(key)
  return { kind: 'not-done' }
}

/** Money given back: repeated under its key until there is an answer. */
function* refund(key: string, original: string, { amountMinor }: Pending): Part<AuthorizerAnswer> {
  const answer = yield* call({ call: 'refund', request: { key, original, amountMinor } })
  if (answer.kind === 'unknown') throw new UnansweredError('a refund is not answered')
  return answer
}
