// Metrics: they are exposed under conventional names, with labels from bounded sets.

import { describe, expect, it } from 'vitest'
import {
  createLogMetrics,
  createRegistry,
  createStoreMetrics,
  createWorkerMetrics,
} from '../../services/runtime/metrics.ts'

describe('the metrics of a process', () => {
  it('carry the service, and tell of the process itself', async () => {
    const text = await createRegistry('issuer').metrics()
    expect(text).toMatch(/process_cpu_seconds_total\{service="issuer"\}/)
    expect(text).toContain('nodejs_eventloop_lag_p99_seconds')
  })

  it('count what a worker, the log and the store tell', async () => {
    const registry = createRegistry('issuer')
    const worker = createWorkerMetrics(registry)
    worker.round(20, 0.003)
    worker.decided('TOKEN_PURCHASE', '55')
    worker.conflict()
    worker.retried('store')
    worker.deadLetter('no request')
    worker.inFlight(7)
    const log = createLogMetrics(registry)
    log({ kind: 'batch', topic: 'replies', records: 5, bytes: 900, seconds: 0.002, queued: 3 })
    log({ kind: 'publish-failed', topic: 'replies', reason: 'REQUEST_TIMED_OUT' })
    log({ kind: 'consumer-restarted', reason: 'crash' })
    const store = { generation: 4 }
    createStoreMetrics(registry, store)
    store.generation = 5
    const lines = (await registry.metrics()).split('\n')
    const expected = [
      'worker_round_transactions_sum{service="issuer"} 20',
      'worker_round_seconds_bucket{le="0.005",service="issuer"} 1',
      'worker_decisions_total{transaction_code="TOKEN_PURCHASE",code="55",service="issuer"} 1',
      'worker_conflicts_total{service="issuer"} 1',
      'worker_retries_total{reason="store",service="issuer"} 1',
      'worker_dead_letters_total{reason="no request",service="issuer"} 1',
      'worker_in_flight{service="issuer"} 7',
      'log_published_records_total{topic="replies",service="issuer"} 5',
      'log_published_bytes_total{topic="replies",service="issuer"} 900',
      'log_publish_failures_total{topic="replies",reason="REQUEST_TIMED_OUT",service="issuer"} 1',
      'log_queued_records{service="issuer"} 3',
      'log_consumer_restarts_total{reason="crash",service="issuer"} 1',
      'store_generation{service="issuer"} 5',
    ]
    for (const line of expected) expect(lines).toContain(line)
  })

  it('keep the reasons of a label bounded', async () => {
    const registry = createRegistry('issuer')
    const worker = createWorkerMetrics(registry)
    for (let i = 0; i < 1_000; i += 1) worker.deadLetter(`reason ${i % 100}`)
    const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith('worker_dead_letters_total{'))
    expect(lines).toHaveLength(21)
    expect(lines).toContain('worker_dead_letters_total{reason="other",service="issuer"} 800')
  })
})
