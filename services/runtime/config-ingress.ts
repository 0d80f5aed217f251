// Configuration of an ingress instance.

import type { KeyRingConfig } from '../adapters/keys/key-ring.ts'
import { readApps, type Apps } from './apps.ts'
import {
  appsVariables,
  commonOf,
  commonVariables,
  httpVariables,
  ingressVariables,
  kafkaOf,
  kafkaVariables,
  keysOf,
  keysVariables,
  redisOf,
  redisVariables,
  type CommonConfig,
  type KafkaConfig,
  type RedisConfig,
} from './config-groups.ts'
import { cardTokensOf, cardTokenVariables, remoteCardVariables, type CardTokenConfig } from './config-card-tokens.ts'
import { deliveryOf, deliveryVariables, type DeliveryConfig } from './config-delivery.ts'
import { readEnv, type Environment } from './env.ts'

export const INGRESS_VARIABLES = {
  ...commonVariables,
  ...httpVariables,
  ...deliveryVariables,
  ...ingressVariables,
  ...cardTokenVariables,
  ...remoteCardVariables,
  ...kafkaVariables,
  ...redisVariables,
  ...appsVariables,
  ...keysVariables,
} as const

export interface IngressConfig extends CommonConfig {
  readonly port: number
  readonly replyTimeoutMs: number
  readonly maxOpenCalls: number
  readonly publicUrl?: string
  readonly delivery: DeliveryConfig
  readonly replyPartition?: number
  readonly kafka: KafkaConfig
  readonly cardTokens: CardTokenConfig
  /** Leading digits of cards whose funds another authorizer holds. */
  readonly remoteCardRanges: readonly string[]
  /** Keeps the keys and codes of card tokens, and is asked whether it answers. */
  readonly redis: RedisConfig
  readonly apps: Apps
  readonly keys: KeyRingConfig
}

/** @throws ConfigError */
export function readIngressConfig(env: Environment): IngressConfig {
  const values = readEnv(INGRESS_VARIABLES, env)
  const apps = readApps(values.APPS_FILE, values.ENVIRONMENT)
  return {
    ...commonOf(values, env),
    port: values.PORT,
    replyTimeoutMs: values.REPLY_TIMEOUT_MS,
    maxOpenCalls: values.MAX_OPEN_CALLS,
    ...(values.PUBLIC_URL === undefined ? {} : { publicUrl: values.PUBLIC_URL }),
    delivery: deliveryOf(values, apps, values.ENVIRONMENT),
    ...(values.REPLY_PARTITION === undefined ? {} : { replyPartition: values.REPLY_PARTITION }),
    cardTokens: cardTokensOf(values),
    remoteCardRanges: values.REMOTE_CARD_RANGES ?? [],
    kafka: kafkaOf(values),
    redis: redisOf(values),
    apps,
    keys: keysOf(values.KEYS, apps.keys),
  }
}
