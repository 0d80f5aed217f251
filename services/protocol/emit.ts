// The end of every way through the protocol: what was decided goes on the log, and only then is there a reply.

import { isUntouched } from '../core/token/token.ts'
import type { SlotState } from '../core/subject/state.ts'
import type { Command } from '../core/transaction/command.ts'
import type { Outcome } from '../core/transaction/outcome.ts'
import { scopeKey } from '../core/transaction/scope.ts'
import { cardTokenName, outcomeName } from './entries.ts'
import { load, publish, type Part, type ReplyBody, type Shell } from './operations.ts'

/** Whom a reply answers. */
export interface Asker {
  readonly scope: string
  /** The content answered; '' for an inquiry. */
  readonly fingerprint: string
  /** '' for a command. */
  readonly inquiryId: string
}

/**
 * Publish the slot's events up to the outcome's, wait, and reply; null when the world changed and it must be loaded
 * again.
 */
export function* emit(command: Command, slot: string, shell: Shell): Part<ReplyBody | null> {
  const scope = scopeKey(command.scope)
  const state = (yield* load([{ slot, names: [outcomeName(scope), ...namesShown(command)] }])).state(slot)
  const outcome = state.outcomes.get(scope)
  if (!outcome) return null
  if ((yield* publish([{ slot, version: outcome.version }])) === 'conflict') return null
  const reply = replyOf({ scope, fingerprint: command.fingerprint, inquiryId: '' }, outcome, state, shell)
  return command.kind === 'CHARGE_REFUND' ? withCharge(reply, state.outcomes.get(scopeKey(command.original))) : reply
}

/** A refund shows its charge, with the charge's own time and number: the refund's stand among its refunds. */
function withCharge(reply: ReplyBody, original: Outcome | undefined): ReplyBody {
  if (!original?.charge) return reply
  const { charge, authorizationNumber, decidedAt } = original
  return { ...reply, charge, authorizationNumber, decidedAt }
}

/** Entries besides the outcome that a reply shows of; of tokens the base tells. */
function namesShown(command: Command): string[] {
  switch (command.kind) {
    case 'CARD_TOKENIZATION':
      return [cardTokenName(command.tokenHash)]
    case 'CHARGE_REFUND':
      return [outcomeName(scopeKey(command.original))]
    default:
      return []
  }
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
export function replyOf(asker: Asker, outcome: Outcome, state: SlotState, shell: Shell): ReplyBody {
  const { responseCode, authorizationNumber, token, cardToken, charge, decidedAt } = outcome
  // The consecutive of a tokenization is the token's hash.
  const tokenHash = asker.scope.slice(asker.scope.lastIndexOf(':') + 1)
  return {
    ...asker,
    found: true,
    responseCode,
    authorizationNumber,
    token,
    state: outcome.state,
    tokenShown: token !== undefined && asker.inquiryId === '' && isUntouched(state.live, token.hash, shell.clock.now()),
    ...(outcome.transactionCode === 'TOKEN_CLAIM'
      ? { amountMinor: outcome.amountMinor, accountType: outcome.accountType }
      : {}),
    ...(cardToken ? { cardToken: { ...cardToken, spent: state.cardTokens.get(tokenHash)?.state === 'spent' } } : {}),
    ...(cardToken || charge || outcome.transactionCode === 'CHARGE_REFUND' ? { charge, decidedAt } : {}),
  }
}
