// An inquiry: what is recorded of a scope, once it is on the log. Changes nothing and leaves no event.

import type { Inquiry } from '../core/transaction/command.ts'
import { scopeKey, scopeSlot } from '../core/transaction/scope.ts'
import { cardTokenName, CLAIM, LIVE, outcomeName } from './entries.ts'
import { replyOf } from './emit.ts'
import { ContentionError, load, MAX_ATTEMPTS, publish, type Part, type Protocol, type Shell } from './operations.ts'

/** @throws ContentionError when the connection changed too often. */
export function* inquire({ of, inquiryId }: Inquiry, shell: Shell): Protocol {
  const scope = scopeKey(of)
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const slot = yield* whereDecided(scope)
    const shown = of.transactionCode === 'CARD_TOKENIZATION' ? cardTokenName(of.consecutive) : LIVE
    const state = (yield* load([{ slot, names: [outcomeName(scope), shown] }])).state(slot)
    const outcome = state.outcomes.get(scope)
    if (!outcome) return { scope, fingerprint: '', inquiryId, found: false, tokenShown: false }
    if ((yield* publish([{ slot, version: state.version }])) === 'done') {
      return replyOf({ scope, fingerprint: '', inquiryId }, outcome, state, shell)
    }
  }
  throw new ContentionError('too many conflicts')
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
