// Money as integer minor units (centavos of COP) with a type of its own. Never a fraction, never beyond 2^53.

declare const minor: unique symbol

/** An amount in minor units: a safe integer of zero or more. 100.00 pesos is 10000. */
export type AmountMinor = number & { readonly [minor]: true }

/** Largest amount of one transaction, 10^12 pesos in minor units (contract, section 1). */
export const MAX_AMOUNT_MINOR = 100_000_000_000_000

/** @throws RangeError when `value` is not a safe integer of zero or more. */
export function amountMinor(value: number): AmountMinor {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError('an amount is a whole number of minor units')
  return value as AmountMinor
}

/** The minor units of a JSON number of pesos, or null when it has more than two decimals or is no amount above zero. */
export function minorOfPesos(pesos: number): AmountMinor | null {
  if (!Number.isFinite(pesos) || pesos <= 0 || pesos > MAX_AMOUNT_MINOR / 100) return null
  if (Number(pesos.toFixed(2)) !== pesos) return null
  return amountMinor(Math.round(pesos * 100))
}

/** The sum, or null where it can no longer be counted exactly. */
export function plus(a: AmountMinor, b: AmountMinor): AmountMinor | null {
  const sum = a + b
  return Number.isSafeInteger(sum) ? amountMinor(sum) : null
}

/** @throws RangeError when `b` is more than `a`: callers compare first. */
export function minus(a: AmountMinor, b: AmountMinor): AmountMinor {
  return amountMinor(a - b)
}

export function isMultipleOf(amount: AmountMinor, note: AmountMinor): boolean {
  return amount % note === 0
}
