import { describe, expect, it } from 'vitest'
import { RESPONSE_CODES } from '../../../services/core/transaction/codes.ts'
import { ERROR_CODES } from '../../../services/ingress/openpay/errors.ts'
import { errorOf } from '../../../services/ingress/openpay/replies.ts'
import { LogOverloadedError } from '../../../services/ports/log.ts'
import { listen, sendRaw } from '../sockets.ts'
import {
  basicOf,
  charge,
  DISABLED,
  FOREIGN,
  MERCHANT,
  OTHER,
  PRIVATE,
  PUBLIC,
  servicePerTest,
  SLOW,
  TOKEN,
  type Answered,
} from './service.ts'

const start = servicePerTest()
const UNKNOWN = 'a'.repeat(20)
const [privateKey = '', secondKey = ''] = MERCHANT.privateKeys

function expectError({ status, body, headers }: Answered, http: number, code: number): void {
  expect([status, body.error_code]).toEqual([http, code])
  expect(body).toEqual({
    category: code === 1000 ? 'internal' : code > 3000 ? 'gateway' : 'request',
    error_code: code,
    description: expect.stringMatching(/^[A-ZÁÉÍÓÚ].{10,}\.$/),
    http_code: http,
    request_id: headers['x-request-id'],
  })
  expect(headers['content-type']).toBe('application/json; charset=utf-8')
}

/** Every route, with a body that is good. */
const ROUTES = [
  ['POST', '/tokens', TOKEN],
  ['GET', `/tokens/${UNKNOWN}`, undefined],
  ['POST', '/charges', charge(UNKNOWN)],
  ['GET', `/charges/${UNKNOWN}`, undefined],
  ['POST', `/charges/${UNKNOWN}/refund`, {}],
] as const

const WRONG_CREDENTIALS: readonly (readonly [what: string, headers: Record<string, string>, merchantId?: string])[] = [
  ['none', { authorization: '' }],
  ['a wrong key', basicOf(`${privateKey}x`)],
  ['no key', basicOf('')],
  ['a key with a password', { authorization: `Basic ${Buffer.from(`${privateKey}:secret`).toString('base64')}` }],
  ['a key as the password', { authorization: `Basic ${Buffer.from(`:${privateKey}`).toString('base64')}` }],
  ['a bearer token', { authorization: `Bearer ${privateKey}` }],
  ['no base64', { authorization: 'Basic ***' }],
  ['the merchant as the key', basicOf(MERCHANT.merchantId)],
  ["another merchant's key", FOREIGN],
  ["another merchant's path", PRIVATE, OTHER.merchantId],
  ['a path of nobody', PRIVATE, 'mnobody0000000000000'],
  ['a disabled merchant', basicOf(DISABLED.privateKeys[0] ?? ''), DISABLED.merchantId],
]

describe('keys', () => {
  it.each(ROUTES)('are asked for by %s %s', async (method, path, body) => {
    const service = await start()
    for (const [what, headers, merchantId] of WRONG_CREDENTIALS) {
      const answer = await service.call(method, path, { body, headers, ...(merchantId ? { merchantId } : {}) })
      expect([what, answer.headers['www-authenticate']]).toEqual([what, 'Basic realm="openpay", charset="UTF-8"'])
      expectError(answer, 401, 1002)
    }
    expect(service.published).toEqual([])
  })

  it.each(ROUTES.slice(1))('that are public may not %s %s', async (method, path, body) => {
    const service = await start()
    expectError(await service.call(method, path, { body, headers: PUBLIC }), 403, 1010)
    expect(service.published).toEqual([])
  })

  it('may be two while one replaces the other', async () => {
    const { post } = await start()
    expect((await post('/tokens', TOKEN, basicOf(secondKey))).status).toBe(201)
  })
})

describe('what is no resource', () => {
  it.each([
    ['GET', '/tokens'],
    ['DELETE', `/tokens/${UNKNOWN}`],
    ['PUT', '/charges'],
    ['GET', `/charges/${UNKNOWN}/refund`],
    ['POST', `/charges/${UNKNOWN}/capture`],
    ['POST', '/customers'],
    ['GET', ''],
    ['PATCH', '/'],
  ])('is 1005: %s %s', async (method, path) => {
    const service = await start()
    const headers = { ...PRIVATE, 'content-type': 'text/plain' }
    expectError(await service.call(method, path, { headers, ...(method === 'GET' ? {} : { body: 'x' }) }), 404, 1005)
    expectError(await service.call(method, path, { headers: {} }), 404, 1005)
  })

  it('has the error form outside of any merchant too, and another dialect has not', async () => {
    const { app } = await start()
    const get = async (url: string) => {
      const { statusCode, body, headers } = await app.inject({ method: 'GET', url })
      return { status: statusCode, text: body, body: JSON.parse(body), headers }
    }
    expectError(await get('/v1'), 404, 1005)
    expectError(await get('/v1/'), 404, 1005)
    expectError(await get(`/v1/${MERCHANT.merchantId}/tokens/a/b/c?x=1`), 404, 1005)
    expectError(await get('/v1/%zz'), 400, 1001)
    expect((await get('/v10/x')).headers['content-type']).toContain('problem+json')
    expect((await get('/nothing')).headers['content-type']).toContain('problem+json')
  })
})

it('keeps the error form however the path is written', async () => {
  const { app } = await start()
  const port = await listen(app)
  const key = PRIVATE.authorization
  const head = `Host: x\r\nConnection: close\r\nAuthorization: ${key}\r\n`
  const absent = await sendRaw(port, [`GET http://x/v1/nothing HTTP/1.1\r\n${head}\r\n`])
  expect(absent).toContain('"error_code":1005')
  const text = `${head}Content-Type: text/plain\r\nContent-Length: 1\r\n\r\nx`
  const typed = await sendRaw(port, [`POST /v%31/${MERCHANT.merchantId}/tokens HTTP/1.1\r\n${text}`])
  expect(typed).toContain('"error_code":1001')
})

describe('bodies', () => {
  const large = JSON.stringify({ ...TOKEN, holder_name: 'x'.repeat(65_536) })

  it('over 65,536 bytes are 1009, before their type and form are looked at', async () => {
    const { post } = await start()
    expectError(await post('/tokens', large), 413, 1009)
    expectError(await post('/tokens', large, { ...PRIVATE, 'content-type': 'text/plain' }), 413, 1009)
    expectError(await post('/charges', `{${large}`, PRIVATE), 413, 1009)
  })

  it('of another type are 1001 with 415, and JSON with a parameter is JSON', async () => {
    const { post } = await start()
    expectError(await post('/tokens', JSON.stringify(TOKEN), { ...PRIVATE, 'content-type': 'text/plain' }), 415, 1001)
    expect(
      (await post('/tokens', TOKEN, { ...PRIVATE, 'content-type': 'application/json;charset=utf-8' })).status,
    ).toBe(201)
  })

  it('are looked at after the key, and after what kind of key it is', async () => {
    const service = await start()
    expectError(await service.call('POST', '/tokens', { body: large, headers: basicOf('x') }), 401, 1002)
    expectError(await service.call('POST', '/charges', { body: large, headers: PUBLIC }), 403, 1010)
    expectError(await service.call('POST', '/charges', { body: '{', headers: PUBLIC }), 403, 1010)
    expectError(await service.call('POST', '/charges', { body: '{', headers: PRIVATE }), 400, 1001)
  })
})

describe('when the service cannot serve', () => {
  it('is 1004 with 503 and Retry-After, and nothing is published or stored', async () => {
    const service = await start({ storePing: () => Promise.reject(new Error('down')) })
    for (const [method, path, body] of ROUTES) {
      const answer = await service.call(method, path, { body })
      expectError(answer, 503, 1004)
      expect(answer.headers['retry-after']).toBe('1')
    }
    expect([service.published, service.stashes]).toEqual([[], []])
  })

  it('is 1004 when the log takes no more', async () => {
    const service = await start({ log: { publish: () => Promise.reject(new LogOverloadedError('full')) } })
    for (const [method, path, body] of ROUTES) expectError(await service.call(method, path, { body }), 503, 1004)
  })

  it('is 1000 when nothing answers in time', async () => {
    const service = await start({ workers: false, limits: { replyTimeoutMs: 150 } })
    for (const [method, path, body] of ROUTES) expectError(await service.call(method, path, { body }), 500, 1000)
  })
})

it('limits the rate of a merchant that has one, with 429 in the error form', async () => {
  const service = await start()
  const options = { headers: basicOf(SLOW.privateKeys[0] ?? ''), merchantId: SLOW.merchantId }
  const answers = []
  for (let n = 0; n < 3; n++) answers.push(await service.call('GET', '/tokens/x', options))
  expect(answers.map(({ status }) => status)).toEqual([404, 404, 429])
  const [, , last] = answers
  if (last) expectError(last, 429, 1004)
  expect(last?.headers['retry-after']).toBe('1')
  expect((await service.get(`/tokens/${UNKNOWN}`)).status).toBe(404)
})

it("takes the caller's own request id, if it holds no card number", async () => {
  const { get } = await start()
  const answer = await get('/tokens/x', { ...PRIVATE, 'x-request-id': 'mine-1' })
  expect([answer.headers['x-request-id'], answer.body.request_id]).toEqual(['mine-1', 'mine-1'])
  const other = await get('/tokens/x', { ...PRIVATE, 'x-request-id': 'id-4111111111111111' })
  expect(other.text).not.toContain('4111111111111111')
})

it('has an error for every response code, of the codes that the contract has', () => {
  const codes = RESPONSE_CODES.map(errorOf)
  expect(codes.every((code) => ERROR_CODES.includes(code))).toBe(true)
  const told = ['05', '12', '25', '43', '51', '54', '59', '68', '91', '94'] as const
  expect(told.map(errorOf)).toEqual([3001, 1003, 1005, 3004, 3003, 3002, 3005, 1004, 3001, 1006])
})
