// The operations of the Aspen dialect behind a worker that answers as it is told: answers, delivery, and what goes wrong.

import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { RESPONSE_CODES, type ResponseCode } from '../../../services/core/transaction/codes.ts'
import type { Command, Request } from '../../../services/core/transaction/command.ts'
import type { DeliveryChannel, TokenMessage } from '../../../services/ports/delivery.ts'
import { LogOverloadedError } from '../../../services/ports/log.ts'
import {
  approve,
  ASPEN_APP,
  ingressPerTest,
  ISSUED_DIGITS,
  issuedToken,
  memoryLog,
  OTHER_ASPEN_APP,
  type Answer as WorkerAnswer,
  type HarnessOptions,
} from '../harness.ts'
import { aspenClient, type Answer } from './client.ts'
import { logWith } from '../../ports/log-with.ts'

const start = ingressPerTest()
const USER = { docType: 'CC', docNumber: '1012345678' }
const SEND = { ...USER, amount: 25_000, metadata: 'caja', accountType: '80', tags: { TerminalId: 'T1' } }

async function world(options: HarnessOptions = {}, app = ASPEN_APP) {
  const harness = await start({ answer: generate, ...options })
  const client = aspenClient(harness.app, app, options.now)
  await client.signIn()
  return {
    ...harness,
    client,
    put: () => client.call('PUT', '/tokens/482915', { body: { ...USER, amount: 25_000 } }),
    send: () => client.call('POST', '/tokens/send', { body: SEND }),
    cancel: () => client.call('DELETE', '/tokens/482915', { body: USER }),
  }
}

/** Approves all; a generation with a token that may be shown. */
const generate: WorkerAnswer = ({ body }) => ({
  responseCode: '00',
  authorizationNumber: '123456',
  ...(body.kind === 'TOKEN_GENERATION' ? { token: issuedToken(Date.now() + 60_000), tokenShown: true } : {}),
})
const kindsOf = (requests: readonly Request[]) => requests.map(({ body }) => body.kind)
const eventOf = ({ status, body }: Answer) => [status, body?.eventId]

function channel(deliver: (message: TokenMessage) => Promise<boolean>) {
  const messages: TokenMessage[] = []
  const delivery: DeliveryChannel = {
    key: 'test',
    name: 'Prueba',
    deliver: (message) => (messages.push(message), deliver(message)),
    close: () => undefined,
  }
  return { delivery, messages }
}

describe('PUT and DELETE', () => {
  it('answer what the token was bound to, and nothing', async () => {
    const { put, cancel, requests } = await world({
      answer: () => ({ responseCode: '00', amountMinor: 2_500_000 as never, accountType: '80' }),
    })
    expect(await put()).toMatchObject({ status: 200, text: '{"amount":25000,"accountType":"80"}' })
    expect(await cancel()).toMatchObject({ status: 200, text: '' })
    expect(requests.map(({ body }) => body)).toMatchObject([
      { kind: 'TOKEN_CLAIM', scope: { acquirerId: 'app.aspen-app' }, clientId: 'org', amountMinor: 2_500_000 },
      { kind: 'TOKEN_CANCELLATION', scope: { acquirerId: 'app.aspen-app' }, clientId: 'org' },
    ])
    expect(requests[0]?.body).not.toEqual(requests[1]?.body)
  })

  it('answer null for what the token was not bound to', async () => {
    const { put } = await world({ answer: () => ({ responseCode: '00' }) })
    expect((await put()).text).toBe('{"amount":null,"accountType":null}')
  })

  it.each(['55', '75', '68', '65', '05'] as const)('answer %s as the one 404, byte for byte', async (responseCode) => {
    const { put, cancel } = await world({ answer: () => ({ responseCode }) })
    const answers = [await put(), await cancel()]
    for (const { status, reason, text, headers } of answers) {
      expect([status, reason, text, headers['content-type'], headers['retry-after']]).toEqual([
        404,
        'No se encontró un token con los valores proporcionados. EventId: (355006)',
        '{"eventId":"355006","message":"No se encontró un token con los valores proporcionados."}',
        'application/json; charset=utf-8',
        undefined,
      ])
    }
  })

  it('answer every code that there is with an error of this dialect', async () => {
    let responseCode: ResponseCode = '00'
    const { put, send } = await world({ answer: () => ({ responseCode }) })
    for (responseCode of RESPONSE_CODES.filter((code) => code !== '00')) {
      for (const answer of [await put(), await send()]) {
        expect(answer.status).toBeGreaterThanOrEqual(400)
        expect(answer.reason).toMatch(/EventId: \(\d+\)$/)
      }
    }
    responseCode = '91'
    expect(eventOf(await put())).toEqual([502, '15859'])
  })

  it('hand the log a token that is not digits as one that is surely wrong', async () => {
    const { client, requests } = await world()
    for (const token of ['abc', '%20', '1'.repeat(20), '12-34', '%F0%9F%98%80', 'send']) {
      const answer = await client.call('DELETE', `/tokens/${token}`, { body: USER })
      expect([token, answer.status]).toEqual([token, 200])
    }
    const lengths = requests.map(({ body }) => ('sealedToken' in body ? body.sealedToken?.length : undefined))
    expect(new Set(lengths).size).toBe(1)
  })
})

describe('no answer, or none in time', () => {
  it('is 504 when nothing came, and 503 with Retry-After when surely nothing was accepted', async () => {
    const silent = await world({ answer: () => null, limits: { replyTimeoutMs: 50 } })
    for (const call of [silent.put, silent.send, silent.cancel]) expect(eventOf(await call())).toEqual([504, '15859'])
    const full = async () => {
      throw new LogOverloadedError('full')
    }
    const busy = await world({ log: logWith(memoryLog(), { publish: full }) })
    for (const call of [busy.put, busy.send, busy.cancel]) {
      const answer = await call()
      expect(eventOf(answer)).toEqual([503, '15842'])
      expect(answer.headers['retry-after']).toBe('1')
    }
  })

  it('is 503 while the service is not ready, before the body is looked at', async () => {
    let down = false
    const storePing = async () => {
      if (down) throw new Error('down')
    }
    const { put, app } = await world({ storePing })
    down = true
    for (let ready = true; ready; await sleep(10)) ready = (await app.inject('/health/ready')).statusCode === 200
    expect(eventOf(await put())).toEqual([503, '15842'])
  })

  it('is 500 when something breaks that nobody expected', async () => {
    const { client } = await world({ delivery: channel(() => Promise.reject(new Error('482915'))).delivery })
    const answer = await client.call('POST', '/tokens/send', { body: SEND })
    expect(eventOf(answer)).toEqual([500, '15841'])
    expect(answer.text).not.toContain('482915')
  })
})

describe('POST /tokens/send', () => {
  it('shows the token in debug mode only, and hands it to the channel either way', async () => {
    const { delivery, messages } = channel(async () => true)
    const debug = await world({ delivery })
    expect((await debug.send()).text).toBe(`{"debugMode":true,"token":"${ISSUED_DIGITS}"}`)
    const plain = await world({ delivery }, OTHER_ASPEN_APP)
    expect((await plain.send()).text).toBe('{"debugMode":false}')
    expect(messages).toHaveLength(2)
    expect(messages[0]).toMatchObject({
      clientId: 'org',
      appKey: 'aspen-app',
      document: { type: 'CC', number: '1012345678' },
      token: ISSUED_DIGITS,
      amountMinor: 2_500_000,
      accountType: '80',
      metadata: 'caja',
      tags: { TerminalId: 'T1' },
    })
  })

  it('asks for a token of 300 seconds, bound to what was named', async () => {
    const { send, requests } = await world()
    await send()
    expect(requests[0]?.body).toMatchObject({
      kind: 'TOKEN_GENERATION',
      ttlSeconds: 300,
      restrictToAcquirer: false,
      accountType: '80',
      amountMinor: 2_500_000,
      acquirer: { id: 'app.aspen-app', storeId: '', terminalId: 'T1' },
    })
  })

  it('ends what cannot be delivered through the log, and is 503 only then', async () => {
    let ended = false
    const { delivery } = channel(async () => false)
    const answer: WorkerAnswer = async (request) => {
      if (request.body.kind === 'REVERSAL') {
        await sleep(50)
        ended = true
      }
      return generate(request)
    }
    const { send, requests } = await world({ delivery, answer })
    const refused = await send()
    expect([eventOf(refused), refused.headers['retry-after'], ended]).toEqual([[503, '15842'], '1', true])
    expect(refused.text).not.toContain(ISSUED_DIGITS)
    expect(kindsOf(requests)).toEqual(['TOKEN_GENERATION', 'REVERSAL'])
    const [generation, reversal] = requests.map(({ body }) => body as Command)
    expect(reversal).toMatchObject({
      original: generation?.scope,
      scope: { acquirerId: 'app.aspen-app', transactionCode: 'REVERSAL' },
    })
  })

  it('says that it does not know when the end of the token is not answered', async () => {
    const { delivery } = channel(async () => false)
    const answer: WorkerAnswer = (request) => (request.body.kind === 'REVERSAL' ? null : generate(request))
    const { send } = await world({ delivery, answer, limits: { replyTimeoutMs: 80 } })
    expect(eventOf(await send())).toEqual([504, '15859'])
  })

  it('ends a token that may no longer be shown, and delivers nothing', async () => {
    const { delivery, messages } = channel(async () => true)
    const answer: WorkerAnswer = async (request) => ({ ...(await generate(request)), tokenShown: false })
    const { send, requests } = await world({ delivery, answer })
    expect(eventOf(await send())).toEqual([503, '15842'])
    expect([messages.length, kindsOf(requests)]).toEqual([0, ['TOKEN_GENERATION', 'REVERSAL']])
  })

  it('is 429 beyond the live tokens of a user, and delivers nothing', async () => {
    const { delivery, messages } = channel(async () => true)
    const { send, requests } = await world({ delivery, answer: () => ({ responseCode: '65' }) })
    const answer = await send()
    expect([eventOf(answer), answer.headers['retry-after']]).toEqual([[429, '15863'], '300'])
    expect([messages.length, requests.length]).toEqual([0, 1])
  })

  it('is carried to its end by a shutdown: a failed delivery is still ended through the log', async () => {
    const reached = Promise.withResolvers<void>()
    const { delivery } = channel(async () => {
      reached.resolve()
      await sleep(200)
      return false
    })
    const { send, app, requests } = await world({ delivery })
    const answer = send()
    await reached.promise
    await app.close()
    expect(eventOf(await answer)).toEqual([503, '15842'])
    expect(kindsOf(requests)).toEqual(['TOKEN_GENERATION', 'REVERSAL'])
  })
})

describe('GET /tokens/channels', () => {
  it('lists the channel that there is', async () => {
    const { client, requests } = await world({ answer: approve, delivery: channel(async () => true).delivery })
    expect((await client.call('GET', '/tokens/channels')).text).toBe('[{"key":"test","name":"Prueba"}]')
    expect(requests).toEqual([])
  })
})
