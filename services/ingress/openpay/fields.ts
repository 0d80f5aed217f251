// The fields of the Openpay dialect one by one: form only (contract, section 3). What is malformed is named, never
// quoted.

import { z } from 'zod'
import { iso31661Alpha2ToNumeric } from 'iso-3166'
import { MAX_AMOUNT_MINOR, minorOfPesos } from '../../core/money/amount.ts'
import { monthOf } from './card.ts'

const MINOR_PER_PESO = 100

const characters = (text: string) => [...text].length

/** Text of 1 to `max` characters that is not blank. Half a surrogate pair is no text. */
export const text = (max: number) =>
  z
    .string()
    .max(max * 2)
    .refine((value) => value.isWellFormed() && value.trim() !== '' && characters(value) <= max)
    .meta({ minLength: 1, maxLength: max })

/** `min` to `max` digits as text, or as a number that still has all of them. */
const digits = (min: number, max: number) =>
  z
    .union([
      z.string().regex(new RegExp(`^[0-9]{${min},${max}}$`)),
      z
        .number()
        .int()
        .min(0)
        .max(Number.MAX_SAFE_INTEGER)
        .refine((value) => String(value).length >= min && String(value).length <= max),
    ])
    .transform(String)

export const cardNumber = digits(13, 19)

/** Any digits: how many there must be is the brand's to say. */
export const securityCode = digits(1, 19)

/** `01`-`12`, also without its zero. */
export const month = digits(1, 2).transform((value, context) => {
  const known = monthOf(value)
  if (known !== null) return known
  context.addIssue({ code: 'custom' })
  return z.NEVER
})

/** Two digits; a number may lack its zero. */
export const year = z
  .union([z.string().regex(/^[0-9]{2}$/), z.number().int().min(0).max(99)])
  .transform((value) => String(value).padStart(2, '0'))

/** ISO 3166-1 alpha-2. */
const countryCode = z
  .string()
  .refine((value) => Object.hasOwn(iso31661Alpha2ToNumeric, value))
  .meta({ pattern: '^[A-Z]{2}$' })

const postalCode = z.union([text(20), z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).transform(String)])

export const address = z.object({
  line1: text(200),
  line2: text(200).optional(),
  line3: text(200).optional(),
  postal_code: postalCode,
  state: text(100),
  city: text(100),
  country_code: countryCode,
})

/** Pesos as sent, minor units inside. */
export const amount = z
  .number()
  .meta({
    description: 'Pesos, with at most two decimals.',
    exclusiveMinimum: 0,
    maximum: MAX_AMOUNT_MINOR / MINOR_PER_PESO,
  })
  .transform((pesos, context) => {
    const minor = minorOfPesos(pesos)
    if (minor !== null) return minor
    context.addIssue({ code: 'custom' })
    return z.NEVER
  })
