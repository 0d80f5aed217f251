// The Aspen dialect on real processes: two ingress instances on one Redis, tokens delivered by webhook, and a loss in Redis.

import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TOPIC } from '../../services/runtime/topics.ts'
import { claimsOf, jwt, overSocket, type Answer } from '../ingress/aspen/client.ts'
import { askRedis } from '../servers/redis-probe.ts'
import { Stack, wire } from './harness.ts'
import { consecutive, OTHER_CREDENTIALS } from './http.ts'

const APP = 'other-aspen'
const APP_SECRET = 'other-aspen-secret-of-at-least-32-bytes'
const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const USER = { docType: 'CC', docNumber: '1012345678' }
const CHANNELS = '/tokens/channels'

let receiver: Server
let receiverStatus = 204
const delivered: { readonly data: { readonly token: string; readonly docNumber: string } }[] = []
let stack: Stack
let session: string | undefined

beforeAll(async () => {
  receiver = createServer((request, response) => {
    void text(request).then((body) => {
      new Webhook(WEBHOOK_SECRET).verify(body, request.headers as Record<string, string>)
      delivered.push(JSON.parse(body) as (typeof delivered)[number])
      response.writeHead(receiverStatus).end()
    })
  })
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  const { port } = receiver.address() as AddressInfo
  stack = await Stack.start({
    instances: { ingress: 2 },
    env: { DELIVERY_URL: `http://127.0.0.1:${port}/tokens`, DELIVERY_SECRET: WEBHOOK_SECRET },
  })
})
afterAll(async () => {
  await stack?.stop()
  receiver?.closeAllConnections()
  receiver?.close()
})

/** A signed call to an ingress instance. */
async function call(
  instance: 1 | 2,
  method: string,
  path: string,
  body?: object,
  claims: object = {},
): Promise<Answer> {
  const url = `${stack.services.get(`ingress-${instance}`)?.url}/api/app${path}`
  const payload = jwt({ Nonce: randomUUID(), Epoch: Date.now() / 1_000, Token: session, ...claims }, APP_SECRET)
  const headers = { 'X-PRO-Auth-App': APP, 'X-PRO-Auth-Payload': payload, 'Content-Type': 'application/json' }
  return overSocket(url, method, headers, body === undefined ? '' : JSON.stringify(body))
}

async function signIn(instance: 1 | 2, claims: object = {}): Promise<Answer> {
  const answer = await call(instance, 'POST', '/auth/signin', undefined, { Token: undefined, ...claims })
  if (answer.status === 200) session = String(claimsOf(answer.text, APP_SECRET)['jti'])
  return answer
}

async function purchase(token: string, acquirerId: string, authorization?: string): Promise<string | undefined> {
  const acquirer = { id: acquirerId, storeId: 'S1', terminalId: 'T1' }
  const spending = {
    transactionCode: 'TOKEN_PURCHASE',
    cardNumber: '6039591000000018',
    accountType: '10',
    amount: 25_000,
  }
  const body = { consecutive: consecutive(), acquirer, token, ...spending }
  const answer = await stack.post(body as never, authorization === undefined ? {} : { headers: { authorization } })
  return answer.body.responseCode
}

describe('two ingress instances on one Redis', () => {
  it('send, deliver by webhook, claim once, and let an app of that client alone spend, once', async () => {
    expect((await signIn(1)).status).toBe(200)
    const sent = await call(2, 'POST', '/tokens/send', { ...USER, amount: 25_000 })
    expect([sent.status, sent.text]).toEqual([200, '{"debugMode":false}'])
    const { token, docNumber } = delivered.at(-1)?.data ?? { token: '', docNumber: '' }
    expect([token, docNumber]).toEqual([expect.stringMatching(/^\d{6}$/), USER.docNumber])
    const body = { ...USER, amount: 25_000 }
    expect((await call(1, 'PUT', `/tokens/${token}`, body)).text).toBe('{"amount":25000,"accountType":null}')
    const again = await call(2, 'PUT', `/tokens/${token}`, body)
    expect([again.status, again.reason]).toEqual([
      404,
      'No se encontró un token con los valores proporcionados. EventId: (355006)',
    ])
    expect(await purchase(token, 'A1')).toBe('55')
    expect(await purchase(token, 'B1', OTHER_CREDENTIALS)).toBe('00')
    expect(await purchase(token, 'B1', OTHER_CREDENTIALS)).toBe('55')
  })

  it('know each nonce once, and one session, the newest', async () => {
    const Nonce = randomUUID()
    expect((await call(1, 'GET', CHANNELS, undefined, { Nonce })).text).toBe(
      '[{"key":"webhook","name":"Mensaje al usuario"}]',
    )
    const replayed = await call(2, 'GET', CHANNELS, undefined, { Nonce })
    expect([replayed.status, replayed.reason]).toEqual([400, 'Nonce ya procesado para su aplicación. EventId: (15852)'])
    const older = session
    expect((await signIn(2)).status).toBe(200)
    expect((await call(1, 'GET', CHANNELS, undefined, { Token: older })).body).toMatchObject({ eventId: '15847' })
    expect((await call(1, 'GET', CHANNELS)).status).toBe(200)
    const known = (await askRedis(stack.servers.redisUrl, [['KEYS', 'sessions:*']])).flat().map(String).join('\n')
    expect(known).toMatch(/^sessions:of:\{other-aspen\}$/m)
    expect(known).not.toContain(session)
  })

  it('end a token that cannot be delivered, on the log, before they say so', async () => {
    receiverStatus = 400
    const refused = await call(1, 'POST', '/tokens/send', USER)
    receiverStatus = 204
    expect([refused.status, refused.body?.eventId]).toEqual([503, '15842'])
    const kinds = (await stack.records(TOPIC.events)).flatMap(({ value }) => {
      const event = wire.decodeEvent(value)
      return 'command' in event && event.command.scope.acquirerId === `app.${APP}` ? [event.command.kind] : []
    })
    expect(kinds).toContain('REVERSAL')
    const { token } = delivered.at(-1)?.data ?? { token: '' }
    expect((await call(2, 'PUT', `/tokens/${token}`, { ...USER, amount: 1 })).status).toBe(404)
  })

  it('refuse epochs older than a loss in Redis, and go on with those after it', async () => {
    const before = Date.now() / 1_000
    await askRedis(stack.servers.redisUrl, [['FLUSHALL']])
    await sleep(50)
    for (const instance of [1, 2] as const) {
      const refused = await signIn(instance, { Epoch: before })
      expect([refused.status, refused.reason]).toEqual([416, 'Epoch está fuera de rango admitido. EventId: (15851)'])
    }
    expect((await call(1, 'GET', CHANNELS)).body).toMatchObject({ eventId: '15847' })
    expect((await signIn(2)).status).toBe(200)
    expect((await call(1, 'GET', CHANNELS)).status).toBe(200)
  })
})
