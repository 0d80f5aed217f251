// From a reply to the body of an HTTP answer. The one place where a token's digits are derived to be shown.

import type { ResponseCode } from '../../core/transaction/codes.ts'
import type { OutcomeState } from '../../core/transaction/outcome.ts'
import type { Reply } from '../../core/transaction/reply.ts'
import type { KeyRing } from '../../ports/keys.ts'
import { RESPONSE_MESSAGES } from './messages.ts'

/** The body of an answer to `POST /financial` (contract, section 1). Members are absent, never null. */
export interface FinancialAnswer {
  readonly consecutive: string
  readonly responseCode: ResponseCode
  readonly responseMessage: string
  /** Six digits, with an approval only. */
  readonly authorizationNumber?: string
  /** The digits, while the token may be shown. */
  readonly token?: string
  /** RFC 3339, UTC. Stays when the token is no longer shown. */
  readonly expiresAt?: string
}

/** The body of an answer to `GET /financial/{consecutive}`: never with a token. */
export interface InquiryAnswer extends Omit<FinancialAnswer, 'token'> {
  readonly state: OutcomeState
}

/** A reply that carries a decision. */
export type DecidedReply = Reply & { readonly responseCode: ResponseCode }

/** Whether a reply carries a decision. A worker's reply to a command always does. */
export function isDecided(reply: Reply): reply is DecidedReply {
  return reply.found && reply.responseCode !== undefined
}

/** An answer that the edge gives by itself: nothing was recorded, nothing published. */
export function edgeAnswer(consecutive: string, responseCode: '03' | '12'): FinancialAnswer {
  return { consecutive, responseCode, responseMessage: RESPONSE_MESSAGES[responseCode] }
}

/**
 * The answer to a command. The token's digits are in it only while the worker says they may be shown and the token is
 * not past its end at `now`, Unix milliseconds. @throws SealError when the ring no longer has the token's key.
 */
export function financialAnswer(consecutive: string, reply: DecidedReply, now: number, keys: KeyRing): FinancialAnswer {
  const { token } = reply
  const answer = decided(consecutive, reply)
  if (token === undefined) return answer
  if (reply.tokenShown && now < token.expiresAt) answer.token = keys.reveal(token)
  answer.expiresAt = timeOf(token.expiresAt)
  return answer
}

/** The answer to an inquiry. */
export function inquiryAnswer(consecutive: string, reply: DecidedReply): InquiryAnswer {
  const state = reply.state ?? (reply.responseCode === '00' ? 'approved' : 'declined')
  const { token } = reply
  const expiry = token === undefined ? {} : { expiresAt: timeOf(token.expiresAt) }
  return { ...decided(consecutive, reply), ...expiry, state }
}

type Draft<Answer> = { -readonly [Name in keyof Answer]: Answer[Name] }

function decided(consecutive: string, { responseCode, authorizationNumber }: DecidedReply): Draft<FinancialAnswer> {
  const responseMessage = RESPONSE_MESSAGES[responseCode]
  const answer: Draft<FinancialAnswer> = { consecutive, responseCode, responseMessage }
  if (responseCode === '00' && authorizationNumber !== undefined) answer.authorizationNumber = authorizationNumber
  return answer
}

function timeOf(unixMs: number): string {
  return new Date(unixMs).toISOString()
}
