// Following the instance's partition of replies, over odd records and cuts.

import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { createReplyReader } from '../../../services/ingress/replies/reader.ts'
import { LogError, type FollowOptions, type StoredRecord } from '../../../services/ports/log.ts'
import { TOPIC } from '../../../services/runtime/topics.ts'
import { memoryLog, wire } from '../harness.ts'
import { logWith } from '../../ports/log-with.ts'

const quiet = { info: () => {}, warn: () => {}, error: () => {} }
const REPLY = { scope: 's', fingerprint: 'f', inquiryId: '', found: true, tokenShown: true, epoch: 1, runId: 'r' }

function cuttableLog() {
  const follows: (FollowOptions & { cut: () => void })[] = []
  const log = logWith(memoryLog(), {
    follow: async (options) => {
      const { promise, reject } = Promise.withResolvers<never>()
      follows.push({ ...options, cut: () => reject(new LogError('cut')) })
      return { stop: async () => {}, failed: promise }
    },
  })
  return { log, follows }
}

const record = (offset: bigint, value: Uint8Array | null, headers = {}): StoredRecord => ({
  topic: TOPIC.replies,
  partition: 3,
  offset,
  key: null,
  value,
  headers,
  timestamp: 0,
})

describe('the reply reader', () => {
  it('hands on replies, and counts what is none without stopping', async () => {
    const { log, follows } = cuttableLog()
    const replies: unknown[] = []
    let malformed = 0
    const reader = createReplyReader({
      log,
      wire,
      logger: quiet,
      partition: 3,
      onReply: (reply) => replies.push(reply),
      onMalformed: () => {
        malformed += 1
      },
    })
    await reader.start(1_000)
    expect(follows[0]).toMatchObject({ topic: 'replies', partition: 3, from: 'end' })
    const { value, headers } = wire.encodeReply(REPLY)
    await follows[0]?.onRecords([
      record(0n, null),
      record(1n, Buffer.from('not avro')),
      record(2n, value, headers),
      record(3n, value.subarray(0, -2), headers),
    ])
    expect(replies).toHaveLength(1)
    expect(malformed).toBe(3)
    await reader.stop()
  })

  it('passes over replies of an older epoch than the one it found at its start, or than a barrier that it met', async () => {
    const { log, follows } = cuttableLog()
    const barrier = (epoch: number) =>
      wire.encodeEvent({ type: 'epoch-raised', epoch, runId: 'r', now: 0, barriers: [] })
    await log.publish([{ topic: TOPIC.epochs, key: 'k', ...barrier(2) }])
    const scopes: string[] = []
    const onReply = ({ scope }: { scope: string }) => void scopes.push(scope)
    const reader = createReplyReader({
      log,
      wire,
      logger: quiet,
      partition: 3,
      onReply,
      onMalformed: () => scopes.push('!'),
    })
    await reader.start(1_000)
    const reply = (offset: bigint, scope: string, epoch: number) => {
      const { value, headers } = wire.encodeReply({ ...REPLY, scope, epoch })
      return record(offset, value, headers)
    }
    const raised = barrier(3)
    await follows[0]?.onRecords([
      reply(0n, 'void before the start', 1),
      reply(1n, 'in force', 2),
      record(2n, raised.value, raised.headers),
      reply(3n, 'frozen meanwhile', 2),
      reply(4n, 'new', 3),
    ])
    expect(scopes).toEqual(['in force', 'new'])
    await reader.stop()
  })

  it('tells how many records have come, and waits before it hands them on', async () => {
    const { log, follows } = cuttableLog()
    const seen: (string | number)[] = []
    const { promise: ready, resolve } = Promise.withResolvers<void>()
    const reader = createReplyReader({
      log,
      wire,
      logger: quiet,
      onArrival: (count) => {
        seen.push(count)
        return ready
      },
      onReply: ({ scope }) => void seen.push(scope),
      onMalformed: () => seen.push('malformed'),
    })
    await reader.start(1_000)
    const { value, headers } = wire.encodeReply(REPLY)
    const handed = follows[0]?.onRecords([record(0n, value, headers), record(1n, null)])
    await new Promise((resolveSoon) => setImmediate(resolveSoon))
    expect(seen).toEqual([2])
    resolve()
    await handed
    expect(seen).toEqual([2, REPLY.scope, 'malformed'])
    await reader.stop()
  })

  it('goes on after a cut where it was, on the same partition', async () => {
    const { log, follows } = cuttableLog()
    const reader = createReplyReader({ log, wire, logger: quiet, onReply: () => {}, onMalformed: () => {} })
    await reader.start(1_000)
    const { partition } = reader
    expect(partition).toBeGreaterThanOrEqual(0)
    await follows[0]?.onRecords([record(41n, null)])
    follows[0]?.cut()
    await vi.waitFor(() => expect(reader.partition).toBeNull())
    await vi.waitFor(() => expect(follows).toHaveLength(2), 2_000)
    expect(follows[1]).toMatchObject({ partition, from: 42n })
    await vi.waitFor(() => expect(reader.partition).toBe(partition))
    await reader.stop()
    expect(reader.partition).toBeNull()
  })

  it('does not hold up the start when the log does not answer', async () => {
    const log = logWith(memoryLog(), { partitions: () => new Promise(() => {}) })
    const reader = createReplyReader({ log, wire, logger: quiet, onReply: () => {}, onMalformed: () => {} })
    await reader.start(20)
    expect(reader.partition).toBeNull()
    await reader.stop()
  })

  it('is never ready on a partition that the topic does not have', async () => {
    const reader = createReplyReader({
      log: memoryLog(),
      wire,
      logger: quiet,
      partition: 16,
      onReply: () => {},
      onMalformed: () => {},
    })
    await reader.start(20)
    await sleep(20)
    expect(reader.partition).toBeNull()
    await reader.stop()
  })
})
