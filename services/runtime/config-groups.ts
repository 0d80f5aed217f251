// Groups of variables that several processes share, and what their values mean together.

import { MAX_CHECKPOINT_RECORDS } from '../audit/checkpoint.ts'
import { createKeyRing, KeyRingError, type KeyRingConfig } from '../adapters/keys/key-ring.ts'
import { DEFAULT_RULES, type Rules } from '../core/subject/rules.ts'
import { registryOf, wireVariables, type RegistryConfig } from './config-wire.ts'
import { keyRingShape, signingKeysShape } from './config-keys.ts'
import { ConfigError, optionalVariable, variable, type Environment, type Values } from './env.ts'
import {
  host,
  hostList,
  json,
  oneOf,
  pesos,
  port,
  publicUrl,
  redisUrl,
  text,
  wholeNumber,
  yesOrNo,
} from './env-values.ts'

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export const ENVIRONMENTS = ['development', 'production'] as const
export type EnvironmentName = (typeof ENVIRONMENTS)[number]

const SECOND_MS = 1_000
const DAY_MS = 86_400_000
const MINOR_PER_PESO = 100
/** Certificates and JSON. */
const MAX_TEXT = 65_536

export const commonVariables = {
  ENVIRONMENT: variable(oneOf(ENVIRONMENTS), {
    fallback: 'development',
    description: 'In `production` the demo set and variables that print secrets stop the start.',
  }),
  LOG_LEVEL: variable(oneOf(LOG_LEVELS), { fallback: 'info', description: 'Least important lines that are written.' }),
  HOST: variable(host, { fallback: '127.0.0.1', description: 'Address to listen at; `0.0.0.0` in a container.' }),
  SHUTDOWN_TIMEOUT_MS: variable(wholeNumber(0, 60_000), {
    fallback: '8000',
    description: 'How long what is under way may take after SIGTERM, in milliseconds.',
  }),
} as const

export const keysVariables = {
  KEYS: optionalVariable(json(keyRingShape), {
    secret: true,
    description: 'The key ring as JSON: `identity`, `token` and `seal` keys. Needed unless the demo set brings one.',
  }),
} as const

export const signingVariables = {
  SIGNING_KEYS: optionalVariable(json(signingKeysShape), {
    secret: true,
    description:
      'Ed25519 keys of the notary as JSON, newest first: `[{"id":"k1","key":"<32 bytes in base64>"}]`. The first one signs. Needed unless the demo set brings one.',
  }),
  AUDIT_PUBLIC_KEYS: optionalVariable(json(signingKeysShape), {
    description: 'Public keys of all checkpoints that are checked, as `npm run audit -- keys` prints them.',
  }),
} as const

export const notaryVariables = {
  CHECKPOINT_SECONDS: variable(wholeNumber(1, 86_400), {
    fallback: '10',
    description: 'How old a record may get before a checkpoint covers it.',
  }),
  CHECKPOINT_RECORDS: variable(wholeNumber(1, MAX_CHECKPOINT_RECORDS), {
    fallback: String(MAX_CHECKPOINT_RECORDS),
    description: 'Records of one checkpoint, of all partitions together; when there are so many it is signed at once.',
  }),
} as const

export const appsVariables = {
  APPS_FILE: variable(text(4_096), { description: 'JSON file of the clients and their apps.' }),
} as const

export const demoAppsVariables = {
  APPS_FILE: optionalVariable(text(4_096), { description: 'JSON file of the clients and their apps.' }),
} as const

export const kafkaVariables = {
  KAFKA_BROKERS: variable(hostList, { description: 'Brokers to begin with: `host:port`, divided by commas.' }),
  KAFKA_SSL: variable(yesOrNo, { fallback: 'false', description: 'TLS to the brokers.' }),
  KAFKA_SSL_CA: optionalVariable(text(MAX_TEXT), {
    secret: true,
    description: 'Certificate authority of the brokers, PEM.',
  }),
  KAFKA_SASL_MECHANISM: optionalVariable(oneOf(['plain', 'scram-sha-256', 'scram-sha-512']), {
    description: 'How to sign in at the brokers.',
  }),
  KAFKA_SASL_USERNAME: optionalVariable(text(256), { description: 'User name at the brokers.' }),
  KAFKA_SASL_PASSWORD: optionalVariable(text(1_024), { secret: true, description: 'Password at the brokers.' }),
  ...wireVariables,
} as const

export const redisVariables = {
  REDIS_URL: variable(redisUrl, {
    secret: true,
    description: 'Redis, with user name and password if needed; `rediss://` for TLS.',
  }),
  REDIS_CA: optionalVariable(text(MAX_TEXT), { secret: true, description: 'Certificate authority of Redis, PEM.' }),
  REDIS_COMMAND_TIMEOUT_MS: variable(wholeNumber(50, 60_000), {
    fallback: '2000',
    description: 'How long a round trip to Redis may take, in milliseconds.',
  }),
} as const

export const httpVariables = {
  PORT: variable(port, { fallback: '8080', description: 'Port of the HTTP service.' }),
  REPLY_TIMEOUT_MS: variable(wholeNumber(100, 120_000), {
    fallback: '15000',
    description: 'How long a call waits for its reply, in milliseconds.',
  }),
  MAX_OPEN_CALLS: variable(wholeNumber(1, 1_000_000), {
    fallback: '10000',
    description: 'Calls that wait for a reply at one time; more get 503.',
  }),
  PUBLIC_URL: optionalVariable(publicUrl, {
    description: "Where callers reach the service, for links in answers; as a call's `Host` says when absent.",
  }),
} as const

export const ingressVariables = {
  REPLY_PARTITION: optionalVariable(wholeNumber(0, 100_000), {
    description: 'Partition of `replies` of this instance; drawn at the start when absent.',
  }),
} as const

export const workerVariables = {
  HEALTH_PORT: optionalVariable(port, { description: 'Port of health and metrics of a worker; none when absent.' }),
  BATCH_RECORDS: variable(wholeNumber(1, 5_000), {
    fallback: '200',
    description: 'Transactions decided in one round.',
  }),
  MAX_IN_FLIGHT: variable(wholeNumber(1, 100_000), {
    fallback: '1000',
    description: 'Requests taken up and not finished, beyond which the reader waits.',
  }),
} as const

export const rulesVariables = {
  TOKEN_DIGITS: variable(wholeNumber(6, 10), {
    fallback: String(DEFAULT_RULES.tokenDigits),
    description: 'Digits of a token bound to a document or card.',
  }),
  MAX_LIVE_TOKENS: variable(wholeNumber(1, 50), {
    fallback: String(DEFAULT_RULES.maxLiveTokens),
    description: 'Live tokens of one subject; one more is declined with 65.',
  }),
  WRONG_TOKENS_TO_LOCK: variable(wholeNumber(1, 100), {
    fallback: String(DEFAULT_RULES.wrongTokensToLock),
    description: 'Wrong tokens in the window that lock a subject.',
  }),
  GUARD_WINDOW_SECONDS: variable(wholeNumber(1, 86_400), {
    fallback: String(DEFAULT_RULES.guardWindowMs / SECOND_MS),
    description: 'Sliding window in which wrong tokens count.',
  }),
  LOCK_SECONDS: variable(wholeNumber(1, 86_400), {
    fallback: String(DEFAULT_RULES.lockMs / SECOND_MS),
    description: 'How long a subject is locked.',
  }),
  TERMINAL_WRONG_TOKENS: variable(wholeNumber(1, 1_000_000), {
    fallback: String(DEFAULT_RULES.terminalWrongTokens),
    description: 'Wrong tokens of one terminal in its window; beyond it 65.',
  }),
  TERMINAL_WINDOW_SECONDS: variable(wholeNumber(1, 86_400), {
    fallback: String(DEFAULT_RULES.terminalWindowMs / SECOND_MS),
    description: 'Fixed window of that limit.',
  }),
  MAX_AMOUNT: variable(pesos, {
    fallback: String(DEFAULT_RULES.maxAmountMinor / MINOR_PER_PESO),
    description: 'Largest transaction, in pesos; beyond it 61.',
  }),
  WITHDRAWAL_NOTE: variable(pesos, {
    fallback: String(DEFAULT_RULES.withdrawalNoteMinor / MINOR_PER_PESO),
    description: 'A withdrawal is a multiple of this, in pesos; else 13.',
  }),
  OUTCOME_RETENTION_DAYS: variable(wholeNumber(1, 400), {
    fallback: String(DEFAULT_RULES.outcomeRetentionMs / DAY_MS),
    description: 'How long a transaction consecutive is remembered.',
  }),
  CHARGE_RETENTION_DAYS: variable(wholeNumber(1, 3_660), {
    fallback: String(DEFAULT_RULES.chargeRetentionMs / DAY_MS),
    description: 'How long a charge is remembered: shown, and open to refunds. Not less than `OUTCOME_RETENTION_DAYS`.',
  }),
} as const

/** The rules that these variables set. @throws ConfigError when they contradict each other. */
export function rulesOf(values: Values<typeof rulesVariables>): Rules {
  if (values.CHARGE_RETENTION_DAYS < values.OUTCOME_RETENTION_DAYS) {
    throw new ConfigError(['CHARGE_RETENTION_DAYS: must not be less than OUTCOME_RETENTION_DAYS'])
  }
  return {
    tokenDigits: values.TOKEN_DIGITS,
    terminalTokenDigits: DEFAULT_RULES.terminalTokenDigits,
    maxLiveTokens: values.MAX_LIVE_TOKENS,
    wrongTokensToLock: values.WRONG_TOKENS_TO_LOCK,
    guardWindowMs: values.GUARD_WINDOW_SECONDS * SECOND_MS,
    lockMs: values.LOCK_SECONDS * SECOND_MS,
    terminalWrongTokens: values.TERMINAL_WRONG_TOKENS,
    terminalWindowMs: values.TERMINAL_WINDOW_SECONDS * SECOND_MS,
    maxAmountMinor: values.MAX_AMOUNT,
    withdrawalNoteMinor: values.WITHDRAWAL_NOTE,
    outcomeRetentionMs: values.OUTCOME_RETENTION_DAYS * DAY_MS,
    chargeRetentionMs: values.CHARGE_RETENTION_DAYS * DAY_MS,
  }
}

/** How to reach the brokers, in the form that the Kafka adapter takes. */
export interface KafkaConfig {
  readonly brokers: readonly string[]
  readonly ssl?: true | { readonly ca: string }
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
    readonly username: string
    readonly password: string
  }
  /** Absent: values stand in single-object encoding, and are read in no other. */
  readonly registry?: RegistryConfig
}

/** @throws ConfigError when half of a sign-in is given, an authority without TLS, or a format without its registry. */
export function kafkaOf(values: Values<typeof kafkaVariables>): KafkaConfig {
  const {
    KAFKA_BROKERS: brokers,
    KAFKA_SSL: ssl,
    KAFKA_SSL_CA: ca,
    KAFKA_SASL_MECHANISM: mechanism,
    KAFKA_SASL_USERNAME: username,
    KAFKA_SASL_PASSWORD: password,
  } = values
  if (ca !== undefined && !ssl) throw new ConfigError(['KAFKA_SSL: must be true when KAFKA_SSL_CA is set'])
  const tls = ssl ? { ssl: ca === undefined ? (true as const) : { ca } } : {}
  const registry = registryOf(values)
  const common = { brokers, ...tls, ...(registry ? { registry } : {}) }
  if (mechanism === undefined && username === undefined && password === undefined) return common
  if (mechanism === undefined || username === undefined || password === undefined) {
    throw new ConfigError(['KAFKA_SASL_MECHANISM: is needed together with KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD'])
  }
  return { ...common, sasl: { mechanism, username, password } }
}

export interface RedisConfig {
  readonly url: string
  readonly ca?: string
  readonly commandTimeoutMs: number
}

export function redisOf(values: Values<typeof redisVariables>): RedisConfig {
  const ca = values.REDIS_CA === undefined ? {} : { ca: values.REDIS_CA }
  return { url: values.REDIS_URL, commandTimeoutMs: values.REDIS_COMMAND_TIMEOUT_MS, ...ca }
}

/** What every process has. */
export interface CommonConfig {
  readonly environment: EnvironmentName
  readonly logLevel: (typeof LOG_LEVELS)[number]
  readonly host: string
  readonly shutdownTimeoutMs: number
}

/** @throws ConfigError in production when a variable is set that makes a library print what it sends. */
export function commonOf(values: Values<typeof commonVariables>, env: Environment): CommonConfig {
  if (values.ENVIRONMENT === 'production') refusePrinters(env)
  return {
    environment: values.ENVIRONMENT,
    logLevel: values.LOG_LEVEL,
    host: values.HOST,
    shutdownTimeoutMs: values.SHUTDOWN_TIMEOUT_MS,
  }
}

/** Variables by which libraries and Node print commands, records or headers. */
function refusePrinters(env: Environment): void {
  const printers = [
    ...(/ioredis|\*/.test(env['DEBUG'] ?? '') ? ['DEBUG'] : []),
    ...['KAFKAJS_DEBUG_PROTOCOL_BUFFERS', 'NODE_DEBUG'].filter((name) => (env[name] ?? '').trim() !== ''),
  ]
  if (printers.length === 0) return
  throw new ConfigError(printers.map((name) => `${name}: must not be set in production, since it prints what is sent`))
}

/**
 * The ring of this process: the configured one, else that of the demo set. @throws ConfigError without either, or when
 * no ring can be made of it.
 */
export function keysOf(keys: KeyRingConfig | undefined, demo: KeyRingConfig | undefined): KeyRingConfig {
  const ring = keys ?? demo
  if (ring === undefined) throw new ConfigError(['KEYS: is required'])
  try {
    createKeyRing(ring)
  } catch (error) {
    if (error instanceof KeyRingError) throw new ConfigError([`${keys ? 'KEYS' : 'APPS_FILE.keys'}: ${error.message}`])
    throw error
  }
  return ring
}
