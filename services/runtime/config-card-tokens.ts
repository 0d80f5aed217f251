// Configuration of cards at the edge: how long card tokens and their security codes live, which ranges are private, and
// which are another authorizer's.

import { z } from 'zod'
import { optionalVariable, variable, type Values } from './env.ts'
import { wholeNumber } from './env-values.ts'

const MAX_RANGES = 1_000
const SECOND_MS = 1_000

/** Leading digits of card numbers, divided by commas; none is allowed. */
const ranges: z.ZodType<readonly string[], string> = z
  .string()
  .transform((text) =>
    text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  )
  .refine((parts) => parts.length <= MAX_RANGES && parts.every((part) => /^[0-9]{4,10}$/.test(part)), {
    message: `must be at most ${MAX_RANGES} of 4 to 10 leading digits, divided by commas`,
  })

export const cardTokenVariables = {
  CARD_TOKEN_TTL_SECONDS: variable(wholeNumber(30, 86_400), {
    fallback: '3600',
    description: 'Life of a card token. Its number cannot be read after it.',
  }),
  SECURITY_CODE_TTL_SECONDS: variable(wholeNumber(30, 3_600), {
    fallback: '900',
    description:
      "How long a card token's security code is kept, if no charge deletes it before; never longer than the token.",
  }),
  PRIVATE_CARD_RANGES: variable(ranges, {
    fallback: '603959',
    description: 'Leading digits of private cards, divided by commas: their brand is `private`.',
  }),
} as const

export const remoteCardVariables = {
  REMOTE_CARD_RANGES: optionalVariable(ranges, {
    description:
      'Leading digits of cards whose funds the authorizer of cards holds, divided by commas: it is asked for their ' +
      'purchases and withdrawals.',
  }),
} as const

export interface CardTokenConfig {
  readonly ttlMs: number
  readonly securityCodeTtlMs: number
  /** Leading digits. */
  readonly privateRanges: readonly string[]
}

export function cardTokensOf(values: Values<typeof cardTokenVariables>): CardTokenConfig {
  const ttlMs = values.CARD_TOKEN_TTL_SECONDS * SECOND_MS
  return {
    ttlMs,
    securityCodeTtlMs: Math.min(values.SECURITY_CODE_TTL_SECONDS * SECOND_MS, ttlMs),
    privateRanges: values.PRIVATE_CARD_RANGES,
  }
}
