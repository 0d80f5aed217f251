// What the edge counts. Labels are bounded sets: route patterns, statuses, response codes; never anything of a caller.

import { Counter, Histogram, type Registry } from 'prom-client'
import { readGauge } from '../runtime/metrics.ts'

/** Seconds; the upper ones are about the default deadline of 15 s. */
const DURATION_BUCKETS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 16]

export interface IngressMetrics {
  response(route: string, status: number, responseCode: string, seconds: number): void
  openCalls(count: number): void
  /** A reply for which no call waits: its call is over, or was another instance's. */
  lateReply(): void
  /** A record on `replies` that is no reply. */
  malformedReply(): void
}

/** Registers the edge's metrics. @throws Error when the registry holds them already. */
export function createIngressMetrics(registry: Registry): IngressMetrics {
  const registers = [registry]
  const responses = new Counter({
    name: 'ingress_responses_total',
    help: 'HTTP responses',
    labelNames: ['route', 'status', 'code'],
    registers,
  })
  const durations = new Histogram({
    name: 'ingress_response_seconds',
    help: 'Time to respond',
    labelNames: ['route'],
    buckets: DURATION_BUCKETS,
    registers,
  })
  let open = 0
  readGauge({ name: 'ingress_open_calls', help: 'Calls that wait for a reply', registers }, () => open)
  const late = new Counter({ name: 'ingress_replies_late_total', help: 'Replies for which no call waits', registers })
  const malformed = new Counter({
    name: 'ingress_replies_malformed_total',
    help: 'Records that are no reply',
    registers,
  })
  return {
    response: (route, status, code, seconds) => {
      responses.inc({ route, status, code })
      durations.observe({ route }, seconds)
    },
    openCalls: (count) => {
      open = count
    },
    lateReply: () => late.inc(),
    malformedReply: () => malformed.inc(),
  }
}
