// The delivery channel that is configured.

import { createDebugDelivery } from '../adapters/delivery/debug.ts'
import { createWebhookDelivery } from '../adapters/delivery/webhook.ts'
import { createWebhookEndpoint } from '../adapters/http/webhook-endpoint.ts'
import type { DeliveryChannel } from '../ports/delivery.ts'
import type { DeliveryConfig } from './config-delivery.ts'
import type { Logger } from './logging.ts'

export function openDelivery({ webhook, timeoutMs }: DeliveryConfig, log: Pick<Logger, 'warn'>): DeliveryChannel {
  if (webhook === undefined) return createDebugDelivery()
  return createWebhookDelivery({ endpoint: createWebhookEndpoint(webhook), timeoutMs, log })
}
