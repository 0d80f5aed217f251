// When the instance says that it can serve, and what it does while it cannot.

import { afterEach, describe, expect, it, vi } from 'vitest'
import { LogError } from '../../services/ports/log.ts'
import { approve, memoryLog, PURCHASE, startIngress, type Harness, type HarnessOptions } from './harness.ts'
import { logWith } from '../ports/log-with.ts'

let harness: Harness
const start = async (options?: HarnessOptions) => (harness = await startIngress(options))
afterEach(() => harness.app.close())

const QUESTION = '/financial/buy-1?acquirerId=A1&transactionCode=TOKEN_PURCHASE'
const PATIENCE = { timeout: 5_000, interval: 50 }

describe('an ingress', () => {
  it('is ready when log and store answer and replies are followed', async () => {
    const { get } = await start({ answer: approve })
    expect(await get('/health/ready')).toMatchObject({
      status: 200,
      body: { status: 'ready', parts: { log: true, store: true, replies: true, accepting: true } },
    })
    expect((await get('/health/live')).status).toBe(200)
  })

  it('is not ready while one of them fails, takes nothing, and comes back by itself', async () => {
    const parts = { log: true, store: true }
    const fail = async (part: keyof typeof parts) => {
      if (!parts[part]) throw new LogError('down')
    }
    const log = logWith(memoryLog(), { ping: () => fail('log') })
    const { get, post, published } = await start({ log, storePing: () => fail('store'), answer: approve })
    for (const part of ['log', 'store'] as const) {
      parts[part] = false
      await vi.waitFor(
        async () =>
          expect(await get('/health/ready')).toMatchObject({
            status: 503,
            body: { parts: { [part]: false } },
          }),
        PATIENCE,
      )
      for (const answer of [await post(PURCHASE), await get(QUESTION)]) {
        expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': expect.stringMatching(/^\d+$/) } })
        expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
      }
      expect(published).toHaveLength(0)
      expect((await get('/health/live')).status).toBe(200)
      parts[part] = true
      await vi.waitFor(async () => expect((await get('/health/ready')).status).toBe(200), PATIENCE)
    }
    expect((await post(PURCHASE)).status).toBe(200)
  })

  it('answers at once though log and store hang', async () => {
    let hang = false
    const hanging = () => (hang ? new Promise<void>(() => {}) : Promise.resolve())
    const { get, post } = await start({ log: logWith(memoryLog(), { ping: hanging }), storePing: hanging })
    hang = true
    await vi.waitFor(async () => expect((await get('/health/ready')).status).toBe(503), PATIENCE)
    const before = performance.now()
    expect((await post(PURCHASE)).status).toBe(503)
    expect((await get('/health/ready')).status).toBe(503)
    expect(performance.now() - before).toBeLessThan(500)
  })

  it('starts without its replies, and is ready once they are followed', async () => {
    const inner = memoryLog()
    let down = true
    const log = logWith(inner, {
      partitions: async (topic) => {
        if (down) throw new LogError('down')
        return inner.partitions(topic)
      },
    })
    const { get, post } = await start({ log, answer: approve })
    expect(await get('/health/ready')).toMatchObject({ status: 503, body: { parts: { replies: false } } })
    expect((await post(PURCHASE)).status).toBe(503)
    down = false
    await vi.waitFor(async () => expect((await get('/health/ready')).status).toBe(200), PATIENCE)
    expect((await post(PURCHASE)).status).toBe(200)
  })
})
