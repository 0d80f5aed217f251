// The authorizer of cards of the demo set: answers by card number, moves no money. What it remembers is this process' own
// and gone with it, so what it cannot know it does not say: an inquiry about a key it has not seen is 'unknown', upon
// which the asker reverses. Never for production.

import { createHash } from 'node:crypto'
import type { AuthorizerAnswer, AuthorizerDecline } from '../../core/transaction/authorizer-answer.ts'
import type { AuthorizationRequest, CardAuthorizer, RefundRequest } from '../../ports/card-authorizer.ts'

/** Keys that are remembered, the oldest forgotten first: some megabytes. */
const MAX_REMEMBERED = 20_000
const AUTHORIZATION_NUMBERS = 1_000_000

interface Authorization {
  readonly answer: AuthorizerAnswer
  readonly amountMinor: number
  refundedMinor: number
}

/**
 * @param declines the numbers that are declined; any other is approved. An answer depends on number and key only, so
 * that several processes, or one that was started again, say the same.
 */
export function createDemoAuthorizer(
  declines: ReadonlyMap<string, AuthorizerDecline>,
  maxRemembered = MAX_REMEMBERED,
): CardAuthorizer {
  const authorizations = new Map<string, Authorization>()
  const refunds = new Map<string, AuthorizerAnswer>()

  const authorize = ({ key, cardNumber, amountMinor }: AuthorizationRequest): AuthorizerAnswer => {
    const known = authorizations.get(key)
    if (known) return known.answer
    const code = declines.get(cardNumber)
    const answer: AuthorizerAnswer = code === undefined ? approval(key) : { kind: 'declined', code }
    remember(authorizations, key, { answer, amountMinor, refundedMinor: 0 }, maxRemembered)
    return answer
  }

  const refund = ({ key, original, amountMinor }: RefundRequest): AuthorizerAnswer => {
    const repeated = refunds.get(key)
    if (repeated) return repeated
    // Of an authorization that it has forgotten, or that another process has, only the asker knows what is left.
    const known = authorizations.get(original)
    const left = known && (known.answer.kind === 'approved' ? known.amountMinor - known.refundedMinor : 0)
    const answer: AuthorizerAnswer =
      left === undefined || amountMinor <= left ? approval(key) : { kind: 'declined', code: '05' }
    if (known && answer.kind === 'approved') known.refundedMinor += amountMinor
    remember(refunds, key, answer, maxRemembered)
    return answer
  }

  return {
    authorize: async (request) => authorize(request),
    inquire: async (key) => authorizations.get(key)?.answer ?? { kind: 'unknown' },
    reverse: async (key) => {
      // Also of a key that never came: what comes under it from now on is not done.
      remember(authorizations, key, { answer: { kind: 'not-done' }, amountMinor: 0, refundedMinor: 0 }, maxRemembered)
      return true
    },
    refund: async (request) => refund(request),
  }
}

function approval(key: string): AuthorizerAnswer {
  const drawn = createHash('sha256').update(key).digest().readUInt32BE(0) % AUTHORIZATION_NUMBERS
  return { kind: 'approved', authorizationNumber: String(drawn).padStart(6, '0') }
}

function remember<T>(memory: Map<string, T>, key: string, value: T, max: number): void {
  memory.delete(key)
  memory.set(key, value)
  if (memory.size <= max) return
  for (const oldest of memory.keys()) {
    memory.delete(oldest)
    return
  }
}
