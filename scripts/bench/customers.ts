// Customers for a load run: cards that pass Luhn, each with a holder and a savings account of its own.

import type { Customer } from './generator.ts'

const PREFIX = '603959'
const PADDED = 9

/** The first `count` customers, always the same ones. */
export function benchCustomers(count: number): Customer[] {
  return Array.from({ length: count }, (_, n) => {
    const body = `${PREFIX}${String(700_000_000 + n).padStart(PADDED, '0')}`
    return { cardNumber: `${body}${checkDigit(body)}`, documentType: 'CC', documentNumber: String(70_000_000 + n) }
  })
}

/** The file that `npm run accounts -- import` takes. */
export function customersFile(customers: readonly Customer[]): string {
  const lines = customers.map(
    ({ cardNumber, documentType, documentNumber }) =>
      `${cardNumber},${documentType},${documentNumber},active,2035-12,,10,100000000`,
  )
  return ['cardNumber,documentType,documentNumber,state,expires,restrictions,accountType,balance', ...lines, ''].join(
    '\n',
  )
}

function checkDigit(body: string): number {
  const sum = [...body].reverse().reduce((total, char, i) => {
    const digit = Number(char) * (i % 2 === 0 ? 2 : 1)
    return total + (digit > 9 ? digit - 9 : digit)
  }, 0)
  return (10 - (sum % 10)) % 10
}
