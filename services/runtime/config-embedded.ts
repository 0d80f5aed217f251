// Configuration of embedded mode: everything in one process on memory, with the demo set unless told otherwise.

import type { KeyRingConfig } from '../adapters/keys/key-ring.ts'
import type { Rules } from '../core/subject/rules.ts'
import { DEMO_SET_FILE, readApps, type Apps } from './apps.ts'
import {
  commonOf,
  commonVariables,
  demoAppsVariables,
  httpVariables,
  keysOf,
  keysVariables,
  rulesOf,
  notaryVariables,
  rulesVariables,
  signingVariables,
  workerVariables,
  type CommonConfig,
} from './config-groups.ts'
import { authorizerOf, authorizerVariables, type AuthorizerConfig } from './config-authorizer.ts'
import { cardTokensOf, cardTokenVariables, remoteCardVariables, type CardTokenConfig } from './config-card-tokens.ts'
import { signingOf, type SigningConfig } from './config-audit.ts'
import { deliveryOf, deliveryVariables, type DeliveryConfig } from './config-delivery.ts'
import { readEnv, type Environment } from './env.ts'

export const EMBEDDED_VARIABLES = {
  ...commonVariables,
  LOG_LEVEL: { ...commonVariables.LOG_LEVEL, fallback: 'warn' },
  ...httpVariables,
  ...cardTokenVariables,
  ...remoteCardVariables,
  ...deliveryVariables,
  BATCH_RECORDS: workerVariables.BATCH_RECORDS,
  MAX_IN_FLIGHT: workerVariables.MAX_IN_FLIGHT,
  ...authorizerVariables,
  ...demoAppsVariables,
  ...keysVariables,
  SIGNING_KEYS: signingVariables.SIGNING_KEYS,
  ...notaryVariables,
  ...rulesVariables,
} as const

export interface EmbeddedConfig extends CommonConfig {
  readonly port: number
  readonly replyTimeoutMs: number
  readonly maxOpenCalls: number
  readonly publicUrl?: string
  readonly delivery: DeliveryConfig
  readonly batchRecords: number
  readonly maxInFlight: number
  readonly authorizer: AuthorizerConfig
  readonly cardTokens: CardTokenConfig
  /** Leading digits of cards whose funds another authorizer holds. */
  readonly remoteCardRanges: readonly string[]
  readonly apps: Apps
  readonly keys: KeyRingConfig
  readonly rules: Rules
  /** Absent: nothing is signed, since there is no key to sign with. */
  readonly notary?: SigningConfig
}

/** @throws ConfigError */
export function readEmbeddedConfig(env: Environment): EmbeddedConfig {
  const values = readEnv(EMBEDDED_VARIABLES, env)
  const apps = readApps(values.APPS_FILE ?? DEMO_SET_FILE, values.ENVIRONMENT)
  return {
    ...commonOf(values, env),
    port: values.PORT,
    replyTimeoutMs: values.REPLY_TIMEOUT_MS,
    maxOpenCalls: values.MAX_OPEN_CALLS,
    ...(values.PUBLIC_URL === undefined ? {} : { publicUrl: values.PUBLIC_URL }),
    delivery: deliveryOf(values, apps, values.ENVIRONMENT),
    batchRecords: values.BATCH_RECORDS,
    maxInFlight: values.MAX_IN_FLIGHT,
    authorizer: authorizerOf(values, apps, values.ENVIRONMENT),
    cardTokens: cardTokensOf(values),
    remoteCardRanges: values.REMOTE_CARD_RANGES ?? [],
    apps,
    keys: keysOf(values.KEYS, apps.keys),
    rules: rulesOf(values),
    ...(values.SIGNING_KEYS || apps.signingKeys ? { notary: signingOf(values, apps) } : {}),
  }
}
