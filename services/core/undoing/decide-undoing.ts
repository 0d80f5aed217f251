// Reversal and void: undo what was decided, or see to it that what has not arrived is declined.

import { verdictFact } from '../purchase/judge-token.ts'
import type { Fact } from '../subject/fact.ts'
import { amountMinor } from '../money/amount.ts'
import type { Undoing } from '../transaction/command.ts'
import { approve, decline, type Asked, type Decision } from '../transaction/decision.ts'
import type { Claim, Outcome, OutcomeState } from '../transaction/outcome.ts'
import { scopeKey } from '../transaction/scope.ts'

const UNDONE: Record<Undoing['kind'], OutcomeState> = { REVERSAL: 'reversed', VOID: 'voided' }

/**
 * On the original's scope slot, when nobody has claimed it or a reversal came first.
 * A reversal leaves a marker, so that the original is declined if it still arrives. Codes 00, 12, 25.
 */
export function decideUndoingUnknown(asked: Asked<Undoing>): Decision {
  const { state, command } = asked
  const marked = state.claim?.kind === 'marker'
  if (command.kind === 'VOID') {
    return marked ? decline(asked, '12', 'original-reversed-already') : decline(asked, '25', 'original-unknown')
  }
  if (marked) return approve(asked, 'original-reversed-already', [])
  return approve(asked, 'original-unknown', [
    { kind: 'marker-set', marker: { kind: 'marker', by: scopeKey(command.scope) } },
  ])
}

/** On the slot of the original's subject, once the original has claimed it. Codes 00, 12, 13, 25. */
export function decideUndoing(asked: Asked<Undoing>, originalClaim: Extract<Claim, { kind: 'claim' }>): Decision {
  const { state, command } = asked
  const original = state.outcomes.get(scopeKey(command.original))
  if (!original) return undecided(asked, originalClaim)
  if (command.amountMinor !== undefined && command.amountMinor !== original.amountMinor) {
    return decline(asked, '13', 'amount-not-of-the-original')
  }
  const { state: was } = original
  if (was !== 'approved') {
    const reason = `original-${was}`
    return command.kind === 'VOID' ? decline(asked, '12', reason) : approve(asked, reason, [])
  }
  return original.transactionCode === 'TOKEN_GENERATION'
    ? undoGeneration(asked, original)
    : undoSpending(asked, original)
}

/** On the terminal's slot: closes the token's unit of an original that is not decided yet. */
export function decideTokenUndone(asked: Asked<Undoing>): Decision {
  const reason = 'undone-before-decision'
  return {
    type: 'token-judged',
    reason,
    facts: [verdictFact(asked, 'undone', reason, scopeKey(asked.command.original))],
  }
}

function undecided(asked: Asked<Undoing>, claim: Extract<Claim, { kind: 'claim' }>): Decision {
  const { state, command, drawn } = asked
  if (command.kind === 'VOID') return decline(asked, '25', 'original-undecided')
  const scope = scopeKey(command.original)
  if (state.pendings.has(scope)) {
    return approve(asked, 'original-pending', [{ kind: 'undo-wanted', scope, by: scopeKey(command.scope) }])
  }
  const declined: Outcome = {
    transactionCode: command.original.transactionCode,
    responseCode: '05',
    state: 'declined',
    fingerprint: claim.fingerprint,
    decidedAt: drawn.now,
    version: state.version + 1,
  }
  return approve(asked, 'original-undecided', [{ kind: 'outcome-recorded', scope, outcome: declined }])
}

function undoSpending(asked: Asked<Undoing>, original: Outcome): Decision {
  const { accountType } = original
  if (original.remote) return approve(asked, 'original-approved', [undone(asked)])
  if (accountType === undefined) throw new Error('an approved purchase names its account')
  const credit: Fact = { kind: 'account-credited', accountType, amountMinor: original.amountMinor ?? amountMinor(0) }
  return approve(asked, 'original-approved', [credit, undone(asked)])
}

/** Ends the token. A spent one is beyond undoing: a reversal says so by changing nothing, a void by 12. */
function undoGeneration(asked: Asked<Undoing>, original: Outcome): Decision {
  const { state, command, drawn } = asked
  const token = original.token && state.tokens.get(original.token.hash)
  if (token?.state === 'spent' && token.id === original.token?.id) {
    return command.kind === 'VOID' ? decline(asked, '12', 'token-spent') : approve(asked, 'token-spent', [])
  }
  const live = token?.state === 'live' && token.id === original.token?.id && drawn.now < token.expiresAt
  const ended: Fact[] = live ? [{ kind: 'token-ended', hash: token.hash, scope: scopeKey(command.scope) }] : []
  return approve(asked, 'original-approved', [...ended, undone(asked)])
}

function undone({ command }: Asked<Undoing>): Fact {
  return { kind: 'outcome-undone', scope: scopeKey(command.original), state: UNDONE[command.kind] }
}
