// All subscriptions at once, each a consumer group of its own: a receiver that is slow, dead or gone holds up nobody else.

import type { AddressRules } from '../adapters/http/address-guard.ts'
import { startConsumer, type Consumer } from '../consumer/group-consumer.ts'
import { StopConsumingError } from '../consumer/handler.ts'
import type { Log } from '../ports/log.ts'
import type { Wire } from '../ports/wire.ts'
import type { Backoff } from '../runtime/backoff.ts'
import type { Logger } from '../runtime/logging.ts'
import { createDelivery } from './delivery.ts'
import type { WebhookMetrics } from './metrics.ts'
import { wants, type Subscription } from './subscriptions.ts'

/** Consumer groups are named by it and the subscription. */
export const GROUP_PREFIX = 'webhooks.'

export interface WebhooksOptions extends AddressRules {
  readonly log: Log
  readonly wire: Wire
  readonly subscriptions: readonly Subscription[]
  readonly deadlineMs: number
  readonly retry: Backoff
  readonly concurrency: number
  readonly maxInFlight: number
  readonly metrics: WebhookMetrics
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
}

export interface Webhooks {
  /** Takes no more, ends calls within `timeoutMs`. What is not delivered comes again after the next start. */
  stop(timeoutMs: number): Promise<void>
  /** Rejects when a subscription ended for another reason than its receiver's 410. */
  readonly failed: Promise<never>
}

/** Resolves when every group was joined. @throws LogError */
export async function startWebhooks(options: WebhooksOptions): Promise<Webhooks> {
  const { promise: failed, reject } = Promise.withResolvers<never>()
  failed.catch(() => undefined)
  const starting = options.subscriptions.map((subscription) => startSubscription(subscription, options, reject))
  const started = await Promise.allSettled(starting)
  const running = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const stop = async (timeoutMs: number) => void (await Promise.all(running.map((one) => one.stop(timeoutMs))))
  const refused = started.find((result) => result.status === 'rejected')
  if (refused) {
    await stop(0)
    throw refused.reason
  }
  return { failed, stop }
}

async function startSubscription(
  subscription: Subscription,
  options: WebhooksOptions,
  fail: (error: unknown) => void,
): Promise<Pick<Consumer, 'stop'>> {
  const { log, wire, retry, concurrency, maxInFlight, metrics, logger } = options
  const { name, start } = subscription
  const fields = { subscription: name }
  const group = `${GROUP_PREFIX}${name}`
  const delivery = createDelivery(subscription, {
    ...options,
    onAttempt: (result, seconds) => metrics.attempt(name, result, seconds),
  })
  let failing = false
  const consumer = await startConsumer({
    log,
    wire,
    group,
    start,
    retry,
    concurrency,
    maxInFlight,
    // Every subscription would bury the same one.
    onMalformed: 'pass-over',
    wanted: (event) => wants(subscription, event),
    handle: (event, { signal }) => delivery.deliver(event, signal),
    observer: {
      handled: () => {
        metrics.event(name, 'delivered')
        if (failing) logger.info(fields, 'the receiver takes events again')
        failing = false
      },
      // Once for each time that it begins to fail: a dead receiver fails for every event.
      failed: (_event, reason) => {
        if (!failing) logger.warn({ ...fields, reason }, 'the receiver does not take an event: trying again')
        failing = true
      },
      dropped: (why) => metrics.event(name, why),
      deadLettered: (reason) => {
        metrics.event(name, 'dead-letter')
        logger.error({ ...fields, reason }, 'an event went to the dead letters')
      },
      inFlight: (count) => metrics.inFlight(name, count),
    },
  })
  metrics.up(name, true)
  logger.info({ ...fields, group }, 'delivering')
  const stop = async (timeoutMs: number) => {
    await consumer.stop(timeoutMs)
    delivery.close()
  }
  consumer.failed.catch((error: unknown) => {
    if (!(error instanceof StopConsumingError)) return fail(error)
    metrics.up(name, false)
    logger.error({ ...fields, reason: error.message }, 'no more deliveries until the next start: nothing is lost')
    return stop(0)
  })
  return { stop }
}
