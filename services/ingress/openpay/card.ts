// What a card number and a security code tell without asking anybody: check digit, brand, length. Never logs either.

import cardValidator from 'card-validator'
import type { CardBrand } from '../../core/card-token/card-token.ts'
import { passesLuhn } from '../../core/card/mask.ts'

/** The library's names for the networks that the contract names. */
const BRANDS: Readonly<Record<string, CardBrand>> = {
  visa: 'visa',
  mastercard: 'mastercard',
  'american-express': 'american_express',
  'diners-club': 'diners',
  discover: 'discover',
  jcb: 'jcb',
  maestro: 'maestro',
}

/** Lengths that networks had once and the library leaves out (ISO/IEC 7812 registers of Visa and JCB). */
const OLD_LENGTHS: Partial<Readonly<Record<CardBrand, readonly number[]>>> = { visa: [13], jcb: [15] }

/** A private card's code may have either length. */
const PRIVATE_CODE_LENGTHS = [3, 4]
const MAX_LENGTH = 19

export interface KnownCard {
  readonly brand: CardBrand
  /** Lengths of its security code. */
  readonly codeLengths: readonly number[]
  /** Lengths that its numbers have; null: any. */
  readonly lengths: readonly number[] | null
}

/**
 * The brand of a number: private ranges first, then the library. What none of the contract's networks claims is
 * private, a bare leading 6 too, which the library would take for Maestro.
 * @param privateRanges leading digits.
 */
export function cardOf(number: string, privateRanges: readonly string[]): KnownCard {
  const ofPrivate: KnownCard = { brand: 'private', codeLengths: PRIVATE_CODE_LENGTHS, lengths: null }
  if (privateRanges.some((range) => number.startsWith(range))) return ofPrivate
  const { card } = cardValidator.number(number, { maxLength: MAX_LENGTH, luhnValidateUnionPay: true })
  const brand = card === null ? undefined : BRANDS[card.type]
  if (card === null || brand === undefined || (brand === 'maestro' && isBareSix(number))) return ofPrivate
  return { brand, codeLengths: [card.code.size], lengths: [...card.lengths, ...(OLD_LENGTHS[brand] ?? [])] }
}

/** Maestro's ranges that begin with 6 are 63 and 67. */
function isBareSix(number: string): boolean {
  return number.startsWith('6') && !number.startsWith('63') && !number.startsWith('67')
}

export function hasCheckDigit(number: string): boolean {
  return passesLuhn(number)
}

/** Whether a code has a length that the card's brand has. */
export function isCodeOf({ codeLengths }: KnownCard, code: string): boolean {
  return cardValidator.cvv(code, [...codeLengths]).isValid
}

/** The month of an expiry as two digits, or null when it is none. */
export function monthOf(digits: string): string | null {
  return cardValidator.expirationMonth(digits).isValid ? digits.padStart(2, '0') : null
}
