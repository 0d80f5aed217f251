// From a reply to an answer of the Aspen dialect. What a code says is one total record for each operation.

import type { AccountType } from '../../core/account/account.ts'
import { RESPONSE_CODES, type ResponseCode } from '../../core/transaction/codes.ts'
import type { Reply } from '../../core/transaction/reply.ts'
import type { Submitted } from '../submit.ts'
import { EVENTS, type AspenEvent } from './events.ts'

/** The body of an answer to PUT: what the token was bound to. Amount in pesos. */
export interface ClaimAnswer {
  readonly amount: number | null
  readonly accountType: AccountType | null
}

/** A token that is not good is one error, whatever the reason is (contract, "No oracle"). */
const USE_EVENTS: Readonly<Record<ResponseCode, AspenEvent>> = {
  ...everyCode(EVENTS.tokenNotFound),
  '91': EVENTS.upstreamFailed,
  '94': EVENTS.internal,
  '96': EVENTS.upstreamFailed,
}

/** A generation that names only a document is declined for too many tokens, for want of a free one, or for lateness. */
const SEND_EVENTS: Readonly<Record<ResponseCode, AspenEvent>> = {
  ...everyCode(EVENTS.upstreamFailed),
  '05': EVENTS.unavailable,
  '65': EVENTS.tooManyTokens,
  '68': EVENTS.unavailable,
  '94': EVENTS.internal,
}

function everyCode(event: AspenEvent): Readonly<Record<ResponseCode, AspenEvent>> {
  return Object.fromEntries(RESPONSE_CODES.map((code) => [code, event])) as Record<ResponseCode, AspenEvent>
}

export type Answered = { readonly approved: Reply } | { readonly refused: AspenEvent; readonly code: ResponseCode | '' }

/** What became of a claim or of the end of a token. */
export function useAnswer(submitted: Submitted): Answered {
  return answerBy(submitted, USE_EVENTS)
}

/** What became of a generation, or of its reversal. */
export function sendAnswer(submitted: Submitted): Answered {
  return answerBy(submitted, SEND_EVENTS)
}

function answerBy(submitted: Submitted, events: Readonly<Record<ResponseCode, AspenEvent>>): Answered {
  if (submitted === 'refused') return { refused: EVENTS.unavailable, code: '' }
  if (submitted === 'unanswered') return { refused: EVENTS.timedOut, code: '' }
  const { responseCode: code } = submitted
  if (code === undefined) return { refused: EVENTS.internal, code: '' }
  return code === '00' ? { approved: submitted } : { refused: events[code], code }
}

const MINOR_PER_PESO = 100

export function claimAnswer({ amountMinor, accountType }: Reply): ClaimAnswer {
  return {
    amount: amountMinor === undefined ? null : amountMinor / MINOR_PER_PESO,
    accountType: accountType ?? null,
  }
}
