// `POST /financial` from HTTP to the log and back.

import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Command, Request } from '../../services/core/transaction/command.ts'
import { LogError, LogOverloadedError, type Log } from '../../services/ports/log.ts'
import {
  approve, CARD, credentials, DISABLED_APP, DOCUMENT, keys, keysWith, logWith, memoryLog, GENERATION, ISSUED_DIGITS,
  issuedToken,
  JSON_HEADERS, OTHER_APP,
  publishReply, PURCHASE, REVERSAL, SLOW_APP, startIngress, VOID, type Harness, type HarnessOptions,
} from './harness.ts'

const open: Harness[] = []
const start = async (options?: HarnessOptions) => {
  const harness = await startIngress(options)
  open.push(harness)
  return harness
}
afterEach(async () => {
  await Promise.all(open.splice(0).map(({ app }) => app.close()))
})
const as = (app: { key: string; secret: string }) => ({
  ...JSON_HEADERS, authorization: credentials(app.key, app.secret),
})

describe('a transaction that is decided', () => {
  it('is answered with the body of the contract', async () => {
    const { post, requests } = await start({ answer: approve })
    const { status, body, headers } = await post(PURCHASE)
    expect(status).toBe(200)
    expect(headers['content-type']).toMatch(/^application\/json/)
    expect(body).toEqual({
      consecutive: 'buy-1', responseCode: '00', responseMessage: 'Transacción aprobada.', authorizationNumber: '123456',
    })
    expect(requests).toHaveLength(1)
  })

  it('is answered with the token of a generation', async () => {
    const expiresAt = Date.UTC(2030, 0, 1)
    const { post } = await start({
      answer: () => ({
        responseCode: '00', authorizationNumber: '000001', token: issuedToken(expiresAt), tokenShown: true,
      }),
    })
    expect((await post(GENERATION)).body).toEqual({
      consecutive: 'gen-1', responseCode: '00', responseMessage: 'Transacción aprobada.', authorizationNumber: '000001',
      token: ISSUED_DIGITS, expiresAt: '2030-01-01T00:00:00.000Z',
    })
  })

  it('is answered without the token once it may not be shown, and otherwise alike', async () => {
    const expiresAt = Date.UTC(2030, 0, 1)
    let tokenShown = true
    const { post } = await start({
      answer: () => ({ responseCode: '00', authorizationNumber: '000001', token: issuedToken(expiresAt), tokenShown }),
    })
    const { token, ...rest } = (await post(GENERATION)).body
    expect(token).toBe(ISSUED_DIGITS)
    tokenShown = false
    expect((await post(GENERATION)).body).toEqual(rest)
  })

  it('is 200 when it is declined', async () => {
    const { post } = await start({ answer: () => ({ responseCode: '55' }) })
    expect(await post(PURCHASE)).toMatchObject({
      status: 200, body: { responseCode: '55', responseMessage: 'Token de pago no válido.' },
    })
  })

  it('went to the topic and key of its kind', async () => {
    const { post, published } = await start({ answer: approve })
    const cardHash = keys.hash('card', CARD)
    const documentHash = keys.hash('document', `CC:${DOCUMENT}`)
    const routed: readonly (readonly [object, string, string])[] = [
      [GENERATION, 'token.requests', keys.hash('terminal', 'A1:S1:T1')],
      [{ ...GENERATION, cardNumber: CARD }, 'token.requests', cardHash],
      [{ ...GENERATION, cardNumber: CARD, document: { type: 'CC', number: DOCUMENT } }, 'token.requests', documentHash],
      [PURCHASE, 'purchase.requests', cardHash],
      [{ ...PURCHASE, transactionCode: 'TOKEN_WITHDRAWAL' }, 'purchase.requests', cardHash],
      [REVERSAL, 'purchase.requests', 'A1:TOKEN_PURCHASE:buy-1'],
      [VOID, 'purchase.requests', 'A1:TOKEN_PURCHASE:buy-1'],
      [
        { ...REVERSAL, originalTransactionCode: 'TOKEN_GENERATION', originalConsecutive: 'gen-9' }, 'token.requests',
        'A1:TOKEN_GENERATION:gen-9',
      ],
    ]
    for (const [body] of routed) expect((await post(body)).status).toBe(200)
    expect(published.map(({ topic, key }) => [topic, key])).toEqual(routed.map(([, topic, key]) => [topic, key]))
  })

  it('went out with the caller\'s trace context, the partition of the replies, and a deadline', async () => {
    const { post, requests } = await start({
      answer: approve, replyPartition: 7, now: () => 1_000, limits: { replyTimeoutMs: 1_500 },
    })
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    await post(PURCHASE, { ...JSON_HEADERS, traceparent })
    const odd = [
      'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', `00-4bf92f3577b34da6a3ce929d0e0e4736-${CARD}-01`,
    ]
    for (const other of odd) await post(PURCHASE, { ...JSON_HEADERS, traceparent: other })
    expect(requests[0]).toMatchObject({
      replyPartition: 7, traceparent,
      body: { deadline: 2_500, requestedAt: 1_000, clientId: 'org', appKey: 'acquirer-app' },
    })
    expect(requests.slice(1).map((request) => request.traceparent)).toEqual([undefined, undefined])
  })
})

describe('what the edge refuses', () => {
  it('is 401 with a challenge, before anything of the body is looked at', async () => {
    const { post, published } = await start()
    const refused = [
      { 'content-type': 'application/json' }, as({ key: 'acquirer-app', secret: 'wrong' }),
      as({ key: 'nobody', secret: 'x' }), as(DISABLED_APP),
      { ...JSON_HEADERS, authorization: 'Bearer x' },
    ]
    for (const headers of refused) {
      const { status, body, headers: sent } = await post('{', { ...headers, 'content-type': 'text/plain' })
      expect([status, sent['www-authenticate']]).toEqual([401, 'Basic realm="financial", charset="UTF-8"'])
      expect(sent['content-type']).toMatch(/^application\/problem\+json/)
      expect(body).toMatchObject({
        status: 401, title: expect.any(String), type: expect.any(String), detail: expect.any(String),
      })
    }
    expect(published).toHaveLength(0)
  })

  it('is 400 with every bad field', async () => {
    const { post, published } = await start()
    const { status, body, headers } = await post({
      ...PURCHASE, acquirer: { id: 'A1', terminalId: '' }, cardNumber: '1', amount: '100',
    })
    expect(status).toBe(400)
    expect(headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(body.errors.map((error: { field: string }) => error.field)).toEqual([
      'acquirer.storeId', 'acquirer.terminalId', 'cardNumber', 'amount',
    ])
    expect(body.errors.every((error: { message: unknown }) => typeof error.message === 'string')).toBe(true)
    expect(published).toHaveLength(0)
  })

  it('is 400 when it is no JSON object in UTF-8', async () => {
    const { post, published } = await start()
    const latin = Buffer.from(JSON.stringify({ ...GENERATION, metadata: 'año' }), 'latin1')
    const bodies = [
      '', ' ', '{', '[]', 'null', '"x"', '5', 'true', '[{}]', '{"a":1,}', '{"consecutive":"x"} x', latin,
      Buffer.from([0xff, 0xfe]),
      `${JSON.stringify(GENERATION).slice(0, -1)},"__proto__":{}}`,
      `${JSON.stringify(GENERATION).slice(0, -1)},"x":{"__proto__":1}}`,
      `${JSON.stringify(GENERATION).slice(0, -1)},"\\u005f_proto__":null}`, '['.repeat(60_000),
    ]
    for (const body of bodies) expect([body, (await post(body)).status]).toEqual([body, 400])
    expect(published).toHaveLength(0)
  })

  it('is not a constructor key, a byte order mark or white space: they are only odd', async () => {
    const { post } = await start({ answer: approve })
    const text = JSON.stringify(GENERATION)
    const odd = [`${text.slice(0, -1)},"constructor":{"prototype":{}}}`, `\n ${text}\t`]
    for (const body of odd) expect((await post(body)).status).toBe(200)
    expect((await post(Buffer.from(`\ufeff${text}`))).status).toBe(200)
  })

  it('is 415 on another content type or none, with a body', async () => {
    const { post, published } = await start({ answer: approve })
    const { authorization } = JSON_HEADERS
    const types = [
      'text/plain', 'application/xml', 'application/jsonx', 'application/problem+json',
      'application/x-www-form-urlencoded', 'garbage', 'a/b/c', '',
    ]
    for (const type of types) {
      const { status } = await post(JSON.stringify(PURCHASE), { authorization, 'content-type': type })
      expect([type, status]).toEqual([type, 415])
    }
    expect((await post(Buffer.from('{}'), { authorization })).status).toBe(415)
    expect(published).toHaveLength(0)
    const json = ['application/json; charset=utf-8', 'APPLICATION/JSON', 'application/json;charset="UTF-8"']
    for (const type of json) {
      expect([type, (await post(PURCHASE, { authorization, 'content-type': type })).status]).toEqual([type, 200])
    }
  })

  it('is 413 over 65,536 bytes, whatever the content type', async () => {
    const { post } = await start({ answer: approve })
    const padded = (bytes: number) => {
      const text = JSON.stringify({ ...PURCHASE, pad: '' })
      return JSON.stringify({ ...PURCHASE, pad: 'x'.repeat(bytes - text.length) })
    }
    expect((await post(padded(65_536))).status).toBe(200)
    expect(await post(padded(65_537))).toMatchObject({ status: 413, body: { status: 413 } })
    for (const type of ['text/plain', 'garbage']) {
      expect((await post(padded(65_537), { ...JSON_HEADERS, 'content-type': type })).status).toBe(413)
    }
  })

  it('is 03 for another acquirer, after 400 and before 12', async () => {
    const { post, published } = await start()
    const acquirer = { ...GENERATION.acquirer, id: 'B1' }
    const message = 'Adquirente desconocido o no autorizado.'
    expect(await post({ ...PURCHASE, acquirer }))
      .toMatchObject({ status: 200, body: { consecutive: 'buy-1', responseCode: '03', responseMessage: message } })
    expect(await post({ ...GENERATION, acquirer, transactionCode: 'NONE' }))
      .toMatchObject({ status: 200, body: { responseCode: '03' } })
    expect((await post({ ...PURCHASE, acquirer, amount: 0 })).status).toBe(400)
    expect((await post({ ...GENERATION, acquirer: { ...acquirer, id: 'a1' } })).body.responseCode).toBe('03')
    expect(await post({ ...PURCHASE }, as(OTHER_APP))).toMatchObject({ status: 200, body: { responseCode: '03' } })
    expect(published).toHaveLength(0)
  })

  it('is 12 for an unknown transaction code', async () => {
    const { post, published } = await start()
    const { status, body } = await post({ ...GENERATION, transactionCode: 'BALANCE', amount: 'x' })
    expect([status, body]).toEqual([
      200, { consecutive: 'gen-1', responseCode: '12', responseMessage: 'Transacción no válida.' },
    ])
    expect(published).toHaveLength(0)
  })

  it('is 429 over the rate of the app, and of no other', async () => {
    const { post } = await start({ answer: approve })
    const answers = []
    for (let call = 0; call < 6; call += 1) answers.push(await post(GENERATION, as(SLOW_APP)))
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThanOrEqual(2)
    expect(refused[0]?.headers['retry-after']).toMatch(/^[1-9][0-9]*$/)
    expect(refused[0]?.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(refused[0]?.body).toMatchObject({ status: 429, title: expect.any(String) })
    expect((await post(GENERATION)).status).toBe(200)
    await sleep(1_050)
    expect((await post(GENERATION, as(SLOW_APP))).status).toBe(200)
  })
})

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
        return first.get(scope.consecutive) === fingerprint ? {
          responseCode: '00', authorizationNumber: '123456',
        } : { responseCode: '94' }
      },
    })
    const answers = await Promise.all([100, 200, 300, 100].map((amount) => post({ ...PURCHASE, amount })))
    expect(answers.map(({ body }) => body.responseCode)).toEqual(['00', '94', '94', '00'])
  })

  it('find their instance of two on one log, also on one partition', async () => {
    for (const partitions of [[1, 2], [3, 3]] as const) {
      const log = memoryLog()
      const one = await start({ log: log.client(), answer: approve, replyPartition: partitions[0] })
      const two = await start({ log: log.client(), replyPartition: partitions[1] })
      const calls = Array.from(
        { length: 10 }, (_, at) => (at % 2 === 0 ? one : two).post({ ...PURCHASE, consecutive: `c-${at % 3}` }),
      )
      for (const { status, body } of await Promise.all(calls)) expect([status, body.responseCode]).toEqual([200, '00'])
    }
  })

  it('may cross: a reply that is here before the log\'s acknowledgement counts', async () => {
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
      limits: { replyTimeoutMs: 100 }, answer: (request) => { held.push(request); return null },
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
      limits: { maxOpenCalls: 2, replyTimeoutMs: 1_000 }, answer: () => null,
    })
    const waiting = [post(PURCHASE), post({ ...PURCHASE, consecutive: 'buy-2' })]
    await vi.waitFor(async () => expect(await registry.metrics()).toMatch(/ingress_open_calls 2/))
    const refused = await post({ ...PURCHASE, consecutive: 'buy-3' })
    expect(refused).toMatchObject({
      status: 503, body: { status: 503 }, headers: { 'retry-after': expect.stringMatching(/^\d+$/) },
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
    const seal = () => { throw new Error(`cannot seal ${CARD}`) }
    const { post, published, lines } = await start({ keys: keysWith({ seal }) })
    const { status, body } = await post(PURCHASE)
    expect([status, published.length]).toEqual([500, 0])
    expect(JSON.stringify([body, lines])).not.toContain(CARD)
  })
})
