// The end of every way through the protocol: what was decided goes on the log, and only then is there a reply.

import { isLive } from '../core/token/token.ts'
import type { SlotState } from '../core/subject/state.ts'
import type { Command } from '../core/transaction/command.ts'
import type { Outcome } from '../core/transaction/outcome.ts'
import { scopeKey } from '../core/transaction/scope.ts'
import { LIVE, outcomeName } from './entries.ts'
import { load, publish, type Part, type ReplyBody, type Shell } from './operations.ts'

/**
 * Publish the slot's events up to the outcome's, wait, and reply; null when the world changed and it must be loaded
 * again.
 */
export function* emit(command: Command, slot: string, shell: Shell): Part<ReplyBody | null> {
  const scope = scopeKey(command.scope)
  const names = command.kind === 'TOKEN_GENERATION' ? [outcomeName(scope), LIVE] : [outcomeName(scope)]
  const state = (yield* load([{ slot, names }])).state(slot)
  const outcome = state.outcomes.get(scope)
  if (!outcome) return null
  if ((yield* publish([{ slot, version: outcome.version }])) === 'conflict') return null
  return replyOf(scope, command.fingerprint, '', outcome, state, shell)
}

/** Other content under a used consecutive: an event that says so, and 94; null when it must be loaded again. */
export function* refuse(command: Command, found: SlotState, shell: Shell): Part<ReplyBody | null> {
  const scope = scopeKey(command.scope)
  const { claim } = found
  const refusal = {
    type: 'transaction-refused' as const,
    command,
    now: shell.clock.now(),
    claims: claim ? [{ scope, claim }] : [],
  }
  if ((yield* publish([{ slot: found.id, version: found.version }], refusal)) === 'conflict') return null
  return { scope, fingerprint: command.fingerprint, inquiryId: '', found: true, responseCode: '94', tokenShown: false }
}

/** What is replied for a recorded outcome. A token is shown only while it is live, unused and unclaimed. */
export function replyOf(
  scope: string,
  fingerprint: string,
  inquiryId: string,
  outcome: Outcome,
  state: SlotState,
  shell: Shell,
): ReplyBody {
  const { responseCode, authorizationNumber, token } = outcome
  return {
    scope,
    fingerprint,
    inquiryId,
    found: true,
    responseCode,
    authorizationNumber,
    token,
    state: outcome.state,
    tokenShown: token !== undefined && inquiryId === '' && isLive(state.live, token.hash, shell.clock.now()),
  }
}
