import { describe, expect, it } from 'vitest'
import { passesLuhn } from '../../../services/core/card/mask.ts'
import { cardOf, isCodeOf, monthOf } from '../../../services/ingress/openpay/card.ts'
import { drawId, isId } from '../../../services/ingress/openpay/id.ts'

const RANGES = ['603959', '589562']

/** With its check digit. */
function numbered(start: string, length: number): string {
  const body = start.padEnd(length - 1, '0')
  return [...'0123456789'].map((digit) => body + digit).find(passesLuhn) ?? ''
}

describe('the brand of a card', () => {
  it.each([
    ['4', 16, 'visa'],
    ['51', 16, 'mastercard'],
    ['2221', 16, 'mastercard'],
    ['34', 15, 'american_express'],
    ['37', 15, 'american_express'],
    ['36', 14, 'diners'],
    ['6011', 16, 'discover'],
    ['65', 16, 'discover'],
    ['3530', 16, 'jcb'],
    ['5018', 16, 'maestro'],
    ['63', 19, 'maestro'],
    ['67', 13, 'maestro'],
    ['603959', 16, 'private'],
    ['603959', 19, 'private'],
    ['589562', 16, 'private'],
  ])('of %s… with %i digits is %s', (start, length, brand) => {
    const number = numbered(start, length)
    const card = cardOf(number, RANGES)
    expect(card.brand).toBe(brand)
    expect(card.lengths === null || card.lengths.includes(number.length)).toBe(true)
  })

  it.each(['6', '60', '604', '66', '68', '69', '9', '0', '62'])('takes %s… for no network', (start) => {
    expect(cardOf(numbered(start, 16), RANGES).brand).toBe('private')
  })

  it('asks private ranges before the library', () => {
    expect(cardOf('5895620000000004', []).brand).toBe('private')
    expect(cardOf('4111111111111111', ['411111']).brand).toBe('private')
    expect(cardOf('4111111111111111', []).brand).toBe('visa')
  })

  it('has codes of four digits for American Express, of three for others, of either for private ones', () => {
    const fits = (number: string) =>
      ['12', '123', '1234', '12345'].filter((code) => isCodeOf(cardOf(number, RANGES), code))
    expect(fits('345678000000007')).toEqual(['1234'])
    expect(fits('4111111111111111')).toEqual(['123'])
    expect(fits('6039591000000018')).toEqual(['123', '1234'])
  })

  it('reads months with and without their zero, and no others', () => {
    expect(['1', '01', '9', '12'].map(monthOf)).toEqual(['01', '01', '09', '12'])
    expect(['0', '00', '13', '99', '-1', 'x', ''].map(monthOf)).toEqual([null, null, null, null, null, null, null])
  })
})

describe('ids', () => {
  it('are 20 characters of a-z and 0-9, of which all come, and never twice the same', () => {
    const ids = Array.from({ length: 2_000 }, drawId)
    expect(ids.every(isId)).toBe(true)
    expect(new Set(ids).size).toBe(ids.length)
    expect(new Set(ids.join('')).size).toBe(36)
  })
})
