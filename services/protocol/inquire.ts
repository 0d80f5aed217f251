// An inquiry: what is recorded of a scope, once it is on the log. Changes nothing and leaves no event.

import { secretName } from '../core/card-token/card-token.ts'
import type { SlotState } from '../core/subject/state.ts'
import type { Inquiry } from '../core/transaction/command.ts'
import { scopeKey, scopeSlot, type Scope } from '../core/transaction/scope.ts'
import { cardTokenName, CLAIM, outcomeName } from './entries.ts'
import { replyOf } from './emit.ts'
import {
  ContentionError,
  load,
  MAX_ATTEMPTS,
  publish,
  type Part,
  type Protocol,
  type ReplyBody,
  type Shell,
} from './operations.ts'

/** @throws ContentionError when the connection changed too often. */
export function* inquire({ of, inquiryId }: Inquiry, shell: Shell): Protocol {
  const scope = scopeKey(of)
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const slot = yield* whereDecided(scope)
    const state = (yield* load([{ slot, names: [outcomeName(scope), ...namesShown(of)] }])).state(slot)
    const outcome = state.outcomes.get(scope)
    if (!outcome) return { scope, fingerprint: '', inquiryId, found: false, tokenShown: false }
    if ((yield* publish([{ slot, version: state.version }])) === 'done') {
      return withoutLostToken(replyOf({ scope, fingerprint: '', inquiryId }, outcome, state, shell), of, state)
    }
  }
  throw new ContentionError('too many conflicts')
}

/** Entries besides the outcome that the reply shows of. */
function namesShown({ transactionCode, consecutive: tokenHash }: Scope): readonly string[] {
  if (transactionCode !== 'CARD_TOKENIZATION') return []
  return [cardTokenName(tokenHash), secretName('cardkey', tokenHash)]
}

/** A card token that is not spent and has lost its key can be charged no more: it is over, as if its time were. */
function withoutLostToken(reply: ReplyBody, { consecutive: tokenHash }: Scope, state: SlotState): ReplyBody {
  const { cardToken } = reply
  const usable = cardToken === undefined || cardToken.spent || state.secrets.has(secretName('cardkey', tokenHash))
  return usable ? reply : { ...reply, cardToken: undefined }
}

/** The slot whose unit records, or would record, the outcome of a scope. */
function* whereDecided(scope: string): Part<string> {
  const at = scopeSlot(scope)
  const { claim } = (yield* load([{ slot: at, names: [CLAIM] }])).state(at)
  if (claim?.kind === 'claim') return claim.slot
  if (claim?.kind !== 'undoing') return at
  const originalAt = scopeSlot(claim.original)
  const original = (yield* load([{ slot: originalAt, names: [CLAIM, outcomeName(scope)] }])).state(originalAt)
  return original.claim?.kind === 'claim' && !original.outcomes.has(scope) ? original.claim.slot : originalAt
}
