// Calls and their replies over HTTP: who waits, who is answered, what happens when the log is in trouble.

import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import type { Command, Request } from '../../services/core/transaction/command.ts'
import { LogError, LogOverloadedError, type Log } from '../../services/ports/log.ts'
import { ingressPerTest, approve, CARD, keysWith, memoryLog, publishReply, PURCHASE } from './harness.ts'
import { logWith } from '../ports/log-with.ts'

const start = ingressPerTest()
describe('calls and replies', () => {
  it('of one content at once are all answered alike', async () => {
    const { post } = await start({ answer: approve })
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(PURCHASE)))
    expect(new Set(answers.map(({ status, body }) => JSON.stringify([status, body]))).size).toBe(1)
    expect(answers[0]).toMatchObject({ status: 200, body: { responseCode: '00' } })
  })

  it('of other contents under one consecutive each get their own answer', async () => {
    const first = new Map<string, string>()
    const { post } = await start({
      answer: ({ body }) => {
        const { scope, fingerprint } = body as Command
        if (!first.has(scope.consecutive)) first.set(scope.consecutive, fingerprint)
        return first.get(scope.consecutive) === fingerprint
          ? {
              responseCode: '00',
              authorizationNumber: '123456',
            }
          : { responseCode: '94' }
      },
    })
    const answers = await Promise.all([100, 200, 300, 100].map((amount) => post({ ...PURCHASE, amount })))
    expect(answers.map(({ body }) => body.responseCode)).toEqual(['00', '94', '94', '00'])
  })

  it('find their instance of two on one log, also on one partition', async () => {
    for (const partitions of [
      [1, 2],
      [3, 3],
    ] as const) {
      const log = memoryLog()
      const one = await start({ log: log.client(), answer: approve, replyPartition: partitions[0] })
      const two = await start({ log: log.client(), replyPartition: partitions[1] })
      const calls = Array.from({ length: 10 }, (_, at) =>
        (at % 2 === 0 ? one : two).post({ ...PURCHASE, consecutive: `c-${at % 3}` }),
      )
      for (const { status, body } of await Promise.all(calls)) expect([status, body.responseCode]).toEqual([200, '00'])
    }
  })

  it("may cross: a reply that is here before the log's acknowledgement counts", async () => {
    const inner = memoryLog()
    const slow = logWith(inner, {
      publish: async (records) => {
        await inner.publish(records)
        await sleep(50)
      },
    })
    const { post } = await start({ log: slow, answer: approve, limits: { replyTimeoutMs: 500 } })
    expect((await post(PURCHASE)).status).toBe(200)
  })

  it('that say nothing was decided leave the outcome unknown', async () => {
    const { post } = await start({ answer: () => ({ found: false }) })
    expect((await post(PURCHASE)).status).toBe(500)
  })

  it('that come late are counted, and their call was 500, never a decline', async () => {
    const held: Request[] = []
    const { post, log, registry } = await start({
      limits: { replyTimeoutMs: 100 },
      answer: (request) => {
        held.push(request)
        return null
      },
    })
    const { status, body, headers } = await post(PURCHASE)
    expect(status).toBe(500)
    expect(headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(body.detail).toMatch(/No se conoce el resultado.*mismo consecutivo.*GET.*REVERSAL/)
    expect(body).not.toHaveProperty('responseCode')
    await publishReply(log, held[0] as Request, { responseCode: '00', authorizationNumber: '123456' })
    await vi.waitFor(async () => expect(await registry.metrics()).toMatch(/ingress_replies_late_total 1/))
  })

  it('are bounded: one more open call is 503 and publishes nothing', async () => {
    const { post, published, registry } = await start({
      limits: { maxOpenCalls: 2, replyTimeoutMs: 1_000 },
      answer: () => null,
    })
    const waiting = [post(PURCHASE), post({ ...PURCHASE, consecutive: 'buy-2' })]
    await vi.waitFor(async () => expect(await registry.metrics()).toMatch(/ingress_open_calls 2/))
    const refused = await post({ ...PURCHASE, consecutive: 'buy-3' })
    expect(refused).toMatchObject({
      status: 503,
      body: { status: 503 },
      headers: { 'retry-after': expect.stringMatching(/^\d+$/) },
    })
    expect(published).toHaveLength(2)
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([500, 500])
    expect(await registry.metrics()).toMatch(/ingress_open_calls 0/)
  })
})

describe('a log in trouble', () => {
  const failing = (error: Error, publishes = false): Log => {
    const log = memoryLog()
    return logWith(log, {
      publish: async (records) => {
        if (records[0]?.topic === 'replies') return log.publish(records)
        if (publishes) await log.publish(records)
        throw error
      },
    })
  }

  it('that refuses is 503, at once and with nothing left waiting', async () => {
    const { post, registry } = await start({ log: failing(new LogOverloadedError('full')) })
    const { status, headers } = await post(PURCHASE)
    expect([status, typeof headers['retry-after']]).toEqual([503, 'string'])
    expect(await registry.metrics()).toMatch(/ingress_open_calls 0/)
  })

  it('that fails without saying whether it published leaves the outcome unknown until a reply comes', async () => {
    const published = await start({ log: failing(new LogError('lost'), true), answer: approve })
    expect(await published.post(PURCHASE)).toMatchObject({ status: 200, body: { responseCode: '00' } })
    const lost = await start({ log: failing(new LogError('lost')), answer: approve, limits: { replyTimeoutMs: 100 } })
    expect((await lost.post(PURCHASE)).status).toBe(500)
  })

  it('is not asked by a call that surely fails: an error before publishing is 500 with no record', async () => {
    const seal = () => {
      throw new Error(`cannot seal ${CARD}`)
    }
    const { post, published, lines } = await start({ keys: keysWith({ seal }) })
    const { status, body } = await post(PURCHASE)
    expect([status, published.length]).toEqual([500, 0])
    expect(JSON.stringify([body, lines])).not.toContain(CARD)
  })
})
