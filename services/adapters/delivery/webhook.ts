// Delivers tokens by signed webhook: some attempts within one deadline. What is sent is never logged, nor is the answer.

import { setTimeout as sleep } from 'node:timers/promises'
import type { DeliveryChannel, TokenMessage } from '../../ports/delivery.ts'
import type { PostResult, WebhookEndpoint } from '../http/webhook-endpoint.ts'

export interface WebhookDeliveryOptions {
  readonly endpoint: WebhookEndpoint
  /** For all attempts together. Milliseconds. */
  readonly timeoutMs: number
  readonly log: { warn(fields: object, message: string): void }
  /** Unix milliseconds. */
  readonly now?: () => number
}

const MAX_ATTEMPTS = 4
/** Before the second attempt; twice as long before each later one. */
const FIRST_PAUSE_MS = 100
/** Part of the deadline that one attempt may take, so that a receiver that hangs is asked a second time. */
const ATTEMPT_SHARE = 0.5
/** Statuses that say that the same message may be taken another time, besides those from 500 on. */
const RETRYABLE: ReadonlySet<number> = new Set([408, 425, 429])
const MINOR_PER_PESO = 100

export function createWebhookDelivery(options: WebhookDeliveryOptions): DeliveryChannel {
  const { endpoint, timeoutMs, log, now = Date.now } = options
  return {
    key: 'webhook',
    name: 'Mensaje al usuario',
    deliver: async (message) => {
      const deadline = performance.now() + timeoutMs
      const body = bodyOf(message, now())
      for (let attempt = 1, pauseMs = FIRST_PAUSE_MS; ; attempt += 1, pauseMs *= 2) {
        const left = Math.max(1, deadline - performance.now())
        const deadlineMs = Math.ceil(attempt === MAX_ATTEMPTS ? left : Math.min(left, timeoutMs * ATTEMPT_SHARE))
        const result = await endpoint.post({ id: message.id, body }, { deadlineMs })
        if (result.outcome === 'delivered') return true
        const waitMs = Math.max(pauseMs, result.outcome === 'failed' ? (result.retryAfterMs ?? 0) : 0)
        const over = attempt === MAX_ATTEMPTS || performance.now() + waitMs >= deadline
        if (over || !mayHelp(result)) {
          log.warn({ reason: result.outcome === 'failed' ? result.reason : result.outcome, attempt }, 'not delivered')
          return false
        }
        await sleep(waitMs)
      }
    },
    close: () => endpoint.close(),
  }
}

/** Whether another attempt may go better. */
function mayHelp(result: PostResult): boolean {
  if (result.outcome !== 'failed') return false
  return result.status === undefined || result.status >= 500 || RETRYABLE.has(result.status)
}

/** Type, time and data, as the Standard Webhooks specification proposes. Amounts in pesos. */
function bodyOf(message: TokenMessage, now: number): string {
  const { clientId, appKey, document, token, expiresAt, amountMinor, accountType, metadata, tags } = message
  return JSON.stringify({
    type: 'token.send',
    timestamp: new Date(now).toISOString(),
    data: {
      clientId,
      appKey,
      docType: document.type,
      docNumber: document.number,
      token,
      expiresAt: new Date(expiresAt).toISOString(),
      ...(amountMinor === undefined ? {} : { amount: amountMinor / MINOR_PER_PESO }),
      ...(accountType === undefined ? {} : { accountType }),
      ...(metadata === undefined ? {} : { metadata }),
      ...(tags === undefined ? {} : { tags }),
    },
  })
}
