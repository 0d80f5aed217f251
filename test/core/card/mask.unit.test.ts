// Masks: what stays of a card or document number, and which runs of digits are taken for one.

import { describe, expect, it } from 'vitest'
import {
  holdsCardNumber,
  maskCardNumber,
  maskCardNumbersIn,
  maskDocument,
  passesLuhn,
} from '../../../services/core/card/mask.ts'

describe('Luhn', () => {
  it('passes valid card numbers of 13 to 19 digits', () => {
    const valid = ['4222222222222', '345678000000007', '6039591000000018', '4111111111111111', '4000000000000000006']
    for (const pan of valid) expect(passesLuhn(pan)).toBe(true)
  })

  it('catches every single wrong digit', () => {
    const pan = '6039591000000018'
    for (let place = 0; place < pan.length; place += 1) {
      for (let digit = 0; digit < 10; digit += 1) {
        const changed = pan.slice(0, place) + digit + pan.slice(place + 1)
        expect(passesLuhn(changed)).toBe(changed === pan)
      }
    }
  })

  it('fails anything that is not digits', () => {
    for (const text of ['', ' ', '4111 1111 1111 1111', '-18', '1.8', '٠', '0x0']) expect(passesLuhn(text)).toBe(false)
  })
})

describe('the mask of a card number', () => {
  it('keeps the first six and the last four', () => {
    expect(maskCardNumber('6039591000000018')).toBe('603959******0018')
    expect(maskCardNumber('4222222222222')).toBe('422222***2222')
    expect(maskCardNumber('4000000000000000006')).toBe('400000*********0006')
  })

  it('keeps nothing of what is too short', () => {
    expect(maskCardNumber('603959100018')).toBe('************')
    expect(maskCardNumber('')).toBe('')
  })
})

describe('card numbers in text', () => {
  it('are masked wherever they stand, and more than one', () => {
    expect(maskCardNumbersIn('pan=6039591000000018;')).toBe('pan=603959******0018;')
    expect(maskCardNumbersIn('a4111111111111111b 4222222222222')).toBe('a411111******1111b 422222***2222')
  })

  it('are masked in the groups they are printed in', () => {
    expect(maskCardNumbersIn('4111 1111 1111 1111')).toBe('4111 11** **** 1111')
    expect(maskCardNumbersIn('4111-1111-1111-1111!')).toBe('4111-11**-****-1111!')
    expect(maskCardNumbersIn('3456 780000 00007')).toBe('3456 78**** *0007')
    expect(maskCardNumbersIn('4000 0000 0000 0000 006')).toBe('4000 00** **** ***0 006')
  })

  it('are masked in longer runs, of which at most ten digits stay', () => {
    const masked = maskCardNumbersIn(`12345678${'6039591000000018'}87654321`)
    expect(masked).toBe(`123456${'*'.repeat(22)}4321`)
  })

  it('are not seen in runs that fail Luhn, are too short, or are divided otherwise', () => {
    const plain = [
      '6039591000000019',
      '603959100018',
      '4111  1111 1111 1111',
      '4111 1111-1111 1111',
      '4111.1111.1111.1111',
      '550e8400-e29b-41d4-a716-446655440000',
      '2026-11-21T10:00:00.000Z',
      '',
      'no digits',
    ]
    for (const text of plain) expect(maskCardNumbersIn(text)).toBe(text)
  })

  it('are gone after one pass', () => {
    for (const text of ['6039591000000018', '4111 1111 1111 1111', '9'.repeat(60)]) {
      expect(holdsCardNumber(maskCardNumbersIn(text))).toBe(false)
    }
    expect(holdsCardNumber('x6039591000000018')).toBe(true)
  })

  it('are searched in linear time', () => {
    const long = `${'4111 '.repeat(20_000)}${'1234567890123'.repeat(10_000)}`
    const began = performance.now()
    maskCardNumbersIn(long)
    expect(performance.now() - began).toBeLessThan(2_000)
  })
})

describe('the mask of a document', () => {
  it('keeps the type and the last four characters, three of shorter numbers, none below six', () => {
    expect(maskDocument({ type: 'CC', number: '1012345678' })).toBe('CC ******5678')
    expect(maskDocument({ type: 'CE', number: '876543' })).toBe('CE ***543')
    expect(maskDocument({ type: 'PAS', number: 'AB12345' })).toBe('PAS ****345')
    expect(maskDocument({ type: 'TI', number: '12345' })).toBe('TI *****')
  })
})
