// From replies to the objects of the Openpay dialect: token, transaction, and which error a code is. Nothing here can
// show a number or a code: no reply has them.

import { z } from 'zod'
import { CARD_BRANDS, type Charge, type Refund, type ShownCard } from '../../core/card-token/card-token.ts'
import type { ResponseCode } from '../../core/transaction/codes.ts'
import type { Reply } from '../../core/transaction/reply.ts'
import type { KeyRing } from '../../ports/keys.ts'
import { openDetails } from './details.ts'
import { descriptionOf, type ErrorCode } from './errors.ts'

const shownAddress = z.object({
  line1: z.string(),
  line2: z.string().nullable(),
  line3: z.string().nullable(),
  state: z.string(),
  city: z.string(),
  postal_code: z.string(),
  country_code: z.string(),
})

/** A card as tokens and transactions show it. */
export const cardObject = z.object({
  card_number: z.string(),
  holder_name: z.string().nullable(),
  expiration_year: z.string().nullable(),
  expiration_month: z.string().nullable(),
  address: shownAddress.nullable(),
  creation_date: z.string().nullable(),
  brand: z.enum(CARD_BRANDS),
  points_card: z.literal(false),
})

export const tokenObject = z.object({ id: z.string(), card: cardObject })

export const refundObject = z.object({
  id: z.string(),
  amount: z.number(),
  creation_date: z.string(),
  authorization: z.string().nullable(),
})

export const transactionObject = z.object({
  id: z.string(),
  amount: z.number(),
  authorization: z.string().nullable(),
  method: z.literal('card'),
  operation_type: z.literal('in'),
  transaction_type: z.literal('charge'),
  card: cardObject,
  status: z.enum(['completed', 'failed', 'refunded']),
  currency: z.literal('COP'),
  creation_date: z.string(),
  operation_date: z.string(),
  description: z.string(),
  error_message: z.string().nullable(),
  order_id: z.string().nullable(),
  refund: refundObject.optional(),
})

export type TokenObject = z.output<typeof tokenObject>
export type TransactionObject = z.output<typeof transactionObject>
type CardObject = z.output<typeof cardObject>

/** What a declined charge or refund is (contract, section 3). Codes that neither can get are internal errors. */
const CODE_ERRORS: Readonly<Record<ResponseCode, ErrorCode>> = {
  '00': 1000,
  '03': 1000,
  '05': 3001,
  '12': 1003,
  '13': 1000,
  '14': 1000,
  '25': 1005,
  '39': 1000,
  '41': 1000,
  '43': 3004,
  '51': 3003,
  '52': 1000,
  '53': 1000,
  '54': 3002,
  '55': 1000,
  '57': 1000,
  '59': 3005,
  '61': 1000,
  '62': 1000,
  '65': 1000,
  '68': 1004,
  '75': 1000,
  '78': 1000,
  '91': 3001,
  '94': 1006,
  '96': 1000,
}

export function errorOf(code: ResponseCode): ErrorCode {
  return CODE_ERRORS[code]
}

/** What a reply has to have for an object to be shown of it. */
export type TokenReply = Reply & Required<Pick<Reply, 'cardToken'>>
export type ChargeReply = Reply & Required<Pick<Reply, 'charge' | 'decidedAt' | 'responseCode'>>

/** Whether a reply shows a token that may be shown at `now`, Unix milliseconds: spent, or not past its end. */
export function showsToken(reply: Reply, now: number): reply is TokenReply {
  const { responseCode, cardToken } = reply
  return responseCode === '00' && cardToken !== undefined && (cardToken.spent || now < cardToken.expiresAt)
}

/** Whether a reply shows a charge: one that was never asked for, since its token or order forbade it, is none. */
export function showsCharge(reply: Reply): reply is ChargeReply {
  return reply.charge !== undefined && reply.decidedAt !== undefined && reply.responseCode !== undefined
}

export function tokenOf(id: string, { cardToken }: TokenReply, merchantId: string, keys: KeyRing): TokenObject {
  return { id, card: shownCard(cardToken, merchantId, keys) }
}

/** A charge as it is after what is answered, with the refund that is answered, else the newest one that was made. */
export function transactionOf(id: string, reply: ChargeReply, merchantId: string, keys: KeyRing): TransactionObject {
  const { charge, responseCode, authorizationNumber, decidedAt } = reply
  const approved = responseCode === '00'
  const refunds = charge.refunds.filter(({ state }) => state === 'completed')
  const refund = refunds.find(({ scope }) => scope === reply.scope) ?? refunds.at(-1)
  const date = dateOf(decidedAt)
  return {
    id,
    amount: pesosOf(charge.amountMinor),
    authorization: (approved ? authorizationNumber : undefined) ?? null,
    method: 'card',
    operation_type: 'in',
    transaction_type: 'charge',
    card: shownCard(charge.card, merchantId, keys),
    status: statusOf(charge, approved, refunds),
    currency: 'COP',
    creation_date: date,
    operation_date: date,
    description: charge.description,
    error_message: approved ? null : descriptionOf(errorOf(responseCode)),
    order_id: charge.orderId ?? null,
    ...(refund === undefined ? {} : { refund: shownRefund(refund) }),
  }
}

function statusOf(charge: Charge, approved: boolean, refunds: readonly Refund[]): TransactionObject['status'] {
  if (!approved) return 'failed'
  const refunded = refunds.reduce((sum, { amountMinor }) => sum + amountMinor, 0)
  return refunded >= charge.amountMinor ? 'refunded' : 'completed'
}

function shownRefund({ scope, amountMinor, at, authorizationNumber }: Refund): z.output<typeof refundObject> {
  return {
    id: scope.slice(scope.lastIndexOf(':') + 1),
    amount: pesosOf(amountMinor),
    creation_date: dateOf(at),
    authorization: authorizationNumber ?? null,
  }
}

function shownCard({ mask, brand, details }: ShownCard, merchantId: string, keys: KeyRing): CardObject {
  const opened = openDetails(details, merchantId, keys)
  return {
    card_number: mask.replaceAll('*', 'X'),
    holder_name: opened?.holder_name ?? null,
    expiration_year: opened?.expiration_year ?? null,
    expiration_month: opened?.expiration_month ?? null,
    address: opened?.address ?? null,
    creation_date: opened === null ? null : dateOf(opened.createdAt),
    brand,
    points_card: false,
  }
}

const MINOR_PER_PESO = 100
/** Colombia's time, which has no summer: five hours behind UTC. */
const BOGOTA_BEHIND_UTC_MS = 5 * 3_600_000

function pesosOf(minor: number): number {
  return minor / MINOR_PER_PESO
}

/** RFC 3339 with Bogotá's offset, to the second, as the public documentation has it. */
function dateOf(at: number): string {
  return `${new Date(at - BOGOTA_BEHIND_UTC_MS).toISOString().slice(0, 19)}-05:00`
}
