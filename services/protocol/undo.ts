// The protocol of a reversal and a void. They meet their original at the original's claim, whichever came first.

import type { SlotState } from '../core/subject/state.ts'
import type { Undoing } from '../core/transaction/command.ts'
import type { Claim, Outcome } from '../core/transaction/outcome.ts'
import { scopeKey, scopeSlot } from '../core/transaction/scope.ts'
import { decideTokenUndone, decideUndoing, decideUndoingUnknown } from '../core/undoing/decide-undoing.ts'
import { plainDraw } from './draw.ts'
import { reverse } from './remote.ts'
import { CLAIM, outcomeName, pendingName, tokenName, verdictName } from './entries.ts'
import { emit, refuse } from './emit.ts'
import {
  commit,
  ContentionError,
  load,
  MAX_ATTEMPTS,
  publish,
  type Answer,
  type Part,
  type Protocol,
  type Shell,
} from './operations.ts'

type OriginalClaim = Extract<Claim, { kind: 'claim' }>

interface Undo {
  readonly command: Undoing
  readonly shell: Shell
  readonly scope: string
  readonly original: string
  readonly ownClaim: Claim
  /** Undone by the other authorizer that approved it. */
  undone: boolean
}

/** @throws ContentionError after too many conflicts in a row. */
export function* undo(command: Undoing, shell: Shell): Protocol {
  const scope = scopeKey(command.scope)
  const original = scopeKey(command.original)
  const ownAt = scopeSlot(scope)
  const originalAt = scopeSlot(original)
  const ownClaim: Claim = { kind: 'undoing', fingerprint: command.fingerprint, original }
  const job: Undo = { command, shell, scope, original, ownClaim, undone: false }
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const loaded = yield* load([
      { slot: ownAt, names: [CLAIM], claim: { value: ownClaim, code: command.kind } },
      { slot: originalAt, names: [CLAIM, outcomeName(scope)] },
    ])
    const own = loaded.state(ownAt)
    if (own.claim?.fingerprint !== command.fingerprint) {
      const refused = yield* refuse(command, own, shell)
      if (refused) return refused
      continue
    }
    const met = loaded.state(originalAt)
    const known = met.claim?.kind === 'claim' ? met.claim : null
    const at = known && !met.outcomes.has(scope) ? known.slot : originalAt
    const answer = known && at === known.slot ? yield* undoClaimed(job, known) : yield* undoUnknown(job, met)
    if (answer === 'conflict') continue
    const reply = yield* emit(command, at, shell)
    if (reply) return reply
  }
  throw new ContentionError('too many conflicts')
}

/** Step 2: nobody has claimed the original, or a reversal was there first. One unit of the original's scope slot. */
function* undoUnknown({ command, shell, scope, ownClaim }: Undo, state: SlotState): Part<Answer> {
  if (state.outcomes.has(scope)) return 'done'
  const drawn = plainDraw(shell)
  const decision = decideUndoingUnknown({ state, command, seen: {}, drawn, rules: shell.rules })
  const claims = [{ scope, claim: ownClaim }]
  return yield* commit({ state, command, decision, seen: {}, drawn, claims, claimAbsent: state.claim === null })
}

/** Steps 3 to 5: the original has a subject; undo it there, in one unit. */
function* undoClaimed(job: Undo, claim: OriginalClaim): Part<Answer> {
  const { command, shell, scope, original, ownClaim } = job
  const first = (yield* load([{ slot: claim.slot, names: [outcomeName(scope), outcomeName(original)] }])).state(
    claim.slot,
  )
  if (first.outcomes.has(scope)) return 'done'
  const decided = first.outcomes.get(original)
  if (!decided && command.kind === 'REVERSAL' && claim.tokenSlot !== undefined) {
    if ((yield* closeToken(job, claim, claim.tokenSlot)) === 'conflict') return 'conflict'
  }
  const names = [outcomeName(scope), outcomeName(original), pendingName(original), ...undoneNames(decided)]
  const state = (yield* load([{ slot: claim.slot, names }])).state(claim.slot)
  if (state.outcomes.has(scope)) return 'done'
  if (state.outcomes.has(original) !== (decided !== undefined)) return 'conflict'
  const drawn = plainDraw(shell)
  const decision = decideUndoing({ state, command, seen: {}, drawn, rules: shell.rules }, claim)
  if (decided?.remote && !job.undone && decision.facts.some(({ kind }) => kind === 'outcome-undone')) {
    // What another authorizer approved is undone there first: that can be repeated, and ends in no other way.
    yield* reverse(original)
    job.undone = true
    return 'conflict'
  }
  const claims = [
    { scope, claim: ownClaim },
    { scope: original, claim },
  ]
  return yield* commit({ state, command, decision, seen: {}, drawn, claims, claimAbsent: false })
}

/** Step 4: the original is undecided and its token is a terminal's: see to it that its verdict can only be "undone". */
function* closeToken(job: Undo, claim: OriginalClaim, tokenSlot: string): Part<Answer> {
  const { command, shell, scope, original, ownClaim } = job
  const state = (yield* load([{ slot: tokenSlot, names: [verdictName(original)] }])).state(tokenSlot)
  const verdict = state.verdicts.get(original)
  if (verdict) return yield* publish([{ slot: tokenSlot, version: verdict.version }])
  const drawn = plainDraw(shell)
  const decision = decideTokenUndone({ state, command, seen: {}, drawn, rules: shell.rules })
  const claims = [
    { scope, claim: ownClaim },
    { scope: original, claim },
  ]
  if ((yield* commit({ state, command, decision, seen: {}, drawn, claims, claimAbsent: false })) === 'conflict')
    return 'conflict'
  return yield* publish([{ slot: tokenSlot, version: state.version + 1 }])
}

/** Entries that undoing this outcome changes, besides the base. */
function undoneNames(outcome: Outcome | undefined): string[] {
  return outcome?.token ? [tokenName(outcome.token.hash)] : []
}
