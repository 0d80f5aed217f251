// HTTP around the dialects: request ids, unknown paths, malformed and slow requests, big bodies on real sockets.

import { afterEach, describe, expect, it } from 'vitest'
import { fetch } from 'undici'
import {
  approve,
  AUTHORIZATION,
  CARD,
  JSON_HEADERS,
  PURCHASE,
  startIngress,
  type Harness,
  type HarnessOptions,
} from '../harness.ts'
import { listen, sendRaw } from '../sockets.ts'

let harness: Harness
const start = async (options?: HarnessOptions) => (harness = await startIngress(options))
afterEach(() => harness.app.close())

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const POST = `POST /financial HTTP/1.1\r\nHost: x\r\nAuthorization: ${AUTHORIZATION}\r\n`

describe('X-Request-Id', () => {
  it("is the caller's own on every response, also on errors", async () => {
    const { app } = await start({ answer: approve })
    const calls = [
      { method: 'POST', url: '/financial', headers: JSON_HEADERS, payload: JSON.stringify(PURCHASE) },
      { method: 'POST', url: '/financial', headers: JSON_HEADERS, payload: '{' },
      { method: 'POST', url: '/financial', headers: { ...JSON_HEADERS, 'content-type': 'text/plain' }, payload: 'x' },
      { method: 'POST', url: '/financial', headers: JSON_HEADERS, payload: 'x'.repeat(70_000) },
      { method: 'POST', url: '/financial' },
      { method: 'GET', url: '/health/live' },
      { method: 'GET', url: '/metrics' },
      { method: 'GET', url: '/nowhere' },
      { method: 'DELETE', url: '/financial' },
      { method: 'GET', url: '/financial/%zz' },
      { method: 'HEAD', url: '/financial' },
      { method: 'PROPFIND', url: '/financial' },
      { method: 'PURGE', url: '/' },
    ] as const
    for (const call of calls) {
      const headers = { ...('headers' in call ? call.headers : {}), 'x-request-id': 'Abc.1_2-3' }
      const response = await app.inject({ ...call, method: call.method as 'GET', headers })
      expect([call.method, call.url, response.headers['x-request-id']]).toEqual([call.method, call.url, 'Abc.1_2-3'])
    }
  })

  it("is a new UUID where the caller's is malformed or holds a card number", async () => {
    const { app } = await start()
    const seen = new Set<string>()
    for (const id of [undefined, '', 'a b', 'x'.repeat(65), 'ñ', `id-${CARD}`, CARD, 'a,b']) {
      const { headers } = await app.inject({
        method: 'GET',
        url: '/health/live',
        headers: id === undefined ? {} : { 'x-request-id': id },
      })
      expect(headers['x-request-id']).toMatch(UUID)
      seen.add(String(headers['x-request-id']))
    }
    expect(seen.size).toBe(8)
    const harmless = ['6039591000000019', '12345678-4242-4242-8242-42abcdefabcd', '4111-1111-1111-1111', 'x'.repeat(64)]
    for (const id of harmless) {
      const kept = await app.inject({ method: 'GET', url: '/health/live', headers: { 'x-request-id': id } })
      expect(kept.headers['x-request-id']).toBe(id)
    }
  })
})

describe('an unknown path or method', () => {
  it('is a 404 problem that names neither', async () => {
    const { app } = await start()
    const unknown = [
      ['GET', '/'],
      ['PUT', '/financial'],
      ['GET', '/financial'],
      ['POST', '/financial/x'],
      ['PURGE', '/financial'],
      ['HEAD', '/health/live'],
    ]
    for (const [method, url] of unknown) {
      const response = await app.inject({ method: method as 'GET', url: url as string })
      expect([method, url, response.statusCode]).toEqual([method, url, 404])
      expect(response.headers['content-type']).toMatch(/^application\/problem\+json/)
    }
    const odd = await app.inject({
      method: 'POST',
      url: `/tokens/${CARD}`,
      headers: { 'content-type': 'text/plain' },
      payload: 'x'.repeat(70_000),
    })
    expect([odd.statusCode, odd.body.includes(CARD)]).toEqual([404, false])
    expect(JSON.stringify(harness.lines)).not.toContain(CARD)
  })
})

describe('a broken request', () => {
  it('gets a minimal answer and its connection closed', async () => {
    const port = await listen((await start()).app)
    const broken: readonly (readonly [string, RegExp])[] = [
      ['nonsense\r\n\r\n', /^HTTP\/1\.1 400 /],
      ['GET / HTTP/9.9\r\n\r\n', /^HTTP\/1\.1 400 /],
      [`${POST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, /^HTTP\/1\.1 400 /],
      [`GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
    ]
    for (const [bytes, status] of broken) {
      const answer = await sendRaw(port, [bytes])
      expect(answer).toMatch(status)
      expect(answer).toMatch(/X-Request-Id: [0-9a-f-]{36}\r\n/)
      expect(answer).toMatch(/application\/problem\+json/)
      expect(answer).toMatch(/Connection: close/)
    }
    const logged = harness.lines.map(({ fields }) => fields)
    expect(logged).toEqual(
      [400, 400, 400, 431].map((status) => ({ requestId: expect.stringMatching(UUID), route: 'unknown', status })),
    )
  })

  it('without a Host, or with an Expect that nobody knows, is a problem with an id', async () => {
    const port = await listen((await start()).app)
    const hostless = await sendRaw(port, ['GET /health/live HTTP/1.1\r\nConnection: close\r\n\r\n'])
    expect(hostless).toMatch(/^HTTP\/1\.1 400 [^]*x-request-id: [0-9a-f-]{36}/i)
    const expecting = await sendRaw(port, [
      'GET /health/live HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\nX-Request-Id: mine\r\nConnection: close\r\n\r\n',
    ])
    expect(expecting).toMatch(/^HTTP\/1\.1 417 [^]*x-request-id: mine/i)
  })

  it('that offers to speak HTTP/2 is served as it is', async () => {
    const port = await listen((await start()).app)
    const offer = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n'
    expect(await sendRaw(port, [`GET /health/live HTTP/1.1\r\nHost: x\r\n${offer}\r\n`])).toMatch(/^HTTP\/1\.1 200 /)
  })

  it('that arrives too slowly is cut off, headers and body', async () => {
    const limits = { requestTimeoutMs: 1_000, headersTimeoutMs: 300 }
    const port = await listen((await start({ limits })).app)
    const [headers, body] = await Promise.all([
      sendRaw(port, ['GET / HTTP/1.1\r\nHost'], 4_000),
      sendRaw(port, [`${POST}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{`], 4_000),
    ])
    expect(headers).toMatch(/^HTTP\/1\.1 408 /)
    expect(body).toMatch(/^HTTP\/1\.1 408 /)
  })
})

describe('a body on a socket', () => {
  it('over the limit is 413, with its length declared or in chunks, and the connection goes on', async () => {
    const { app } = await start({ answer: approve })
    const port = await listen(app)
    const big = 'x'.repeat(300_000)
    for (let round = 0; round < 20; round += 1) {
      const declared = await fetch(`http://127.0.0.1:${port}/financial`, {
        method: 'POST',
        headers: JSON_HEADERS,
        body: big,
      })
      expect(declared.status).toBe(413)
      await declared.text()
    }
    const next = 'GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
    for (const type of ['application/json', 'text/plain', 'garbage']) {
      const head = `${POST}Content-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`
      const answer = await sendRaw(port, [head, `${big.length.toString(16)}\r\n`, big, '\r\n0\r\n\r\n', next], 2_000)
      expect([type, answer.match(/HTTP\/1\.1 \d+/g)]).toEqual([type, ['HTTP/1.1 413', 'HTTP/1.1 200']])
    }
  })

  it('in JSON over many small chunks is read whole', async () => {
    const port = await listen((await start({ answer: approve })).app)
    const bytes = Buffer.from(JSON.stringify({ ...PURCHASE, metadata: 'año ñandú' }))
    const head = `${POST}Content-Type: application/json\r\nContent-Length: ${bytes.length}\r\nConnection: close\r\n\r\n`
    const answer = await sendRaw(port, [head, ...Array.from(bytes, (byte) => Buffer.from([byte]))], 2_000)
    expect(answer).toMatch(/^HTTP\/1\.1 200 /)
  })
})

describe('logs and metrics', () => {
  it("have one line a response, with the route's pattern and nothing of the caller", async () => {
    const { post, get, lines, registry } = await start({ answer: approve })
    await post(PURCHASE, { ...JSON_HEADERS, 'x-request-id': 'id-1' })
    await get(`/financial/${CARD}?acquirerId=A1`)
    expect(lines.map(({ fields }) => fields)).toEqual([
      {
        requestId: 'id-1',
        method: 'POST',
        route: '/financial',
        status: 200,
        ms: expect.any(Number),
        responseCode: '00',
      },
      {
        requestId: expect.stringMatching(UUID),
        method: 'GET',
        route: '/financial/:consecutive',
        status: 400,
        ms: expect.any(Number),
      },
    ])
    const text = await registry.metrics()
    expect(text).toMatch(/ingress_responses_total\{route="\/financial",status="200",code="00"\} 1/)
    expect(text).toMatch(/ingress_response_seconds_bucket/)
  })

  it('are served as Prometheus reads them', async () => {
    const { app } = await start()
    const response = await app.inject({ method: 'GET', url: '/metrics' })
    expect([response.statusCode, response.headers['content-type']]).toEqual([
      200,
      expect.stringMatching(/^text\/plain/),
    ])
    expect(response.body).toMatch(/ingress_open_calls 0/)
  })
})
