// Masks: what may be shown of a card or document number, and how card numbers are found in free text.
// A mask is for people; equality is a keyed hash's business.

/** Digits of a card number (ISO/IEC 7812). */
const MIN_CARD_DIGITS = 13
const MAX_CARD_DIGITS = 19
/** What PCI DSS 3.4.1 lets be shown of a card number. */
const SHOWN_FIRST = 6
const SHOWN_LAST = 4

/**
 * A run of 13 digits or more, or digits in the groups that cards are printed in (4-4-4-4 and up to 19 digits, 4-6-5,
 * 4-6-4), all divided by a space or all by a hyphen.
 */
const CANDIDATES = /\d{13,}|(?<!\d)\d{4}([ -])(?:\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?|\d{6}\1\d{4,5})(?!\d)/g
const ONLY_DIGITS = /^\d+$/
const ZERO = 48

/** Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B). False for anything but digits. */
export function passesLuhn(digits: string): boolean {
  return ONLY_DIGITS.test(digits) && luhn(digits, 0, digits.length)
}

/** `603959******0018`: the first six and the last four. A text too short to be a card number is masked whole. */
export function maskCardNumber(pan: string): string {
  if (pan.length < MIN_CARD_DIGITS) return '*'.repeat(pan.length)
  const hidden = pan.length - SHOWN_FIRST - SHOWN_LAST
  return `${pan.slice(0, SHOWN_FIRST)}${'*'.repeat(hidden)}${pan.slice(-SHOWN_LAST)}`
}

/**
 * The text with every card number in it masked: runs of 13-19 digits that pass Luhn, the same in printed groups, and
 * longer runs in which such a number may hide, of which only the first six and last four digits stay.
 */
export function maskCardNumbersIn(text: string): string {
  return text.replace(CANDIDATES, (run) => {
    const digits = run.replace(/[ -]/g, '')
    return holdsNumber(digits) ? maskMiddle(run, digits.length) : run
  })
}

/** Whether `maskCardNumbersIn` would change the text. */
export function holdsCardNumber(text: string): boolean {
  return maskCardNumbersIn(text) !== text
}

/** `CC ******5678`: the type and the last four characters of long numbers, three of shorter ones, none below six. */
export function maskDocument(document: { readonly type: string; readonly number: string }): string {
  const { type, number } = document
  const shown = number.length >= 8 ? 4 : number.length >= 6 ? 3 : 0
  return `${type} ${'*'.repeat(number.length - shown)}${number.slice(number.length - shown)}`
}

function holdsNumber(digits: string): boolean {
  if (digits.length < MIN_CARD_DIGITS) return false
  if (digits.length <= MAX_CARD_DIGITS) return luhn(digits, 0, digits.length)
  for (let start = 0; start + MIN_CARD_DIGITS <= digits.length; start += 1) {
    const last = Math.min(start + MAX_CARD_DIGITS, digits.length)
    for (let end = start + MIN_CARD_DIGITS; end <= last; end += 1) if (luhn(digits, start, end)) return true
  }
  return false
}

function luhn(digits: string, start: number, end: number): boolean {
  let sum = 0
  for (let index = end - 1, doubled = false; index >= start; index -= 1, doubled = !doubled) {
    const digit = digits.charCodeAt(index) - ZERO
    const weighed = doubled ? digit * 2 : digit
    sum += weighed > 9 ? weighed - 9 : weighed
  }
  return sum % 10 === 0
}

/** Stars for all digits but the first six and the last four; dividers stay. */
function maskMiddle(text: string, digits: number): string {
  let seen = 0
  return text.replace(/\d/g, (digit) => {
    seen += 1
    return seen <= SHOWN_FIRST || seen > digits - SHOWN_LAST ? digit : '*'
  })
}
