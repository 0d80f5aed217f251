// Reading bodies of the Openpay dialect: form first, then what the values say. It decides nothing and protects nothing.

import { z } from 'zod'
import { cardExpiry } from '../../runtime/apps.ts'
import { cardOf, hasCheckDigit, isCodeOf, type KnownCard } from './card.ts'
import { descriptionOf, type Refusal } from './errors.ts'
import * as field from './fields.ts'

/** The body of `POST …/tokens`. */
export const tokenBody = z.object({
  holder_name: field.text(100),
  card_number: field.cardNumber,
  cvv2: field.securityCode,
  expiration_month: field.month,
  expiration_year: field.year,
  address: field.address.optional(),
})

/** The body of `POST …/charges`. What else a caller sends (`iva`, `customer`'s fields, …) is not kept. */
export const chargeBody = z.object({
  source_id: z.string().min(1).max(64),
  method: z.literal('card'),
  amount: field.amount,
  currency: z.string().max(16).optional(),
  description: field.text(250),
  order_id: field.text(100).optional(),
  device_session_id: z.string().max(255).optional(),
  customer: z.object({}).optional(),
})

/** The body of `POST …/refund`, which may be left out. */
export const refundBody = z.object({ amount: field.amount.optional(), description: field.text(250).optional() })

export type TokenFields = z.output<typeof tokenBody>
export type ChargeFields = z.output<typeof chargeBody>
export type RefundFields = z.output<typeof refundBody>

export type Read<T> = ({ readonly kind: 'read' } & T) | { readonly kind: 'refused'; readonly refusal: Refusal }

/** A card that is well formed, with what its number tells and when its own date ends (Unix milliseconds). */
export interface ReadToken {
  readonly fields: TokenFields
  readonly card: KnownCard
  readonly cardExpiresAt: number
}

/**
 * Order of checks: 1001 and 2006, 2004, 2009, 2005.
 * @param now Unix milliseconds. @param privateRanges leading digits of private cards.
 */
export function readToken(body: unknown, now: number, privateRanges: readonly string[]): Read<ReadToken> {
  const read = readBody(tokenBody, body)
  if (read.kind === 'refused') return onlyCodeMissing(body) ? refused({ code: 2006 }) : read
  const { fields } = read
  const card = cardOf(fields.card_number, privateRanges)
  if (card.lengths && !card.lengths.includes(fields.card_number.length)) return refused(malformed(['card_number']))
  if (!hasCheckDigit(fields.card_number)) return refused({ code: 2004 })
  if (!isCodeOf(card, fields.cvv2)) return refused({ code: 2009 })
  const cardExpiresAt = cardExpiry(`20${fields.expiration_year}-${fields.expiration_month}`)
  if (cardExpiresAt <= now) return refused({ code: 2005 })
  return { kind: 'read', fields, card, cardExpiresAt }
}

const PESOS = 'COP'

export function readCharge(body: unknown): Read<{ readonly fields: ChargeFields }> {
  const read = readBody(chargeBody, body)
  if (read.kind === 'refused') return read
  const { currency = PESOS } = read.fields
  return currency === PESOS ? read : refused({ code: 1003, description: 'La única moneda admitida es COP.' })
}

export function readRefund(body: unknown): Read<{ readonly fields: RefundFields }> {
  return readBody(refundBody, body ?? {})
}

function readBody<T>(schema: z.ZodType<T>, body: unknown): Read<{ readonly fields: T }> {
  if (!isObject(body)) return refused({ code: 1001 })
  const parsed = schema.safeParse(withoutNulls(body))
  if (parsed.success) return { kind: 'read', fields: parsed.data }
  return refused(malformed(parsed.error.issues.map(({ path }) => path.join('.'))))
}

/** Whether everything is well formed but for a code that was not sent, or sent empty. */
function onlyCodeMissing(body: unknown): boolean {
  if (!isObject(body)) return false
  const { cvv2 } = body
  const missing = cvv2 === undefined || cvv2 === null || (typeof cvv2 === 'string' && cvv2.trim() === '')
  return missing && tokenBody.omit({ cvv2: true }).safeParse(withoutNulls(body)).success
}

/** Names of fields of ours, each once. */
function malformed(fields: readonly string[]): Refusal {
  const named = [...new Set(fields)].filter((name) => name !== '')
  return { code: 1001, description: `${descriptionOf(1001)} Campos: ${named.join(', ')}.` }
}

function refused(refusal: Refusal): { readonly kind: 'refused'; readonly refusal: Refusal } {
  return { kind: 'refused', refusal }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Absent for null, in the objects of the body too (contract: `null` means absent). No deeper: no field is there, and a
 * caller says how deep a body is.
 */
function withoutNulls(body: Record<string, unknown>): Record<string, unknown> {
  const fields = Object.entries(presentIn(body)).map(([name, value]) => [
    name,
    isObject(value) ? presentIn(value) : value,
  ])
  return Object.fromEntries(fields)
}

function presentIn(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null))
}
