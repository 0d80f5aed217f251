// Configuration of a worker: the issuer and the authorizer are told the same.

import type { KeyRingConfig } from '../adapters/keys/key-ring.ts'
import type { Rules } from '../core/subject/rules.ts'
import { readApps } from './apps.ts'
import {
  commonOf,
  commonVariables,
  demoAppsVariables,
  kafkaOf,
  kafkaVariables,
  keysOf,
  keysVariables,
  redisOf,
  redisVariables,
  rulesOf,
  rulesVariables,
  workerVariables,
  type CommonConfig,
  type KafkaConfig,
  type RedisConfig,
} from './config-groups.ts'
import { authorizerOf, authorizerVariables, type AuthorizerConfig } from './config-authorizer.ts'
import { readEnv, type Environment } from './env.ts'

export const WORKER_VARIABLES = {
  ...commonVariables,
  ...workerVariables,
  ...authorizerVariables,
  ...kafkaVariables,
  ...redisVariables,
  ...demoAppsVariables,
  ...keysVariables,
  ...rulesVariables,
} as const

export interface WorkerConfig extends CommonConfig {
  /** Absent: no health and no metrics are served. */
  readonly healthPort?: number
  readonly batchRecords: number
  readonly maxInFlight: number
  readonly authorizer: AuthorizerConfig
  readonly kafka: KafkaConfig
  readonly redis: RedisConfig
  readonly keys: KeyRingConfig
  readonly rules: Rules
}

/** @throws ConfigError */
export function readWorkerConfig(env: Environment): WorkerConfig {
  const values = readEnv(WORKER_VARIABLES, env)
  const apps = values.APPS_FILE === undefined ? undefined : readApps(values.APPS_FILE, values.ENVIRONMENT)
  return {
    ...commonOf(values, env),
    ...(values.HEALTH_PORT === undefined ? {} : { healthPort: values.HEALTH_PORT }),
    batchRecords: values.BATCH_RECORDS,
    maxInFlight: values.MAX_IN_FLIGHT,
    authorizer: authorizerOf(values, apps, values.ENVIRONMENT),
    kafka: kafkaOf(values),
    redis: redisOf(values),
    keys: keysOf(values.KEYS, apps?.keys),
    rules: rulesOf(values),
  }
}
