// Card tokens: a card that can be charged once, without its number. And what a charge shows of its card and refunds.

import type { AmountMinor } from '../money/amount.ts'

export const CARD_BRANDS = [
  'visa',
  'mastercard',
  'american_express',
  'diners',
  'discover',
  'jcb',
  'maestro',
  'private',
] as const
export type CardBrand = (typeof CARD_BRANDS)[number]

/** Holder's name, date and address as JSON, sealed under the ring in base64url: only the edge opens it, to show it. */
export type SealedDetails = string

/** A card number under a data key of its own, in base64url. Who loses the key loses the number. */
export type SealedNumber = string

/** What may be shown of a card. */
export interface ShownCard {
  /** First six and last four digits. */
  readonly mask: string
  readonly brand: CardBrand
  readonly details: SealedDetails
}

export interface ShownCardToken extends ShownCard {
  /** Unix milliseconds. The token is good before `expiresAt`, not at it. */
  readonly issuedAt: number
  readonly expiresAt: number
}

export interface CardToken extends ShownCardToken {
  /** Unix milliseconds from which the card's own date is past. */
  readonly cardExpiresAt: number
  readonly state: 'live' | 'spent'
  /** The scope that spent it. */
  readonly usedBy?: string
  /** While the token is live. Its data key is among the store's secrets. */
  readonly sealedNumber?: SealedNumber
}

export interface Refund {
  /** Scope key of the refund. */
  readonly scope: string
  readonly amountMinor: AmountMinor
  readonly state: 'pending' | 'completed' | 'failed'
  readonly authorizationNumber?: string
  /** Unix milliseconds. */
  readonly at: number
}

export interface Charge {
  readonly amountMinor: AmountMinor
  readonly card: ShownCard
  readonly description: string
  readonly orderId?: string
  readonly refunds: readonly Refund[]
}

/** Who has an order: the scope of a charge that is undecided or approved. */
export interface OrderHold {
  readonly heldBy: string
}

/** A wrapped data key, and a sealed security code. */
export const SECRET_KINDS = ['cardkey', 'securitycode'] as const
export type SecretKind = (typeof SECRET_KINDS)[number]

/** Name of a secret: `id` is a card token's hash, or says which sealed number of a purchase it opens. */
export function secretName(kind: SecretKind, id: string): string {
  return `${kind}:${id}`
}

/** Characters of a sealed number that tell it from others: its nonce. */
const NONCE_CHARACTERS = 16

/**
 * Name of the key of a purchase that another authorizer decides, on its scope's slot. Each request has a sealed number
 * and a key of its own, so that one that is repeated does not take the key of another that is on its way.
 */
export function purchaseKeyName(scope: string, sealedNumber: SealedNumber): string {
  return secretName('cardkey', `${scope}:${sealedNumber.slice(0, NONCE_CHARACTERS)}`)
}

/** What of a charge is not refunded, or about to be. */
export function leftOf(charge: Charge): number {
  return charge.refunds.reduce(
    (left, refund) => left - (refund.state === 'failed' ? 0 : refund.amountMinor),
    charge.amountMinor as number,
  )
}
