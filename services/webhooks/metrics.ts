// What the webhooks service counts. Labels: names of subscriptions, and a bounded set of reasons.

import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { PostResult } from '../adapters/http/webhook-endpoint.ts'
import { boundedReasons } from '../runtime/metrics.ts'

/** Seconds, from a receiver nearby to the longest deadline. */
const SECONDS_BUCKETS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 30, 60]

export interface WebhookMetrics {
  attempt(subscription: string, result: PostResult, seconds: number): void
  event(subscription: string, outcome: 'delivered' | 'dead-letter' | 'repeat' | 'void' | 'malformed'): void
  inFlight(subscription: string, count: number): void
  up(subscription: string, isUp: boolean): void
}

/** @throws Error when the registry holds them already. */
export function createWebhookMetrics(registry: Registry): WebhookMetrics {
  const registers = [registry]
  const attempts = new Counter({
    name: 'webhook_attempts_total',
    help: 'Calls to receivers',
    labelNames: ['subscription', 'result'],
    registers,
  })
  const seconds = new Histogram({
    name: 'webhook_attempt_seconds',
    help: 'Time of a call to a receiver',
    labelNames: ['subscription'],
    buckets: SECONDS_BUCKETS,
    registers,
  })
  const events = new Counter({
    name: 'webhook_events_total',
    help: 'Events that need no delivery any more',
    labelNames: ['subscription', 'outcome'],
    registers,
  })
  const inFlight = new Gauge({
    name: 'webhook_in_flight',
    help: 'Events taken up and not delivered',
    labelNames: ['subscription'],
    registers,
  })
  const up = new Gauge({
    name: 'webhook_subscription_up',
    help: '0 once the receiver has answered 410, until the next start',
    labelNames: ['subscription'],
    registers,
  })
  const reason = boundedReasons()
  return {
    attempt: (subscription, result, took) => {
      attempts.inc({ subscription, result: reason(result.outcome === 'failed' ? result.reason : result.outcome) })
      seconds.observe({ subscription }, took)
    },
    event: (subscription, outcome) => events.inc({ subscription, outcome }),
    inFlight: (subscription, count) => inFlight.set({ subscription }, count),
    up: (subscription, isUp) => up.set({ subscription }, isUp ? 1 : 0),
  }
}
