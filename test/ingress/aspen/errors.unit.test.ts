// The form of the Aspen dialect's errors: bytes of the reason phrase, headers of every response, pages that explain.

import { connect, type AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { reasonPhrase, responseTime } from '../../../services/ingress/aspen/errors.ts'
import { EVENT_IDS, EVENTS } from '../../../services/ingress/aspen/events.ts'
import { ASPEN_APP, credentials, ingressPerTest } from '../harness.ts'
import { aspenClient, overSocket } from './client.ts'

const start = ingressPerTest()
const BASIC = { authorization: credentials(ASPEN_APP.key, ASPEN_APP.secret) }

/** The bytes that answer a request, as they came. */
async function bytesOf(port: number, request: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connect(port, '127.0.0.1', () => socket.write(request))
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('end', () => resolve(Buffer.concat(chunks)))
    socket.on('error', reject)
  })
}

describe('the reason phrase', () => {
  it('goes out in Latin-1, and the body in UTF-8', async () => {
    const { app } = await start()
    await app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.server.address() as AddressInfo
    const head = 'PUT /api/app/tokens/1 HTTP/1.1\r\nHost: x\r\nX-PRO-Auth-App: nobody\r\nX-PRO-Auth-Payload: x\r\n'
    const bytes = await bytesOf(port, `${head}Connection: close\r\n\r\n`)
    const [line, ...rest] = bytes.toString('latin1').split('\r\n')
    expect(line).toBe(
      "HTTP/1.1 400 Identificador de ApiKey no válido para la cabecera personalizada 'X-PRO-Auth-App'. EventId: (20005)",
    )
    expect(Buffer.from(rest.at(-1) ?? '', 'latin1').toString('utf8')).toBe(
      `{"eventId":"20005","message":"${EVENTS.unknownKey.message}"}`,
    )
  })

  it('holds nothing that could end the line or is no Latin-1', () => {
    expect(reasonPhrase('a\r\nSet-Cookie: x\tñ\u0000€😀\u0085')).toBe('a??Set-Cookie: x?ñ?????')
  })

  it.each(Object.entries(EVENTS))('of %s is whole in Latin-1', (_name, { message, eventId, status }) => {
    expect(reasonPhrase(message)).toBe(message)
    expect(EVENT_IDS).toContain(eventId)
    expect(status).toBeGreaterThanOrEqual(400)
  })
})

describe('the time of a response', () => {
  it('is minutes, seconds and milliseconds', () => {
    expect([0, 7.9, 999, 61_002, 3_599_999, 1e9].map(responseTime)).toEqual([
      '00:00:000',
      '00:00:007',
      '00:00:999',
      '01:01:002',
      '59:59:999',
      '99:40:000',
    ])
  })
})

describe('what has no route', () => {
  it.each([
    ['GET', '/api/app'],
    ['GET', '/api/app/'],
    ['GET', '/api/app/nada'],
    ['PATCH', '/api/app/tokens/1'],
    ['OPTIONS', '/api/app/tokens/channels'],
    ['HEAD', '/api/app/tokens/channels'],
    ['POST', '/api/app/auth/signin/x?y=1'],
  ])('is 404 in this form: %s %s', async (method, url) => {
    const { app } = await start()
    const answer = await app.inject({ method: method as 'GET', url, headers: { host: 'h:1' } })
    expect([answer.statusCode, answer.statusMessage]).toEqual([404, 'La ruta solicitada no existe. EventId: (15843)'])
    expect(answer.headers).toMatchObject({
      'x-pro-response-help': 'http://h:1/help/events/15843',
      'x-pro-response-time': expect.stringMatching(/^\d\d:\d\d:\d\d\d$/) as unknown,
      'x-request-id': expect.any(String) as unknown,
      'content-type': 'application/json; charset=utf-8',
    })
  })

  it('is a problem elsewhere', async () => {
    const { app } = await start()
    for (const url of ['/api/application', '/api', '/api/appx/tokens']) {
      const answer = await app.inject({ method: 'GET', url })
      expect([url, answer.statusCode, answer.headers['content-type']]).toEqual([
        url,
        404,
        'application/problem+json; charset=utf-8',
      ])
    }
  })

  it('nor is what is no path or no HTTP/1.1', async () => {
    const { app } = await start()
    await app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.server.address() as AddressInfo
    const lines = [
      'PUT /api/app/tokens/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      'GET /api/app/tokens/channels HTTP/1.1\r\nConnection: close\r\n\r\n',
    ]
    for (const line of lines) {
      const text = (await bytesOf(port, line)).toString('latin1')
      expect(text).toMatch(/^HTTP\/1\.1 400 La solicitud HTTP no es válida\. EventId: \(15844\)\r\n/)
      expect(text).toMatch(/\r\nx-pro-response-time: \d\d:\d\d:\d\d\d\r\n/)
      expect(text).toMatch(/\r\nx-pro-response-help: [^\r]*\/help\/events\/15844\r\n/)
    }
  })
})

describe('the link to the page', () => {
  it('is where callers reach the service, by configuration or by their own Host', async () => {
    const configured = await start({ publicUrl: 'https://pagos.example/x' })
    const answer = await configured.app.inject({ method: 'GET', url: '/api/app/nada', headers: { host: 'h' } })
    expect(answer.headers['x-pro-response-help']).toBe('https://pagos.example/x/help/events/15843')
    const { app } = await start()
    for (const [host, link] of [
      ['127.0.0.1:8080', 'http://127.0.0.1:8080/help/events/15843'],
      ['[::1]:80', 'http://[::1]:80/help/events/15843'],
      ['a b<script>', '/help/events/15843'],
    ] as const) {
      const { headers } = await app.inject({ method: 'GET', url: '/api/app/nada', headers: { host } })
      expect(headers['x-pro-response-help']).toBe(link)
    }
  })

  it.each(EVENT_IDS)('leads to a page that explains %s', async (eventId) => {
    const { app } = await start()
    const page = await app.inject({ method: 'GET', url: `/help/events/${eventId}` })
    expect([page.statusCode, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8'])
    expect(page.body).toContain(`<h1>Evento ${eventId}</h1>`)
    for (const { message } of Object.values(EVENTS).filter((event) => event.eventId === eventId)) {
      expect(page.body).toContain(message)
    }
    expect(page.body).toMatch(/<h2>Qué hacer<\/h2>\n<p>.{20,}<\/p>/)
  })

  it('leads nowhere for other numbers, which are not repeated', async () => {
    const { app } = await start()
    const page = await app.inject({ method: 'GET', url: '/help/events/<script>' })
    expect([page.statusCode, page.body.includes('script')]).toEqual([404, false])
  })
})

describe('over a real connection', () => {
  it('a client that reads Latin-1 sees text and number, on a connection that stays good', async () => {
    const { app } = await start()
    await app.listen({ host: '127.0.0.1', port: 0 })
    const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/api/app/tokens/channels`
    const refused = await overSocket(url, 'GET', { authorization: credentials('nobody', 'x') })
    expect(refused.reason).toBe(`${EVENTS.wrongBasic.message} EventId: (20005)`)
    expect((await overSocket(url, 'GET', BASIC)).status).toBe(200)
    const client = aspenClient(app, ASPEN_APP)
    expect((await client.signIn()).status).toBe(200)
  })
})
