// One HTTP call as an acquirer makes it, and the bodies that acquirers send.
import { randomUUID } from 'node:crypto'
import { request, type Dispatcher } from 'undici'

export const CREDENTIALS = basic('demo-acquirer', 'demo-acquirer-secret')
export const OTHER_CREDENTIALS = basic('other-acquirer', 'other-acquirer-secret')
/** Longer than any deadline of the service. */
const CALL_TIMEOUT_MS = 40_000

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The body's bytes as text: equal text, equal bytes. */
  readonly text: string
  /** The body, parsed; an empty object when it is no JSON. */
  readonly body: AnswerBody
}

export interface AnswerBody {
  readonly consecutive?: string
  readonly responseCode?: string
  readonly responseMessage?: string
  readonly authorizationNumber?: string
  readonly token?: string
  readonly expiresAt?: string
  readonly state?: string
  readonly status?: number
  readonly detail?: string
  readonly errors?: readonly { readonly field: string; readonly message: string }[]
}

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: object | string
}

/** @throws Error when the connection failed before there was an answer. */
export async function call(
  dispatcher: Dispatcher,
  base: string,
  method: string,
  path: string,
  { headers, body }: CallOptions,
): Promise<Answer> {
  const sent = typeof body === 'object' ? JSON.stringify(body) : body
  const response = await request(`${base}${path}`, {
    dispatcher,
    method: method as Dispatcher.HttpMethod,
    headersTimeout: CALL_TIMEOUT_MS,
    bodyTimeout: CALL_TIMEOUT_MS,
    headers: {
      authorization: CREDENTIALS,
      ...(sent === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(sent === undefined ? {} : { body: sent }),
  })
  const text = await response.body.text()
  return { status: response.statusCode, headers: response.headers, text, body: parsed(text) }
}

export function basic(key: string, secret: string): string {
  return `Basic ${Buffer.from(`${key}:${secret}`).toString('base64')}`
}

function parsed(text: string): AnswerBody {
  try {
    return JSON.parse(text) as AnswerBody
  } catch {
    return {}
  }
}

export const CARD = '6039591000000018'
export const DOCUMENT = { type: 'CC', number: '1012345678' } as const

export interface Body {
  readonly consecutive: string
  readonly transactionCode: string
  readonly [field: string]: unknown
}

/** A new consecutive, as GUIDs are. */
export const consecutive = (): string => randomUUID()
export const terminal = (terminalId = 'T0000001', id = 'A1') => ({ id, storeId: '0001', terminalId })

export function generation(fields: object = { document: DOCUMENT }): Body {
  return { consecutive: consecutive(), transactionCode: 'TOKEN_GENERATION', acquirer: terminal(), ...fields }
}

export function purchase(fields: object): Body {
  return {
    consecutive: consecutive(),
    transactionCode: 'TOKEN_PURCHASE',
    acquirer: terminal(),
    cardNumber: CARD,
    accountType: '10',
    amount: 25_000,
    ...fields,
  }
}

export function reversal(fields: object): Body {
  return { consecutive: consecutive(), transactionCode: 'REVERSAL', acquirer: terminal(), ...fields }
}
