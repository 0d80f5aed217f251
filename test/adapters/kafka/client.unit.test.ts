// The parts of the Kafka adapter that need no broker: log lines, timers, odd records, partitions.

import { describe, expect, it, vi } from 'vitest'
import { createRequire } from 'node:module'
import { Partitioners, type KafkaMessage } from 'kafkajs'
import { createClient, reasonOf } from '../../../services/adapters/kafka/client.ts'
import { toStored } from '../../../services/adapters/kafka/records.ts'
import { partitionOf } from '../../../services/adapters/partitioning.ts'
import { connectionOf, type LoggedLine } from './servers.ts'

describe('the parts of the Kafka adapter', () => {
  it('place keys as the default partitioner of kafkajs does', () => {
    const partitioner = Partitioners.DefaultPartitioner()
    const partitionMetadata = Array.from({ length: 7 }, (_, i) => ({
      partitionId: i,
      leader: 1,
      partitionErrorCode: 0,
      replicas: [],
      isr: [],
    }))
    for (let i = 0; i < 500; i++) {
      const key = `${'ab✓é'.repeat(i % 5)}${(i * 7919).toString(36)}`
      expect(partitionOf(key, 7)).toBe(partitioner({ topic: 't', partitionMetadata, message: { key, value: null } }))
    }
    expect(partitionOf('', 7)).toBe(partitioner({ topic: 't', partitionMetadata, message: { key: '', value: null } }))
  })

  it('log nothing of kafkajs but the text before what it quotes, and safe fields, and each text not too often', () => {
    const lines: LoggedLine[] = []
    const client = createClient(connectionOf(['127.0.0.1:1'], lines))
    const kafkaLogger = client.logger()
    for (let i = 0; i < 3; i++) {
      const fields = { topic: 't', stack: 'secret', error: new Error('secret') }
      kafkaLogger.error('Invalid message: {"value":"4111111111111111"}', fields)
    }
    kafkaLogger.info('joined')
    expect(lines).toEqual([{ fields: { kafka: undefined, topic: 't' }, message: 'kafka: Invalid message:' }])
  })

  it('name the reason of a wrapped error without its text', () => {
    const root = Object.assign(new Error('4111111111111111'), { type: 'NOT_LEADER_FOR_PARTITION' })
    expect(reasonOf(new Error('wrapped', { cause: root }))).toBe('NOT_LEADER_FOR_PARTITION')
    expect(reasonOf(Object.assign(new Error('x'), { code: 'quoted "4111"' }))).toBe('Error')
    expect(reasonOf('a text')).toBe('unknown')
    expect(reasonOf(null)).toBe('unknown')
  })

  it('leave no timer running on a connection with nothing pending', () => {
    createClient(connectionOf(['127.0.0.1:1']))
    const require = createRequire(import.meta.url)
    const RequestQueue = require('kafkajs/src/network/requestQueue/index.js') as new (options: object) => {
      scheduleCheckPendingRequests(): void
      readonly pending: unknown[]
    }
    vi.useFakeTimers()
    try {
      const queue = new RequestQueue({ logger: { debug: () => {} } })
      queue.scheduleCheckPendingRequests()
      expect(vi.getTimerCount()).toBe(0)
      queue.pending.push({})
      queue.scheduleCheckPendingRequests()
      expect(vi.getTimerCount()).toBe(1)
    } finally {
      vi.useRealTimers()
    }
  })

  it('read records with odd keys and headers', () => {
    const twice = [Buffer.from('a'), 'b']
    const headers = { text: Buffer.from('é'), twice, none: undefined, ['__proto__']: Buffer.from('x') }
    const message = {
      key: null,
      value: null,
      offset: '9007199254740993',
      timestamp: '1',
      attributes: 0,
      headers,
      size: 0,
    } as unknown as KafkaMessage
    expect(toStored('t', 3, message)).toEqual({
      topic: 't',
      partition: 3,
      offset: 9007199254740993n,
      key: null,
      value: null,
      timestamp: 1,
      headers: { text: 'é', twice: 'b' },
    })
  })
})
