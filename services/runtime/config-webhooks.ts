// Configuration of the webhooks service. The subscriptions stand in a file that this names; reading it is the service's.

import type { Backoff } from './backoff.ts'
import {
  commonOf,
  commonVariables,
  kafkaOf,
  kafkaVariables,
  workerVariables,
  type CommonConfig,
  type KafkaConfig,
} from './config-groups.ts'
import { optionalVariable, readEnv, variable, type Environment } from './env.ts'
import { networkList, text, wholeNumber, yesOrNo } from './env-values.ts'

export const WEBHOOKS_VARIABLES = {
  ...commonVariables,
  HEALTH_PORT: workerVariables.HEALTH_PORT,
  ...kafkaVariables,
  WEBHOOKS_FILE: variable(text(4_096), { description: 'JSON file of the webhook subscriptions.' }),
  WEBHOOK_DEADLINE_MS: variable(wholeNumber(100, 120_000), {
    fallback: '15000',
    description: 'How long one call to a receiver may take, in milliseconds.',
  }),
  WEBHOOK_ATTEMPTS: variable(wholeNumber(1, 100), {
    fallback: '12',
    description: 'Calls for one event before it goes to `dead.letters`.',
  }),
  WEBHOOK_RETRY_FIRST_MS: variable(wholeNumber(1, 3_600_000), {
    fallback: '1000',
    description:
      'Before the second call for an event, in milliseconds; doubled for each further one, half of it drawn.',
  }),
  WEBHOOK_RETRY_MAX_MS: variable(wholeNumber(1, 86_400_000), {
    fallback: '600000',
    description: 'Longest wait between two calls for an event, in milliseconds.',
  }),
  WEBHOOK_CONCURRENCY: variable(wholeNumber(1, 256), {
    fallback: '8',
    description: 'Calls to one receiver at one time, for different subjects.',
  }),
  WEBHOOK_MAX_IN_FLIGHT: variable(wholeNumber(1, 10_000), {
    fallback: '200',
    description: 'Events of one subscription taken up and not delivered, beyond which it waits.',
  }),
  WEBHOOK_ALLOW_HTTP: variable(yesOrNo, {
    fallback: 'false',
    description: 'Receivers on other machines by plain HTTP. This machine may always be called by it.',
  }),
  WEBHOOK_ALLOWED_NETWORKS: optionalVariable(networkList, {
    description: 'Networks that receivers may be in although they are private: `10.1.0.0/16`, divided by commas.',
  }),
} as const

export interface WebhooksConfig extends CommonConfig {
  readonly healthPort?: number
  readonly kafka: KafkaConfig
  readonly file: string
  readonly deadlineMs: number
  readonly retry: Backoff
  readonly concurrency: number
  readonly maxInFlight: number
  readonly allowHttp: boolean
  readonly allowedNetworks: readonly string[]
}

/** @throws ConfigError */
export function readWebhooksConfig(env: Environment): WebhooksConfig {
  const values = readEnv(WEBHOOKS_VARIABLES, env)
  return {
    ...commonOf(values, env),
    ...(values.HEALTH_PORT === undefined ? {} : { healthPort: values.HEALTH_PORT }),
    kafka: kafkaOf(values),
    file: values.WEBHOOKS_FILE,
    deadlineMs: values.WEBHOOK_DEADLINE_MS,
    retry: {
      attempts: values.WEBHOOK_ATTEMPTS,
      firstMs: values.WEBHOOK_RETRY_FIRST_MS,
      maxMs: values.WEBHOOK_RETRY_MAX_MS,
    },
    concurrency: values.WEBHOOK_CONCURRENCY,
    maxInFlight: values.WEBHOOK_MAX_IN_FLIGHT,
    allowHttp: values.WEBHOOK_ALLOW_HTTP,
    allowedNetworks: values.WEBHOOK_ALLOWED_NETWORKS ?? [],
  }
}
