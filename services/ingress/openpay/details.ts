// What of a card is shown besides its mask and brand: holder, date, address. Sealed here and opened here; nothing
// behind the edge reads it.

import { maskCardNumbersIn } from '../../core/card/mask.ts'
import type { SealedDetails } from '../../core/card-token/card-token.ts'
import { SealError, type KeyRing } from '../../ports/keys.ts'
import type { TokenFields } from './requests.ts'

export interface ShownAddress {
  readonly line1: string
  readonly line2: string | null
  readonly line3: string | null
  readonly state: string
  readonly city: string
  readonly postal_code: string
  readonly country_code: string
}

/** Card numbers in its texts are masked. */
export interface CardDetails {
  readonly holder_name: string
  readonly expiration_year: string
  readonly expiration_month: string
  readonly address: ShownAddress | null
  /** Unix milliseconds. */
  readonly createdAt: number
}

/**
 * JSON under the ring, in base64url, bound to the merchant: a charge shows its card without naming the token.
 * @throws what the key ring throws.
 */
export function sealDetails(fields: TokenFields, createdAt: number, merchantId: string, keys: KeyRing): SealedDetails {
  const { holder_name: holder, expiration_year, expiration_month, address } = fields
  const details: CardDetails = {
    holder_name: maskCardNumbersIn(holder),
    expiration_year,
    expiration_month,
    address: address === undefined ? null : shownAddress(address),
    createdAt,
  }
  return Buffer.from(keys.seal(JSON.stringify(details), contextOf(merchantId))).toString('base64url')
}

/** The details, or null when the ring no longer has their key: the rest of the card is shown all the same. */
export function openDetails(details: SealedDetails, merchantId: string, keys: KeyRing): CardDetails | null {
  try {
    return JSON.parse(keys.open(Buffer.from(details, 'base64url'), contextOf(merchantId))) as CardDetails
  } catch (error) {
    if (error instanceof SealError) return null
    throw error
  }
}

const contextOf = (merchantId: string) => `card-details:${merchantId}`

function shownAddress(address: NonNullable<TokenFields['address']>): ShownAddress {
  const shown = (text: string | undefined) => (text === undefined ? null : maskCardNumbersIn(text))
  return {
    line1: maskCardNumbersIn(address.line1),
    line2: shown(address.line2),
    line3: shown(address.line3),
    state: maskCardNumbersIn(address.state),
    city: maskCardNumbersIn(address.city),
    postal_code: maskCardNumbersIn(address.postal_code),
    country_code: address.country_code,
  }
}
