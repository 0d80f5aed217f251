// Configuration of the channel that takes tokens to their users: a webhook, or nothing but the answer.

import { z } from 'zod'
import { networks, urlProblem } from '../adapters/http/address-guard.ts'
import { isWebhookSecret } from '../adapters/http/webhook-endpoint.ts'
import type { Apps } from './apps.ts'
import type { EnvironmentName } from './config-groups.ts'
import { ConfigError, optionalVariable, variable, type Values } from './env.ts'
import { text, wholeNumber } from './env-values.ts'

const MAX_NETWORKS = 32
const MAX_SECRETS = 4

const listOf = (max: number) => z.string().transform((value) => value.split(',', max + 1).map((part) => part.trim()))

const secrets = listOf(MAX_SECRETS).refine((parts) => parts.length <= MAX_SECRETS && parts.every(isWebhookSecret), {
  message: `must be 1 to ${MAX_SECRETS} of whsec_ and 24 to 64 bytes in base64, divided by commas`,
})

const networkList = listOf(MAX_NETWORKS).refine((parts) => parts.length <= MAX_NETWORKS && areNetworks(parts), {
  message: `must be 1 to ${MAX_NETWORKS} of address/bits, divided by commas`,
})

export const deliveryVariables = {
  DELIVERY_URL: optionalVariable(text(2_048), {
    description:
      'Where tokens that an Aspen app sends are posted to, to be handed to their users; nowhere when absent.',
  }),
  DELIVERY_SECRET: optionalVariable(secrets, {
    secret: true,
    description: 'Signs these posts: `whsec_…` (Standard Webhooks), newest first, divided by commas.',
  }),
  DELIVERY_TIMEOUT_MS: variable(wholeNumber(100, 30_000), {
    fallback: '5000',
    description: 'How long a delivery may take, all attempts together, in milliseconds.',
  }),
  DELIVERY_NETWORKS: optionalVariable(networkList, {
    description: 'Private networks that may be posted to: `10.1.0.0/16`, divided by commas.',
  }),
} as const

export interface DeliveryConfig {
  /** Absent: tokens are delivered nowhere. */
  readonly webhook?: {
    readonly url: string
    readonly secrets: readonly string[]
    readonly allowedNetworks: readonly string[]
  }
  readonly timeoutMs: number
}

/** @throws ConfigError for half a webhook, a URL that may not be called, or production apps without a webhook. */
export function deliveryOf(
  values: Values<typeof deliveryVariables>,
  apps: Apps,
  environment: EnvironmentName,
): DeliveryConfig {
  const { DELIVERY_URL: url, DELIVERY_SECRET: secretList, DELIVERY_TIMEOUT_MS: timeoutMs } = values
  const allowedNetworks = values.DELIVERY_NETWORKS ?? []
  if (url === undefined) {
    if (secretList !== undefined) throw new ConfigError(['DELIVERY_URL: is needed together with DELIVERY_SECRET'])
    const lost = apps.aspen.some((app) => app.enabled && !app.debugMode && app.permissions.includes('send'))
    if (environment === 'production' && lost) {
      throw new ConfigError(['DELIVERY_URL: is required, since an Aspen app may send tokens and is not shown them'])
    }
    return { timeoutMs }
  }
  if (secretList === undefined) throw new ConfigError(['DELIVERY_SECRET: is required together with DELIVERY_URL'])
  const problem = urlProblem(url, { allowedNetworks })
  if (problem !== null) throw new ConfigError([`DELIVERY_URL: ${problem}`])
  return { webhook: { url, secrets: secretList, allowedNetworks }, timeoutMs }
}

function areNetworks(parts: readonly string[]): boolean {
  try {
    networks(parts)
    return true
  } catch {
    return false
  }
}
