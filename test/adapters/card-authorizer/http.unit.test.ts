// A real receiver on a loopback port, which answers as each test tells it: well, slowly, brokenly, not at all.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { createHttpAuthorizer, type HttpAuthorizer } from '../../../services/adapters/card-authorizer/http.ts'
import { amountMinor } from '../../../services/core/money/amount.ts'
import { DEMO_SET_FILE } from '../../../services/runtime/apps.ts'
import { readWorkerConfig } from '../../../services/runtime/config-worker.ts'
import { TEST_CERT, TEST_KEY } from './test-certificate.ts'

const KEY = 'm1:CARD_CHARGE:c.1_x-y'
const NUMBER = '4111111111111111'
const REQUEST = {
  key: KEY,
  operation: 'charge',
  amountMinor: amountMinor(1_050),
  currency: 'COP',
  cardNumber: NUMBER,
  securityCode: '987',
  merchantId: 'm1',
} as const
const REFUND = { key: 'm1:CHARGE_REFUND:r1', original: KEY, amountMinor: amountMinor(50) }

interface Seen {
  readonly method?: string
  readonly url?: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}
type Answering = (response: ServerResponse, seen: Seen, socket: Socket) => void

const open: { close(): void }[] = []
const seen: Seen[] = []
const faults: string[] = []
afterEach(() => {
  for (const one of open.splice(0)) one.close()
  seen.length = 0
  faults.length = 0
})

function handler(answering: Answering) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      const one = { method: request.method, url: request.url, headers: request.headers, body }
      seen.push(one)
      answering(response, one, request.socket)
    })
  }
}

async function listening(server: TcpServer | Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push({
    close: () => {
      server.close()
      if ('closeAllConnections' in server) server.closeAllConnections()
    },
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
}

function authorizerAt(url: string, deadlineMs = 1_000): HttpAuthorizer {
  const onFault = (call: string, reason: string) => void faults.push(`${call} ${reason}`)
  const authorizer = createHttpAuthorizer({ url, deadlineMs, maxSockets: 4, authorization: 'Bearer secret', onFault })
  open.push(authorizer)
  return authorizer
}

async function told(answering: Answering, deadlineMs?: number): Promise<HttpAuthorizer> {
  return authorizerAt(await listening(createServer(handler(answering))), deadlineMs)
}

const json =
  (body: unknown, status = 200): Answering =>
  (response) =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
/** All four calls. */
const all = async (a: HttpAuthorizer) => ({
  authorize: (await a.authorize(REQUEST)).kind,
  inquire: (await a.inquire(KEY)).kind,
  reverse: await a.reverse(KEY),
  refund: (await a.refund(REFUND)).kind,
})
const NOTHING_KNOWN = { authorize: 'unknown', inquire: 'unknown', reverse: false, refund: 'unknown' }
const NOTHING_DONE = { authorize: 'not-done', inquire: 'unknown', reverse: false, refund: 'not-done' }

describe('the authorizer of cards behind HTTP', () => {
  it('is asked as its page says, with the key, and the number in the body only', async () => {
    const a = await told((response, { url = '', body }) => {
      const key = url.includes('refunds') ? REFUND.key : KEY
      const status = url.endsWith('reversal') ? 'reversed' : 'approved'
      json({ key, status, authorizationNumber: '012345', more: body.length })(response, {} as Seen, {} as Socket)
    })
    const approved = { kind: 'approved', authorizationNumber: '012345' }
    expect(await a.authorize(REQUEST)).toEqual(approved)
    expect(await a.inquire(KEY)).toEqual(approved)
    expect(await a.reverse(KEY)).toBe(true)
    expect(await a.refund(REFUND)).toEqual(approved)
    expect(seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'POST /v1/authorizations',
      'GET /v1/authorizations/m1%3ACARD_CHARGE%3Ac.1_x-y',
      'POST /v1/authorizations/m1%3ACARD_CHARGE%3Ac.1_x-y/reversal',
      'POST /v1/refunds',
    ])
    expect(seen.map(({ headers }) => headers['idempotency-key'])).toEqual([KEY, undefined, KEY, REFUND.key])
    for (const { headers } of seen) expect(headers.authorization).toBe('Bearer secret')
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual({
      key: KEY,
      operation: 'charge',
      amountMinor: 1_050,
      currency: 'COP',
      merchantId: 'm1',
      card: { number: NUMBER, securityCode: '987' },
    })
    expect(JSON.parse(seen[3]?.body ?? '')).toEqual({ ...REFUND, currency: 'COP' })
    expect(JSON.stringify(seen.map(({ headers, url }) => [headers, url]))).not.toContain(NUMBER)
    expect(faults).toEqual([])
  })

  it.each([
    ['51', '51'],
    ['05', '05'],
    ['54', '54'],
    ['43', '43'],
    ['59', '59'],
    ['a code of its own', '05'],
    [undefined, '05'],
  ])('declines with code %s as %s', async (code, expected) => {
    const a = await told(json({ key: KEY, status: 'declined', code }))
    expect(await a.authorize(REQUEST)).toEqual({ kind: 'declined', code: expected })
  })

  it('tells a reversed one from one that is still pending', async () => {
    const reversed = await told(json({ key: KEY, status: 'reversed' }))
    expect(await reversed.authorize(REQUEST)).toEqual({ kind: 'not-done' })
    expect(await reversed.inquire(KEY)).toEqual({ kind: 'not-done' })
    const pending = await told(json({ key: KEY, status: 'pending' }))
    expect((await pending.inquire(KEY)).kind).toBe('unknown')
    expect(await pending.reverse(KEY)).toBe(false)
    const approved = await told(json({ key: KEY, status: 'approved' }))
    expect(await approved.reverse(KEY)).toBe(false)
    expect(await approved.authorize(REQUEST)).toEqual({ kind: 'approved' })
  })

  it.each([400, 401, 403, 404, 413, 415, 422, 429])('%i says that nothing was done', async (status) => {
    expect(await all(await told(json({ key: KEY, status: 'approved' }, status)))).toEqual(NOTHING_DONE)
  })

  it.each([202, 204, 302, 307, 402, 408, 409, 425, 500, 502, 503, 504])('%i says nothing', async (status) => {
    const a = await told((response) => void response.writeHead(status, { location: '/v1/elsewhere' }).end())
    expect(await all(a)).toEqual(NOTHING_KNOWN)
    expect(seen).toHaveLength(4)
    expect(faults).toContain(`authorize status-${status}`)
  })

  it.each<[string, string]>([
    ['garbage', '<html>'],
    ['nothing', ''],
    ['null', 'null'],
    ['another form', '{"approved":true}'],
    ['an unknown status', JSON.stringify({ key: KEY, status: 'fine' })],
    ['an odd number', JSON.stringify({ key: KEY, status: 'approved', authorizationNumber: '12' })],
    ['another key', JSON.stringify({ key: 'm1:CARD_CHARGE:c2', status: 'approved' })],
    ['no key', JSON.stringify({ status: 'approved' })],
    ['too much', JSON.stringify({ key: KEY, status: 'approved', more: 'x'.repeat(70_000) })],
  ])('takes %s for no answer', async (_, body) => {
    expect(await all(await told((response) => void response.end(body)))).toEqual(NOTHING_KNOWN)
    expect(faults.join()).not.toContain('approved')
  })

  it.each<[string, Answering]>([
    ['resets the connection before its answer', (_response, _seen, socket) => void socket.resetAndDestroy()],
    [
      'breaks off in the middle of its answer',
      (response, _seen, socket) => {
        response.writeHead(200, { 'content-length': 1_000 }).write(`{"key":"${KEY}","status":"approved"}`)
        setTimeout(() => socket.resetAndDestroy(), 20)
      },
    ],
    [
      'ends its answer early',
      (response, _seen, socket) => {
        response.writeHead(200, { 'content-length': 1_000 }).write(`{"key":"${KEY}","status":"approved"}`)
        setTimeout(() => socket.end(), 20)
      },
    ],
    ['says nothing', () => undefined],
    ['never ends its answer', (response) => void response.write(`{"key":"${KEY}",`)],
  ])('does not know what became of it when the other side %s, and sends nothing twice', async (_, answering) => {
    expect(await all(await told(answering, 200))).toEqual(NOTHING_KNOWN)
    expect(seen).toHaveLength(4)
  })

  it('knows that nothing was done where there was no connection', async () => {
    const server = createServer()
    const url = await listening(server)
    server.close()
    await once(server, 'close')
    expect(await all(authorizerAt(url))).toEqual(NOTHING_DONE)
    expect(faults[0]).toBe('authorize ECONNREFUSED')
  })

  it('knows it also when the wait for a connection took all the time', async () => {
    const silent = createTcpServer((socket) => socket.on('error', () => undefined))
    const url = await listening(silent)
    expect(await all(authorizerAt(url.replace('http:', 'https:'), 200))).toEqual(NOTHING_DONE)
    expect(faults[0]).toBe('authorize timeout')
  })

  it('sends nothing to a server whose certificate it cannot verify, or that speaks no TLS', async () => {
    let bytes = 0
    const plain = createTcpServer((socket) =>
      socket.on('error', () => undefined).once('data', () => socket.end('no\n')),
    )
    const url = await listening(plain)
    expect(await all(authorizerAt(url.replace('http:', 'https:')))).toEqual(NOTHING_DONE)
    const unproven = createTlsServer({ key: TEST_KEY, cert: TEST_CERT }, () => bytes++)
    const secure = await listening(unproven)
    expect(await all(authorizerAt(secure.replace('http:', 'https:')))).toEqual(NOTHING_DONE)
    expect(bytes).toBe(0)
  })

  it('takes a certificate of the authority that it is given', async () => {
    const server = createTlsServer({ key: TEST_KEY, cert: TEST_CERT }, handler(json({ key: KEY, status: 'approved' })))
    const url = (await listening(server)).replace('http://127.0.0.1', 'https://localhost')
    const a = createHttpAuthorizer({ url, deadlineMs: 1_000, maxSockets: 2, ca: TEST_CERT })
    open.push(a)
    expect(await a.authorize(REQUEST)).toEqual({ kind: 'approved' })
    expect(await a.authorize(REQUEST)).toEqual({ kind: 'approved' })
  })
})

describe('its configuration', () => {
  const worker = {
    KAFKA_BROKERS: 'k:9092',
    REDIS_URL: 'redis://r:6379',
    APPS_FILE: DEMO_SET_FILE,
    CARD_AUTHORIZER: 'http',
  }

  it('needs an address, and quotes none', () => {
    expect(() => readWorkerConfig(worker)).toThrow('CARD_AUTHORIZER_URL: is required when CARD_AUTHORIZER is http')
    for (const url of ['ftp://x', 'nonsense', 'https://user:canary@x', 'https://x?canary', 'https://x#canary']) {
      expect(() => readWorkerConfig({ ...worker, CARD_AUTHORIZER_URL: url })).toThrow(/^CARD_AUTHORIZER_URL: must/)
      expect(() => readWorkerConfig({ ...worker, CARD_AUTHORIZER_URL: url })).not.toThrow(/canary/)
    }
    const config = readWorkerConfig({ ...worker, CARD_AUTHORIZER_URL: 'http://bank:8080/v1' })
    expect(config.authorizer).toMatchObject({ kind: 'http', url: 'http://bank:8080/v1', deadlineMs: 5_000 })
  })

  it('refuses plain HTTP in production, but for this machine', () => {
    const key = { id: 'k', key: Buffer.alloc(32).toString('base64') }
    const KEYS = JSON.stringify({ identity: key, token: [key], seal: [key] })
    const production = { ...worker, APPS_FILE: undefined, KEYS, ENVIRONMENT: 'production' }
    const read = (CARD_AUTHORIZER_URL: string) =>
      readWorkerConfig({ ...production, CARD_AUTHORIZER_URL }).authorizer.kind
    expect(() => read('http://bank/v1')).toThrow('CARD_AUTHORIZER_URL: must be https in production')
    expect([read('https://bank/v1'), read('http://127.0.0.1:9/v1')]).toEqual(['http', 'http'])
  })
})
