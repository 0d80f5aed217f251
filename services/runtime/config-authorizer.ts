// Configuration of the authorizer of cards: which one there is, and how to reach it.

import { namesLoopback } from '../adapters/http/address-guard.ts'
import type { AuthorizerDecline } from '../core/transaction/authorizer-answer.ts'
import type { Apps } from './apps.ts'
import type { EnvironmentName } from './config-groups.ts'
import { ConfigError, optionalVariable, variable, type Values } from './env.ts'
import { oneOf, text, wholeNumber } from './env-values.ts'

const CARD_AUTHORIZERS = ['none', 'demo', 'http'] as const
/** PEM. */
const MAX_TEXT = 65_536

export const authorizerVariables = {
  CARD_AUTHORIZER: optionalVariable(oneOf(CARD_AUTHORIZERS), {
    description:
      'Who is asked for charges, and for cards of `REMOTE_CARD_RANGES`: `none` (declined with 91), `demo` (answers by card ' +
      'number, moves no money) or `http`. By default `demo` with the demo set, else `none`.',
  }),
  CARD_AUTHORIZER_URL: optionalVariable(text(2_048), {
    description:
      'Where it is reached; by https in production. Its interface: `services/adapters/card-authorizer/README.md`.',
  }),
  CARD_AUTHORIZER_AUTHORIZATION: optionalVariable(text(4_096), {
    secret: true,
    description: 'Value of the header `Authorization` there.',
  }),
  CARD_AUTHORIZER_CA: optionalVariable(text(MAX_TEXT), {
    secret: true,
    description: 'Its certificate authority, PEM.',
  }),
  CARD_AUTHORIZER_TIMEOUT_MS: variable(wholeNumber(50, 60_000), {
    fallback: '5000',
    description: 'How long one call to it may take, in milliseconds.',
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
    | {
        readonly kind: 'http'
        readonly url: string
        readonly deadlineMs: number
        readonly authorization?: string
        readonly ca?: string
      }
  )

/** @throws ConfigError for the demo in production, or an address that is missing or not safe. */
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
    case 'http': {
      const { CARD_AUTHORIZER_URL: url, CARD_AUTHORIZER_AUTHORIZATION: authorization, CARD_AUTHORIZER_CA: ca } = values
      if (url === undefined) throw new ConfigError(['CARD_AUTHORIZER_URL: is required when CARD_AUTHORIZER is http'])
      const problem = urlProblem(url, environment)
      if (problem !== null) throw new ConfigError([`CARD_AUTHORIZER_URL: ${problem}`])
      return {
        ...bounds,
        kind,
        url,
        deadlineMs: values.CARD_AUTHORIZER_TIMEOUT_MS,
        ...(authorization === undefined ? {} : { authorization }),
        ...(ca === undefined ? {} : { ca }),
      }
    }
  }
}

/** Card numbers travel there: in production by TLS only, unless it is on this machine. */
function urlProblem(value: string, environment: EnvironmentName): string | null {
  const url = URL.canParse(value) ? new URL(value) : null
  if (url === null || !/^https?:$/.test(url.protocol)) return 'must be an https:// URL'
  if (url.username !== '' || url.password !== '') return 'must not hold a user name or password'
  if (url.search !== '' || url.hash !== '') return 'must not have a query or a fragment'
  const plain = url.protocol === 'http:' && environment === 'production' && !namesLoopback(url)
  return plain ? 'must be https in production' : null
}
