// Configuration of the command lines, which speak to the log and hash what they are given.

import type { KeyRingConfig } from '../adapters/keys/key-ring.ts'
import { readApps, type Apps } from './apps.ts'
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
import { readEnv, type Environment } from './env.ts'

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
