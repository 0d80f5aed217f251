// Configuration of the authorizer of cards: which one there is, and how to reach it.

import type { AuthorizerDecline } from '../core/transaction/authorizer-answer.ts'
import type { Apps } from './apps.ts'
import type { EnvironmentName } from './config-groups.ts'
import { ConfigError, optionalVariable, variable, type Values } from './env.ts'
import { oneOf, wholeNumber } from './env-values.ts'

const CARD_AUTHORIZERS = ['none', 'demo'] as const

export const authorizerVariables = {
  CARD_AUTHORIZER: optionalVariable(oneOf(CARD_AUTHORIZERS), {
    description:
      'Who is asked for charges: `none` (they are declined with 91) or `demo` (answers by card number, moves no money). ' +
      'By default `demo` with the demo set, else `none`.',
  }),
  CARD_AUTHORIZER_MAX_OPEN: variable(wholeNumber(1, 100_000), {
    fallback: '256',
    description: 'Transactions of one worker that are open there at one time; one more is declined with 91, not asked.',
  }),
  CARD_AUTHORIZER_RETRY_MS: variable(wholeNumber(10, 60_000), {
    fallback: '500',
    description: 'First wait before it is asked again what became of a transaction; doubled each time.',
  }),
  CARD_AUTHORIZER_MAX_RETRY_MS: variable(wholeNumber(10, 600_000), {
    fallback: '30000',
    description: 'Longest of these waits.',
  }),
} as const

interface Bounds {
  readonly maxOpen: number
  /** Waits between attempts to settle a transaction. */
  readonly retry: { readonly firstMs: number; readonly maxMs: number }
}

export type AuthorizerConfig = Bounds &
  (
    | { readonly kind: 'none' }
    | {
        readonly kind: 'demo'
        /** Card numbers that are declined. */
        readonly declines: ReadonlyMap<string, AuthorizerDecline>
      }
  )

/** @throws ConfigError for the demo in production, or without the demo set. */
export function authorizerOf(
  values: Values<typeof authorizerVariables>,
  apps: Apps | undefined,
  environment: EnvironmentName,
): AuthorizerConfig {
  const { CARD_AUTHORIZER_RETRY_MS: firstMs, CARD_AUTHORIZER_MAX_RETRY_MS: maxMs } = values
  const bounds: Bounds = { maxOpen: values.CARD_AUTHORIZER_MAX_OPEN, retry: { firstMs, maxMs } }
  const kind = values.CARD_AUTHORIZER ?? (apps?.demo ? 'demo' : 'none')
  switch (kind) {
    case 'none':
      return { ...bounds, kind }
    case 'demo':
      if (environment === 'production') throw new ConfigError(['CARD_AUTHORIZER: demo must not be used in production'])
      return {
        ...bounds,
        kind,
        declines: new Map(apps?.cardDeclines.map(({ cardNumber, code }) => [cardNumber, code])),
      }
  }
}
