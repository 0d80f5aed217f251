// `GET /financial/{consecutive}`: a question through the log.

import { afterEach, describe, expect, it } from 'vitest'
import {
  approve,
  AUTHORIZATION,
  credentials,
  issuedToken,
  OTHER_APP,
  startIngress,
  type Harness,
  type HarnessOptions,
} from './harness.ts'

let harness: Harness
const start = async (options?: HarnessOptions) => (harness = await startIngress(options))
afterEach(() => harness.app.close())

const QUESTION = '/financial/buy-1?acquirerId=A1&transactionCode=TOKEN_PURCHASE'

describe('an inquiry', () => {
  it('is answered with what is recorded and its state', async () => {
    const { get, requests, published } = await start({
      answer: () => ({ responseCode: '00', authorizationNumber: '123456', state: 'voided' }),
    })
    const { status, body } = await get(QUESTION)
    expect([status, body]).toEqual([
      200,
      {
        consecutive: 'buy-1',
        responseCode: '00',
        responseMessage: 'Transacción aprobada.',
        authorizationNumber: '123456',
        state: 'voided',
      },
    ])
    expect(requests[0]?.body).toMatchObject({
      kind: 'INQUIRY',
      of: { acquirerId: 'A1', transactionCode: 'TOKEN_PURCHASE', consecutive: 'buy-1' },
    })
    expect(published[0]).toMatchObject({ topic: 'purchase.requests', key: 'A1:TOKEN_PURCHASE:buy-1' })
  })

  it('never shows a token, only its end', async () => {
    const { get, published } = await start({
      answer: () => ({
        responseCode: '00',
        authorizationNumber: '123456',
        state: 'approved',
        token: issuedToken(Date.UTC(2030, 0, 1)),
        tokenShown: true,
      }),
    })
    const { body } = await get('/financial/gen-1?acquirerId=A1&transactionCode=TOKEN_GENERATION')
    expect(body).not.toHaveProperty('token')
    expect(body.expiresAt).toBe('2030-01-01T00:00:00.000Z')
    expect(published[0]?.topic).toBe('token.requests')
  })

  it("may use the app's own code, and be of an undoing", async () => {
    const { get, requests } = await start({ answer: () => ({ responseCode: '25', state: 'declined' }) })
    await get('/financial/buy-1?acquirerId=A1&transactionCode=0200')
    expect((await get('/financial/void-1?acquirerId=A1&transactionCode=VOID')).body).toMatchObject({
      responseCode: '25',
      state: 'declined',
    })
    expect(requests.map(({ body }) => body.kind === 'INQUIRY' && body.of.transactionCode)).toEqual([
      'TOKEN_PURCHASE',
      'VOID',
    ])
  })

  it('with a part missing or malformed is 400 and names it', async () => {
    const { get, published } = await start({ answer: approve })
    const bad: readonly (readonly [string, readonly string[]])[] = [
      ['/financial/buy-1', ['acquirerId', 'transactionCode']],
      ['/financial/buy-1?acquirerId=A1', ['transactionCode']],
      ['/financial/buy-1?transactionCode=VOID', ['acquirerId']],
      ['/financial/buy-1?acquirerId=&transactionCode=', ['acquirerId', 'transactionCode']],
      ['/financial/buy-1?acquirerId=A1&acquirerId=A2&transactionCode=VOID', ['acquirerId']],
      ['/financial/buy-1?acquirerId=A1&transactionCode=NONE', ['transactionCode']],
      ['/financial/b%20y?acquirerId=A1&transactionCode=VOID', ['consecutive']],
      [`/financial/${'x'.repeat(65)}?acquirerId=A1&transactionCode=VOID`, ['consecutive']],
      [`/financial/${'x'.repeat(3_000)}?acquirerId=A1&transactionCode=VOID`, ['consecutive']],
      ['/financial/a%2Fb?acquirerId=A-1&transactionCode=VOID', ['consecutive', 'acquirerId']],
    ]
    for (const [path, fields] of bad) {
      const { status, body } = await get(path)
      expect([path, status, body.errors?.map((error: { field: string }) => error.field)]).toEqual([path, 400, fields])
    }
    expect(published).toHaveLength(0)
  })

  it("is 404 for another app's acquirer and for what is not decided, in the same words", async () => {
    const { get, published } = await start({ answer: () => ({ found: false }) })
    const undecided = await get(QUESTION)
    expect(published).toHaveLength(1)
    expect(undecided.status).toBe(404)
    expect(undecided.body.detail).toMatch(/podría decidirse.*REVERSAL/)
    const foreign = await get(QUESTION, { authorization: credentials(OTHER_APP.key, OTHER_APP.secret) })
    expect([foreign.status, foreign.body]).toEqual([404, undecided.body])
    expect(published).toHaveLength(1)
  })

  it('is 500 without an answer in time, and 401 without credentials', async () => {
    const { get } = await start({ answer: () => null, limits: { replyTimeoutMs: 100 } })
    expect((await get(QUESTION)).status).toBe(500)
    expect((await get(QUESTION, {})).status).toBe(401)
  })

  it('with a body that is too large or no JSON is refused like any other', async () => {
    const { app } = await start({ answer: () => ({ responseCode: '00', state: 'approved' }) })
    const ask = (payload: string, type: string) =>
      app.inject({
        method: 'GET',
        url: QUESTION,
        headers: { authorization: AUTHORIZATION, 'content-type': type },
        payload,
      })
    expect((await ask('x'.repeat(65_537), 'application/json')).statusCode).toBe(413)
    expect((await ask('x', 'text/plain')).statusCode).toBe(415)
    expect((await ask('{}', 'application/json')).statusCode).toBe(200)
  })

  it('may come with a JSON content type and no body, as official clients send it', async () => {
    const { get } = await start({ answer: () => ({ responseCode: '00', state: 'approved' }) })
    expect((await get(QUESTION, { authorization: AUTHORIZATION, 'content-type': 'application/json' })).status).toBe(200)
  })
})
