// The authorizer of cards behind an HTTP interface: see README.md beside this file. It translates and classifies: what is
// not certain is 'unknown'. Card number and security code go into the body of one call, and nowhere else.

import { z } from 'zod'
import { AUTHORIZER_DECLINES, type AuthorizerDecline } from '../../core/transaction/authorizer-answer.ts'
import type { Answered, AuthorizationRequest, CardAuthorizer, RefundRequest } from '../../ports/card-authorizer.ts'
import { createHttpCaller, type CallEnd, type HttpCallerOptions } from './http-call.ts'

export interface HttpAuthorizerOptions extends HttpCallerOptions {
  /** Value of the header `Authorization`. */
  readonly authorization?: string
  /** Told of every call that did not end in an answer that could be used; the reason is safe to log. */
  readonly onFault?: (call: keyof CardAuthorizer, reason: string) => void
}

export interface HttpAuthorizer extends CardAuthorizer {
  close(): void
}

/** By these the other side says that it did not even begin. Any other that is no success says nothing. */
const REFUSED: ReadonlySet<number> = new Set([400, 401, 403, 404, 413, 415, 422, 429])
const SUCCESS: ReadonlySet<number> = new Set([200, 201])
const UNKNOWN: Answered = { kind: 'unknown' }

const answerShape = z.object({
  key: z.string(),
  status: z.enum(['approved', 'declined', 'reversed', 'pending']),
  authorizationNumber: z
    .string()
    .regex(/^[0-9]{6}$/)
    .optional(),
  code: z.string().optional(),
})
type Answer = z.infer<typeof answerShape>

export function createHttpAuthorizer(options: HttpAuthorizerOptions): HttpAuthorizer {
  const { authorization, onFault } = options
  const caller = createHttpCaller(options)
  const common: Readonly<Record<string, string>> = authorization === undefined ? {} : { authorization }

  /** The answer about this key, or what is known without one. */
  const ask = async (
    call: keyof CardAuthorizer,
    method: 'GET' | 'POST',
    path: string,
    key: string,
    body?: object,
  ): Promise<Answer | 'not-done' | 'unknown'> => {
    const headers = method === 'POST' ? { ...common, 'idempotency-key': key } : common
    const text = method === 'POST' ? JSON.stringify(body ?? {}) : undefined
    const end = await caller.call(method, path, headers, text)
    const read = readAnswer(end, key)
    if (typeof read === 'object') return read
    onFault?.(call, read.slice(read.indexOf(' ') + 1))
    return read.startsWith('not-done') ? 'not-done' : 'unknown'
  }
  const about = (key: string) => `/authorizations/${encodeURIComponent(key)}`

  return {
    authorize: async ({ key, cardNumber, securityCode, ...rest }: AuthorizationRequest) => {
      const card = { number: cardNumber, ...(securityCode === undefined ? {} : { securityCode }) }
      return answered(await ask('authorize', 'POST', '/authorizations', key, { key, ...rest, card }))
    },
    inquire: async (key) => {
      const answer = await ask('inquire', 'GET', about(key), key)
      // That it has not arrived does not say that it never will.
      return answer === 'not-done' ? UNKNOWN : answered(answer)
    },
    reverse: async (key) => {
      const answer = await ask('reverse', 'POST', `${about(key)}/reversal`, key)
      return typeof answer === 'object' && answer.status === 'reversed'
    },
    refund: async (request: RefundRequest) => {
      const answer = await ask('refund', 'POST', '/refunds', request.key, { ...request, currency: 'COP' })
      return typeof answer === 'object' && answer.status === 'reversed' ? UNKNOWN : answered(answer)
    },
    close: () => caller.close(),
  }
}

/** The answer, or in one text what is known and why. */
function readAnswer(end: CallEnd, key: string): Answer | `not-done ${string}` | `unknown ${string}` {
  if (end.kind === 'not-sent') return `not-done ${end.reason}`
  if (end.kind === 'unknown') return `unknown ${end.reason}`
  if (REFUSED.has(end.status)) return `not-done status-${end.status}`
  if (!SUCCESS.has(end.status)) return `unknown status-${end.status}`
  const parsed = answerShape.safeParse(jsonOf(end.body))
  if (!parsed.success) return 'unknown malformed'
  return parsed.data.key === key ? parsed.data : 'unknown another-key'
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function answered(answer: Answer | 'not-done' | 'unknown'): Answered {
  if (typeof answer === 'string') return { kind: answer }
  switch (answer.status) {
    case 'approved': {
      const { authorizationNumber } = answer
      return authorizationNumber === undefined ? { kind: 'approved' } : { kind: 'approved', authorizationNumber }
    }
    case 'declined':
      // A decline is certain whatever its code is.
      return { kind: 'declined', code: isDecline(answer.code) ? answer.code : '05' }
    case 'reversed':
      return { kind: 'not-done' }
    case 'pending':
      return UNKNOWN
  }
}

function isDecline(code: string | undefined): code is AuthorizerDecline {
  return AUTHORIZER_DECLINES.some((known) => known === code)
}
