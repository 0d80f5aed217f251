import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'
import { afterEach, describe, expect, it } from 'vitest'
import {
  createWebhookEndpoint,
  isWebhookSecret,
  webhookHeaders,
  type WebhookEndpoint,
} from '../../../services/adapters/http/webhook-endpoint.ts'

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const OLD_SECRET = `whsec_${Buffer.alloc(24, 9).toString('base64')}`
const MESSAGE = { id: 'evt_1', body: '{"type":"transaction.approved","data":{"name":"Muñoz"}}' }
const DEADLINE = { deadlineMs: 2_000 }

let server: Server | undefined
let endpoint: WebhookEndpoint | undefined

afterEach(() => {
  endpoint?.close()
  server?.closeAllConnections()
  server?.close()
})

async function receive(handler: (request: IncomingMessage, response: ServerResponse) => void, secrets = [SECRET]) {
  server = createServer(handler)
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  endpoint = createWebhookEndpoint({ url: `http://127.0.0.1:${port}/hook`, secrets })
  return endpoint
}

describe('a webhook endpoint', () => {
  it('posts JSON that a receiver verifies with either of two secrets', async () => {
    const seen: { headers: IncomingMessage['headers']; body: string }[] = []
    const to = await receive(
      (request, response) =>
        void text(request).then((body) => {
          seen.push({ headers: request.headers, body })
          response.writeHead(204).end()
        }),
      [SECRET, OLD_SECRET],
    )
    expect(await to.post(MESSAGE, DEADLINE)).toEqual({ outcome: 'delivered', status: 204 })
    const { headers = {}, body = '' } = seen[0] ?? {}
    expect(headers['content-type']).toBe('application/json')
    for (const secret of [SECRET, OLD_SECRET])
      expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toEqual(JSON.parse(MESSAGE.body))
    const stranger = new Webhook(`whsec_${Buffer.alloc(24, 1).toString('base64')}`)
    expect(() => stranger.verify(body, headers as Record<string, string>)).toThrow('No matching signature')
  })

  it('signs the vector of the Standard Webhooks reference libraries', () => {
    const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek'
    const headers = webhookHeaders(
      ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
      { id, body: '{"test": 2432232314}' },
      1_614_265_330_000,
    )
    expect(headers).toEqual({
      'webhook-id': id,
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    })
  })

  it('tells by the status whether to come again', async () => {
    let [status, headers]: [number, Record<string, string>] = [200, {}]
    const to = await receive((_request, response) => response.writeHead(status, headers).end('answer'))
    const ask = (nextStatus: number, nextHeaders = {}) => {
      ;[status, headers] = [nextStatus, nextHeaders]
      return to.post(MESSAGE, DEADLINE)
    }
    expect(await ask(200)).toEqual({ outcome: 'delivered', status: 200 })
    expect(await ask(410)).toEqual({ outcome: 'gone', status: 410 })
    expect(await ask(500)).toEqual({ outcome: 'failed', reason: 'status-500', status: 500 })
    expect(await ask(429, { 'retry-after': '7' })).toMatchObject({ outcome: 'failed', retryAfterMs: 7_000 })
    const inTenSeconds = new Date(Date.now() + 10_000).toUTCString()
    const dated = await ask(503, { 'retry-after': inTenSeconds })
    expect(dated).toMatchObject({ reason: 'status-503' })
    expect('retryAfterMs' in dated && dated.retryAfterMs).toBeGreaterThan(7_000)
    expect(await ask(503, { 'retry-after': '999999999' })).toMatchObject({ retryAfterMs: 3_600_000 })
  })

  it('does not follow a redirect', async () => {
    const paths: (string | undefined)[] = []
    const to = await receive((request, response) => {
      paths.push(request.url)
      response.writeHead(307, { location: '/elsewhere' }).end()
    })
    expect(await to.post(MESSAGE, DEADLINE)).toMatchObject({ outcome: 'failed', reason: 'status-307' })
    expect(paths).toEqual(['/hook'])
  })

  it('gives up at its deadline: on silence, and on an answer that trickles', async () => {
    const silent = await receive(() => undefined)
    const begin = performance.now()
    expect(await silent.post(MESSAGE, { deadlineMs: 150 })).toEqual({ outcome: 'failed', reason: 'timeout' })
    expect(performance.now() - begin).toBeLessThan(1_500)
    endpoint?.close()
    server?.closeAllConnections()
    const trickling = await receive((_request, response) => {
      response.writeHead(200)
      const timer = setInterval(() => response.write('.'), 20)
      response.once('close', () => clearInterval(timer))
    })
    expect(await trickling.post(MESSAGE, { deadlineMs: 150 })).toEqual({ outcome: 'failed', reason: 'timeout' })
  })

  it('reads no endless answer', async () => {
    const to = await receive((_request, response) => {
      response.writeHead(200)
      const pour = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      }
      response.on('drain', pour)
      pour()
    })
    expect(await to.post(MESSAGE, DEADLINE)).toEqual({ outcome: 'delivered', status: 200 })
  })

  it('says that a connection was cut, refused, or ended by the caller', async () => {
    const to = await receive((request) => request.socket.destroy())
    expect(await to.post(MESSAGE, DEADLINE)).toEqual({ outcome: 'failed', reason: 'ECONNRESET' })
    const ended = AbortSignal.abort()
    expect(await to.post(MESSAGE, { ...DEADLINE, signal: ended })).toEqual({ outcome: 'failed', reason: 'aborted' })
    server?.closeAllConnections()
    await new Promise((resolve) => server?.close(resolve))
    expect(await to.post(MESSAGE, DEADLINE)).toEqual({ outcome: 'failed', reason: 'ECONNREFUSED' })
  })

  it('tries once more on a new connection when a kept one was closed meanwhile', async () => {
    let connections = 0
    let calls = 0
    const to = await receive((request, response) => {
      calls += 1
      if (calls === 2) return void request.socket.destroy()
      response.writeHead(200).end()
    })
    server?.on('connection', () => (connections += 1))
    expect(await to.post(MESSAGE, DEADLINE)).toMatchObject({ outcome: 'delivered' })
    expect(await to.post(MESSAGE, DEADLINE)).toMatchObject({ outcome: 'delivered' })
    expect([calls, connections]).toEqual([3, 2])
  })

  it('is not made for a URL or a secret that may not be used, and quotes neither', () => {
    const make = (url: string, secrets: string[]) => () => createWebhookEndpoint({ url, secrets })
    expect(make('http://example.com/', [SECRET])).toThrow('the URL must be https')
    expect(make('https://10.0.0.1/', [SECRET])).toThrow('private')
    expect(make('https://example.com/', [])).toThrow('a secret is needed')
    expect(make('https://example.com/', ['whsec_c2hvcnQ='])).toThrow(/^a secret is whsec_ and 24 to 64 bytes/)
    for (const text of ['', 'whsec_', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', `whsec_${'A'.repeat(100)}`, 'whsec_*'])
      expect({ text, is: isWebhookSecret(text) }).toEqual({ text, is: false })
  })
})
