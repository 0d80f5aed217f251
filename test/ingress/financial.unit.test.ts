// `POST /financial` from HTTP to the log and back.

import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import {
  ingressPerTest,
  approve,
  CARD,
  credentials,
  DISABLED_APP,
  DOCUMENT,
  keys,
  GENERATION,
  ISSUED_DIGITS,
  issuedToken,
  JSON_HEADERS,
  OTHER_APP,
  PURCHASE,
  REVERSAL,
  SLOW_APP,
  VOID,
} from './harness.ts'

const start = ingressPerTest()
const as = (app: { key: string; secret: string }) => ({
  ...JSON_HEADERS,
  authorization: credentials(app.key, app.secret),
})

describe('a transaction that is decided', () => {
  it('is answered with the body of the contract', async () => {
    const { post, requests } = await start({ answer: approve })
    const { status, body, headers } = await post(PURCHASE)
    expect(status).toBe(200)
    expect(headers['content-type']).toMatch(/^application\/json/)
    expect(body).toEqual({
      consecutive: 'buy-1',
      responseCode: '00',
      responseMessage: 'Transacción aprobada.',
      authorizationNumber: '123456',
    })
    expect(requests).toHaveLength(1)
  })

  it('is answered with the token of a generation', async () => {
    const expiresAt = Date.UTC(2030, 0, 1)
    const { post } = await start({
      answer: () => ({
        responseCode: '00',
        authorizationNumber: '000001',
        token: issuedToken(expiresAt),
        tokenShown: true,
      }),
    })
    expect((await post(GENERATION)).body).toEqual({
      consecutive: 'gen-1',
      responseCode: '00',
      responseMessage: 'Transacción aprobada.',
      authorizationNumber: '000001',
      token: ISSUED_DIGITS,
      expiresAt: '2030-01-01T00:00:00.000Z',
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
      status: 200,
      body: { responseCode: '55', responseMessage: 'Token de pago no válido.' },
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
        { ...REVERSAL, originalTransactionCode: 'TOKEN_GENERATION', originalConsecutive: 'gen-9' },
        'token.requests',
        'A1:TOKEN_GENERATION:gen-9',
      ],
    ]
    for (const [body] of routed) expect((await post(body)).status).toBe(200)
    expect(published.map(({ topic, key }) => [topic, key])).toEqual(routed.map(([, topic, key]) => [topic, key]))
  })

  it("went out with the caller's trace context, the partition of the replies, and a deadline", async () => {
    const { post, requests } = await start({
      answer: approve,
      replyPartition: 7,
      now: () => 1_000,
      limits: { replyTimeoutMs: 1_500 },
    })
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    await post(PURCHASE, { ...JSON_HEADERS, traceparent })
    const odd = [
      'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      `00-4bf92f3577b34da6a3ce929d0e0e4736-${CARD}-01`,
    ]
    for (const other of odd) await post(PURCHASE, { ...JSON_HEADERS, traceparent: other })
    expect(requests[0]).toMatchObject({
      replyPartition: 7,
      traceparent,
      body: { deadline: 2_500, requestedAt: 1_000, clientId: 'org', appKey: 'acquirer-app' },
    })
    expect(requests.slice(1).map((request) => request.traceparent)).toEqual([undefined, undefined])
  })
})

describe('what the edge refuses', () => {
  it('is 401 with a challenge, before anything of the body is looked at', async () => {
    const { post, published } = await start()
    const refused = [
      { 'content-type': 'application/json' },
      as({ key: 'acquirer-app', secret: 'wrong' }),
      as({ key: 'nobody', secret: 'x' }),
      as(DISABLED_APP),
      { ...JSON_HEADERS, authorization: 'Bearer x' },
    ]
    for (const headers of refused) {
      const { status, body, headers: sent } = await post('{', { ...headers, 'content-type': 'text/plain' })
      expect([status, sent['www-authenticate']]).toEqual([401, 'Basic realm="financial", charset="UTF-8"'])
      expect(sent['content-type']).toMatch(/^application\/problem\+json/)
      expect(body).toMatchObject({
        status: 401,
        title: expect.any(String),
        type: expect.any(String),
        detail: expect.any(String),
      })
    }
    expect(published).toHaveLength(0)
  })

  it('is 400 with every bad field', async () => {
    const { post, published } = await start()
    const { status, body, headers } = await post({
      ...PURCHASE,
      acquirer: { id: 'A1', terminalId: '' },
      cardNumber: '1',
      amount: '100',
    })
    expect(status).toBe(400)
    expect(headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(body.errors.map((error: { field: string }) => error.field)).toEqual([
      'acquirer.storeId',
      'acquirer.terminalId',
      'cardNumber',
      'amount',
    ])
    expect(body.errors.every((error: { message: unknown }) => typeof error.message === 'string')).toBe(true)
    expect(published).toHaveLength(0)
  })

  it('is 400 when it is no JSON object in UTF-8', async () => {
    const { post, published } = await start()
    const latin = Buffer.from(JSON.stringify({ ...GENERATION, metadata: 'año' }), 'latin1')
    const bodies = [
      '',
      ' ',
      '{',
      '[]',
      'null',
      '"x"',
      '5',
      'true',
      '[{}]',
      '{"a":1,}',
      '{"consecutive":"x"} x',
      latin,
      Buffer.from([0xff, 0xfe]),
      `${JSON.stringify(GENERATION).slice(0, -1)},"__proto__":{}}`,
      `${JSON.stringify(GENERATION).slice(0, -1)},"x":{"__proto__":1}}`,
      `${JSON.stringify(GENERATION).slice(0, -1)},"\\u005f_proto__":null}`,
      '['.repeat(60_000),
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
      'text/plain',
      'application/xml',
      'application/jsonx',
      'application/problem+json',
      'application/x-www-form-urlencoded',
      'garbage',
      'a/b/c',
      '',
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
    expect(await post({ ...PURCHASE, acquirer })).toMatchObject({
      status: 200,
      body: { consecutive: 'buy-1', responseCode: '03', responseMessage: message },
    })
    expect(await post({ ...GENERATION, acquirer, transactionCode: 'NONE' })).toMatchObject({
      status: 200,
      body: { responseCode: '03' },
    })
    expect((await post({ ...PURCHASE, acquirer, amount: 0 })).status).toBe(400)
    expect((await post({ ...GENERATION, acquirer: { ...acquirer, id: 'a1' } })).body.responseCode).toBe('03')
    expect(await post({ ...PURCHASE }, as(OTHER_APP))).toMatchObject({ status: 200, body: { responseCode: '03' } })
    expect(published).toHaveLength(0)
  })

  it('is 12 for an unknown transaction code', async () => {
    const { post, published } = await start()
    const { status, body } = await post({ ...GENERATION, transactionCode: 'BALANCE', amount: 'x' })
    expect([status, body]).toEqual([
      200,
      { consecutive: 'gen-1', responseCode: '12', responseMessage: 'Transacción no válida.' },
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
