// Configuration of the command lines, which speak to the log and hash what they are given.

import { z } from 'zod'
import { holdsCardNumber } from '../core/card/mask.ts'
import type { KeyRingConfig } from '../adapters/keys/key-ring.ts'
import { DEMO_SET_FILE, readApps, type Apps } from './apps.ts'
import {
  commonOf,
  commonVariables,
  demoAppsVariables,
  httpVariables,
  kafkaOf,
  kafkaVariables,
  keysOf,
  keysVariables,
  type CommonConfig,
  type KafkaConfig,
} from './config-groups.ts'
import { optionalVariable, readEnv, type Environment } from './env.ts'

/** Who asks: goes into the event of what an operator does. The same form as `--operator`. */
export const operatorVariables = {
  OPERATOR: optionalVariable(
    z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/)
      .refine((text) => !holdsCardNumber(text), 'must not hold a card number'),
    {
      description:
        'Name of the operator who runs `npm run tokens`, unless --operator gives it. It stands in the event.',
    },
  ),
} as const

export const CLI_VARIABLES = {
  ENVIRONMENT: commonVariables.ENVIRONMENT,
  LOG_LEVEL: { ...commonVariables.LOG_LEVEL, fallback: 'warn' },
  HOST: commonVariables.HOST,
  SHUTDOWN_TIMEOUT_MS: commonVariables.SHUTDOWN_TIMEOUT_MS,
  REPLY_TIMEOUT_MS: httpVariables.REPLY_TIMEOUT_MS,
  ...kafkaVariables,
  ...demoAppsVariables,
  ...keysVariables,
} as const

export interface CliConfig extends CommonConfig {
  readonly replyTimeoutMs: number
  readonly kafka: KafkaConfig
  readonly apps?: Apps
  readonly keys: KeyRingConfig
}

/** @throws ConfigError */
export function readCliConfig(env: Environment): CliConfig {
  const values = readEnv(CLI_VARIABLES, env)
  const apps = values.APPS_FILE === undefined ? undefined : readApps(values.APPS_FILE, values.ENVIRONMENT)
  return {
    ...commonOf(values, env),
    replyTimeoutMs: values.REPLY_TIMEOUT_MS,
    kafka: kafkaOf(values),
    ...(apps === undefined ? {} : { apps }),
    keys: keysOf(values.KEYS, apps?.keys),
  }
}

/** Only the key ring: for what hashes a number and reads from files. @throws ConfigError */
export function readCliKeys(env: Environment): KeyRingConfig {
  const { ENVIRONMENT, APPS_FILE, KEYS } = readEnv(
    { ENVIRONMENT: commonVariables.ENVIRONMENT, ...demoAppsVariables, ...keysVariables },
    env,
  )
  const embedded = (env['KAFKA_BROKERS'] ?? '').trim() === '' && ENVIRONMENT !== 'production'
  const file = APPS_FILE ?? (embedded ? DEMO_SET_FILE : undefined)
  return keysOf(KEYS, file === undefined ? undefined : readApps(file, ENVIRONMENT).keys)
}
