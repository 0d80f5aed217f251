// One event to one receiver: its message, one call, and what the answer means to whoever tries again.

import { createHash } from 'node:crypto'
import { createWebhookEndpoint, type PostResult, type WebhookMessage } from '../adapters/http/webhook-endpoint.ts'
import type { AddressRules } from '../adapters/http/address-guard.ts'
import { HandlerError, StopConsumingError } from '../consumer/handler.ts'
import type { PublicEvent } from '../consumer/public-event.ts'
import type { Subscription } from './subscriptions.ts'

/** Of the hash in a message's id: enough that no two events share one. */
const ID_LENGTH = 27

export interface DeliveryOptions extends AddressRules {
  /** For one call, milliseconds. */
  readonly deadlineMs: number
  /** Calls at one time. */
  readonly concurrency: number
  /** Told of each call. */
  readonly onAttempt?: (result: PostResult, seconds: number) => void
}

export interface Delivery {
  /**
   * Resolves when the receiver has taken the event. @throws HandlerError when it has not, and may later;
   * StopConsumingError when it wants no more.
   */
  deliver(event: PublicEvent, signal: AbortSignal): Promise<void>
  close(): void
}

/** @throws RangeError for a URL or a secret that may not be used. */
export function createDelivery(subscription: Subscription, options: DeliveryOptions): Delivery {
  const { deadlineMs, concurrency, onAttempt } = options
  const { url, secrets } = subscription
  const endpoint = createWebhookEndpoint({ ...options, url, secrets, maxSockets: concurrency })
  return {
    deliver: async (event, signal) => {
      const begin = performance.now()
      const result = await endpoint.post(messageOf(event), { deadlineMs, signal })
      onAttempt?.(result, (performance.now() - begin) / 1_000)
      if (result.outcome === 'gone') throw new StopConsumingError('the receiver is gone (410)')
      if (result.outcome === 'failed') throw new HandlerError(result.reason, { retryAfterMs: result.retryAfterMs })
    },
    close: () => endpoint.close(),
  }
}

/** `{type, timestamp, data}` (Standard Webhooks, "Payload structure"). Equal for every delivery of an event. */
export function messageOf(event: PublicEvent): WebhookMessage {
  const { type, time, ...data } = event
  return { id: messageIdOf(event), body: JSON.stringify({ type, timestamp: time, data }) }
}

/** The event's id as a word without full stops, which divide what is signed. */
export function messageIdOf({ id }: Pick<PublicEvent, 'id'>): string {
  return `evt_${createHash('sha256').update(id).digest('base64url').slice(0, ID_LENGTH)}`
}
