// Configuration of the notary and of those who check what it signed.

import type { KeyConfig, KeyRingError } from '../adapters/keys/key-ring.ts'
import { createSignatureVerifier, createSigner, publicKeysOf } from '../adapters/keys/signing.ts'
import { DEMO_SET_FILE, readApps, type Apps } from './apps.ts'
import {
  commonOf,
  commonVariables,
  demoAppsVariables,
  kafkaOf,
  kafkaVariables,
  notaryVariables,
  signingVariables,
  workerVariables,
  type CommonConfig,
  type KafkaConfig,
} from './config-groups.ts'
import { ConfigError, readEnv, type Environment, type Values } from './env.ts'

export const NOTARY_VARIABLES = {
  ...commonVariables,
  HEALTH_PORT: workerVariables.HEALTH_PORT,
  ...kafkaVariables,
  ...demoAppsVariables,
  SIGNING_KEYS: signingVariables.SIGNING_KEYS,
  ...notaryVariables,
} as const

export const AUDIT_VARIABLES = {
  ENVIRONMENT: commonVariables.ENVIRONMENT,
  ...demoAppsVariables,
  ...signingVariables,
} as const

/** What and how often a notary signs. */
export interface SigningConfig {
  /** Newest first. */
  readonly signingKeys: readonly KeyConfig[]
  /** Milliseconds. */
  readonly intervalMs: number
  readonly maxRecords: number
}

export interface NotaryConfig extends CommonConfig, SigningConfig {
  readonly healthPort?: number
  readonly kafka: KafkaConfig
}

/** @throws ConfigError */
export function readNotaryConfig(env: Environment): NotaryConfig {
  const values = readEnv(NOTARY_VARIABLES, env)
  const apps = values.APPS_FILE === undefined ? undefined : readApps(values.APPS_FILE, values.ENVIRONMENT)
  return {
    ...commonOf(values, env),
    ...(values.HEALTH_PORT === undefined ? {} : { healthPort: values.HEALTH_PORT }),
    kafka: kafkaOf(values),
    ...signingOf(values, apps),
  }
}

/** With the configured keys, else those of the demo set. @throws ConfigError */
export function signingOf(
  values: Values<typeof notaryVariables & Pick<typeof signingVariables, 'SIGNING_KEYS'>>,
  demo: Pick<Apps, 'signingKeys'> | undefined,
): SigningConfig {
  const found = values.SIGNING_KEYS ?? demo?.signingKeys
  if (!found) throw new ConfigError(['SIGNING_KEYS: is required. `npm run audit -- keys --new k1` makes one'])
  return {
    signingKeys: usable('SIGNING_KEYS', found, createSigner),
    intervalMs: values.CHECKPOINT_SECONDS * 1_000,
    maxRecords: values.CHECKPOINT_RECORDS,
  }
}

/**
 * The public keys that signatures are checked with: AUDIT_PUBLIC_KEYS, else those of SIGNING_KEYS, else the demo's.
 * @throws ConfigError
 */
export function readPublicKeys(env: Environment): readonly KeyConfig[] {
  const values = readEnv(AUDIT_VARIABLES, env)
  if (values.AUDIT_PUBLIC_KEYS) return usable('AUDIT_PUBLIC_KEYS', values.AUDIT_PUBLIC_KEYS, createSignatureVerifier)
  if (values.SIGNING_KEYS) return publicKeysOf(usable('SIGNING_KEYS', values.SIGNING_KEYS, createSigner))
  const embedded = (env['KAFKA_BROKERS'] ?? '').trim() === '' && values.ENVIRONMENT !== 'production'
  const file = values.APPS_FILE ?? (embedded ? DEMO_SET_FILE : undefined)
  const demo = file === undefined ? undefined : readApps(file, values.ENVIRONMENT).signingKeys
  if (demo) return publicKeysOf(demo)
  throw new ConfigError([
    'AUDIT_PUBLIC_KEYS: is required: what `npm run audit -- keys` prints where SIGNING_KEYS is set. For a demo set APPS_FILE instead',
  ])
}

function usable<K extends readonly KeyConfig[]>(name: string, keys: K, make: (keys: K) => unknown): K {
  try {
    make(keys)
    return keys
  } catch (error) {
    throw new ConfigError([`${name}: ${(error as KeyRingError).message}`])
  }
}
