// A transaction that another authorizer decides, without ever guessing: a lost answer leads to an inquiry, and what is
// not surely approved is undone there before a decline is recorded here. After each call everything is loaded again.

import type { AuthorizerAnswer } from '../core/transaction/authorizer-answer.ts'
import { decideAnswer, decideUnanswered, type Askable } from '../core/transaction/decide-answer.ts'
import type { Decision } from '../core/transaction/decision.ts'
import type { Claim, Outcome, Pending } from '../core/transaction/outcome.ts'
import { scopeKey } from '../core/transaction/scope.ts'
import type { SeenOutside } from '../core/subject/event.ts'
import type { SlotState } from '../core/subject/state.ts'
import type { AuthorizationRequest } from '../ports/card-authorizer.ts'
import { SealError } from '../ports/keys.ts'
import { plainDraw } from './draw.ts'
import { call, commit, publish, UnansweredError, type Part, type Shell } from './operations.ts'

/** What one run of a protocol has learnt from the other authorizer. A run that begins again has learnt nothing. */
export interface Learnt {
  answer: AuthorizerAnswer | null
  /** It could not say what became of the transaction. */
  unanswered: boolean
}

export const nothingLearnt = (): Learnt => ({ answer: null, unanswered: false })

/** A pending transaction as it was just loaded. */
export interface PendingTurn {
  readonly command: Askable
  /** The slot that has it. */
  readonly state: SlotState
  readonly pending: Pending
  readonly learnt: Learnt
  readonly claim: Claim
  readonly shell: Shell
}

/**
 * Decide; where that means to ask, but nothing can be asked, decide again on that, so that nothing becomes pending.
 * @param ready whether what the call needs is there.
 */
export function decideAsking(
  seen: SeenOutside,
  decide: (seen: SeenOutside) => Decision,
  ready: boolean,
  { unaskable }: Shell,
): { readonly seen: SeenOutside; readonly decision: Decision } {
  const decision = decide(seen)
  if (decision.type !== 'transaction-pending') return { seen, decision }
  const notAsked = ready ? unaskable?.() : 'card-unreadable'
  if (notAsked === undefined) return { seen, decision }
  const known = { ...seen, notAsked }
  return { seen: known, decision: decide(known) }
}

/** What `open` opens; null when it does not open: then it is as good as gone. */
export function opened(open: () => string): string | null {
  try {
    return open()
  } catch (error) {
    if (error instanceof SealError) return null
    throw error
  }
}

/** Ask for the money, once in the life of a transaction: only by who committed its pending unit, its event on the log. */
export function* authorize(request: AuthorizationRequest, learnt: Learnt): Part<void> {
  const answer = yield* call({ call: 'authorize', request })
  if (answer.kind !== 'unknown') learnt.answer = answer
}

/**
 * One step from a pending transaction to its outcome: learn what became of it, say that it is to be undone, undo it, or
 * commit the outcome. The caller loads again.
 * @throws UnansweredError when nobody can say yet.
 */
export function* goOnPending(turn: PendingTurn): Part<void> {
  const { command, state, pending, learnt } = turn
  const scope = scopeKey(command.scope)
  if (command.kind === 'CHARGE_REFUND') {
    if (learnt.answer) yield* commitOn(turn, decideAnswer, { answer: learnt.answer })
    else learnt.answer = yield* refund(scope, scopeKey(command.original), pending)
    return
  }
  const { answer } = learnt
  if (pending.undoneBy !== undefined && (answer === null || answer.kind === 'approved')) {
    // Whoever else has an approval must find on the log that it is not to be kept, before it is undone.
    if ((yield* publish([{ slot: state.id, version: state.version }])) === 'conflict') return
    yield* reverse(scope)
    learnt.answer = { kind: 'not-done' }
  } else if (answer !== null) {
    yield* commitOn(turn, decideAnswer, { answer })
  } else if (learnt.unanswered) {
    yield* commitOn(turn, decideUnanswered, {})
  } else {
    const found = yield* call({ call: 'inquire', key: scope })
    if (found.kind === 'unknown') learnt.unanswered = true
    else learnt.answer = found
  }
}

/**
 * Whoever comes with an approval and finds another outcome undoes it there first; that outcome is on the log by then.
 * @returns whether there was something to do: load again.
 */
export function* dropApproval(scope: string, slot: string, outcome: Outcome, learnt: Learnt): Part<boolean> {
  if (learnt.answer?.kind !== 'approved' || outcome.responseCode === '00') return false
  if ((yield* publish([{ slot, version: outcome.version }])) === 'conflict') return true
  yield* reverse(scope)
  learnt.answer = { kind: 'not-done' }
  return true
}

/** Undo it there, whether it arrived or not. @throws UnansweredError when that is not confirmed. */
export function* reverse(key: string): Part<void> {
  const answer = yield* call({ call: 'reverse', key })
  if (answer.kind !== 'not-done') throw new UnansweredError('a reversal is not confirmed')
}

function* commitOn(
  { command, state, claim, shell }: PendingTurn,
  decide: typeof decideAnswer | typeof decideUnanswered,
  seen: SeenOutside,
): Part<void> {
  const drawn = plainDraw(shell)
  const decision = decide({ state, command, seen, drawn, rules: shell.rules })
  const claims = [{ scope: scopeKey(command.scope), claim }]
  yield* commit({ state, command, decision, seen, drawn, claims, claimAbsent: false })
}

/**
 * Money given back: repeated under its key until there is an answer. That this one call did nothing says nothing of an
 * earlier one, or of another worker's.
 */
function* refund(key: string, original: string, { amountMinor }: Pending): Part<AuthorizerAnswer> {
  const answer = yield* call({ call: 'refund', request: { key, original, amountMinor } })
  if (answer.kind === 'approved' || answer.kind === 'declined') return answer
  throw new UnansweredError('a refund is not answered')
}
