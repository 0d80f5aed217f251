// Bodies of answers: what a decision says to a caller, and when a token may be shown.

import { describe, expect, it } from 'vitest'
import { RESPONSE_CODES } from '../../../services/core/transaction/codes.ts'
import { RESPONSE_MESSAGES } from '../../../services/ingress/evertec/messages.ts'
import {
  financialAnswer,
  inquiryAnswer,
  isDecided,
  type DecidedReply,
} from '../../../services/ingress/evertec/replies.ts'
import { keys, issuedToken, ISSUED_DIGITS } from '../harness.ts'

const REPLY: DecidedReply = {
  scope: 's',
  fingerprint: 'f',
  inquiryId: '',
  found: true,
  responseCode: '00',
  authorizationNumber: '123456',
  tokenShown: true,
  epoch: 1,
  runId: 'r',
}
const EXPIRES_AT = Date.UTC(2030, 0, 2, 3, 4, 5)

describe('an answer', () => {
  it('has a Spanish text for every response code, and one for 55', () => {
    for (const code of RESPONSE_CODES) expect(RESPONSE_MESSAGES[code]).toMatch(/^[A-ZÁÉÍÓÚ].*\.$/u)
    expect(new Set(Object.values(RESPONSE_MESSAGES)).size).toBe(RESPONSE_CODES.length)
  })

  it('of an approval has its authorization number', () => {
    expect(financialAnswer('c-1', REPLY, 0, keys)).toEqual({
      consecutive: 'c-1',
      responseCode: '00',
      responseMessage: RESPONSE_MESSAGES['00'],
      authorizationNumber: '123456',
    })
  })

  it('of a decline has none', () => {
    expect(financialAnswer('c-1', { ...REPLY, responseCode: '55' }, 0, keys)).toEqual({
      consecutive: 'c-1',
      responseCode: '55',
      responseMessage: RESPONSE_MESSAGES['55'],
    })
  })

  it('shows a token until the millisecond of its end, and its end for ever', () => {
    const reply = { ...REPLY, token: issuedToken(EXPIRES_AT) }
    const shown = financialAnswer('c-1', reply, EXPIRES_AT - 1, keys)
    expect(shown).toMatchObject({ token: ISSUED_DIGITS, expiresAt: '2030-01-02T03:04:05.000Z' })
    const { token: _token, ...rest } = shown
    expect(financialAnswer('c-1', reply, EXPIRES_AT, keys)).toEqual(rest)
    expect(financialAnswer('c-1', { ...reply, tokenShown: false }, 0, keys)).toEqual(rest)
  })

  it('to an inquiry has the state and never a token', () => {
    const reply = { ...REPLY, token: issuedToken(EXPIRES_AT), state: 'reversed' as const }
    expect(inquiryAnswer('c-1', reply)).toEqual({
      consecutive: 'c-1',
      responseCode: '00',
      responseMessage: RESPONSE_MESSAGES['00'],
      authorizationNumber: '123456',
      expiresAt: '2030-01-02T03:04:05.000Z',
      state: 'reversed',
    })
  })

  it('needs a decision: a reply that found nothing is none', () => {
    expect(isDecided({ ...REPLY, found: false })).toBe(false)
    expect(isDecided({ ...REPLY, responseCode: undefined })).toBe(false)
    expect(isDecided(REPLY)).toBe(true)
  })
})
