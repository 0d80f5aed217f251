// Stories of the Aspen dialect on real workers: a token sent, claimed, spent; what guessing does; two ingress instances.

import { describe, expect, it } from 'vitest'
import { ASPEN_APP, OTHER_ASPEN_APP } from '../harness.ts'
import { aspenClient } from './client.ts'
import { CARD, servicePerTest, USER } from './service.ts'

const start = servicePerTest()
const MINUTE_MS = 60_000
const NOT_FOUND = { status: 404, body: { eventId: '355006' } }

describe('a token that was sent', () => {
  it('is claimed once, and then spent once by an app of the client that claimed it, and by no other', async () => {
    const { sent, put, purchase } = await start()
    const token = await sent()
    expect(token).toMatch(/^\d{6}$/)
    expect(await put(token)).toMatchObject({ status: 200, body: { amount: null, accountType: null } })
    expect(await put(token)).toMatchObject(NOT_FOUND)
    expect(await purchase(token, 'other')).toBe('55')
    expect(await purchase(token, 'own')).toBe('00')
    expect(await purchase(token, 'own')).toBe('55')
  })

  it('tells at its claim what it was bound to, and is claimed by no other amount, metadata or document', async () => {
    const { sent, put } = await start()
    const token = await sent({ amount: 25_000, metadata: 'caja 1', accountType: '80' })
    const right = { metadata: 'caja 1' }
    expect(await put(token, { ...right, amount: 25_001 })).toMatchObject(NOT_FOUND)
    expect(await put(token, { metadata: 'caja 2' })).toMatchObject(NOT_FOUND)
    expect(await put(token)).toMatchObject(NOT_FOUND)
    expect(await put(token, { ...right, docNumber: '1012345679' })).toMatchObject(NOT_FOUND)
    expect(await put(token, { ...right, docType: 'CE' })).toMatchObject(NOT_FOUND)
    expect(await put(token, right)).toMatchObject({ status: 200, body: { amount: 25_000, accountType: '80' } })
  })

  it('binds nothing new by its claim: a purchase of another amount is good', async () => {
    const { sent, put, purchase } = await start()
    const token = await sent()
    await put(token)
    expect(await purchase(token, 'own', { amount: 30_000 })).toBe('00')
  })

  it('may be claimed by any app, whichever had it sent', async () => {
    const { one, sent, purchase, now } = await start()
    const token = await sent()
    const other = aspenClient(one.app, OTHER_ASPEN_APP, now)
    await other.signIn()
    const body = { ...USER, amount: 25_000 }
    expect((await other.call('PUT', `/tokens/${token}`, { body })).status).toBe(200)
    expect(await purchase(token, 'own')).toBe('55')
    expect(await purchase(token, 'other', { acquirer: { id: 'B1', storeId: 'S1', terminalId: 'T1' } })).toBe('00')
  })

  it('is ended by DELETE, also once it was claimed by this client, and not when another has claimed it', async () => {
    const { one, client, sent, put, purchase, now } = await start()
    const [first, second, third] = [await sent(), await sent(), await sent()]
    expect(await client.call('DELETE', `/tokens/${first}`, { body: USER })).toMatchObject({ status: 200, text: '' })
    expect(await put(first)).toMatchObject(NOT_FOUND)
    await put(second)
    expect((await client.call('DELETE', `/tokens/${second}`, { body: { ...USER, amount: 5 } })).status).toBe(200)
    expect(await purchase(second, 'own')).toBe('55')
    const other = aspenClient(one.app, OTHER_ASPEN_APP, now)
    await other.signIn()
    await other.call('PUT', `/tokens/${third}`, { body: { ...USER, amount: 25_000 } })
    expect(await client.call('DELETE', `/tokens/${third}`, { body: USER })).toMatchObject(NOT_FOUND)
  })

  it('ends at its time', async () => {
    const { sent, put, pass, client } = await start()
    const [first, second] = [await sent(), await sent()]
    pass(5 * MINUTE_MS - 5_000)
    await client.signIn()
    expect((await put(first)).status).toBe(200)
    pass(5_001)
    expect(await put(second)).toMatchObject(NOT_FOUND)
  })

  it('is one of five that may be live: the sixth is 429, and good again when one has ended', async () => {
    const { client, sent, put } = await start()
    const tokens = [await sent(), await sent(), await sent(), await sent(), await sent()]
    const refused = await client.call('POST', '/tokens/send', { body: USER })
    expect(refused).toMatchObject({ status: 429, body: { eventId: '15863' }, headers: { 'retry-after': '300' } })
    expect((await sent({ docNumber: '52000111' })).length).toBe(6)
    await put(tokens[0] ?? '')
    await client.call('DELETE', `/tokens/${tokens[0]}`, { body: USER })
    expect(await sent()).toMatch(/^\d{6}$/)
  })

  it('is generated for its document whichever dialect asked: one of Evertec is claimed here and spent there', async () => {
    const { one, put, purchase } = await start()
    const acquirer = { id: 'A1', storeId: 'S1', terminalId: 'T1' }
    const document = { type: 'CC', number: USER.docNumber }
    const generated = await one.post({ consecutive: 'g', transactionCode: 'TOKEN_GENERATION', acquirer, document })
    const { token } = generated.body
    expect((await put(token)).status).toBe(200)
    expect(await purchase(token, 'other', { acquirer: { id: 'B1', storeId: 'S1', terminalId: 'T1' } })).toBe('55')
    expect(await purchase(token, 'own')).toBe('00')
  })
})

describe('guessing', () => {
  it('locks the user after five wrong tokens, digits or not, also for the right token, until the lock ends', async () => {
    const { sent, put, pass, client, purchase } = await start()
    const token = await sent()
    const wrong = token === '000000' ? '111111' : '000000'
    for (const guess of [wrong, 'abcdef', wrong, `${wrong}${wrong}${wrong}${wrong}`, '%00']) {
      expect(await put(guess)).toMatchObject(NOT_FOUND)
    }
    expect(await put(token)).toMatchObject(NOT_FOUND)
    expect(await purchase(token, 'own')).toBe('75')
    pass(15 * MINUTE_MS)
    await client.signIn()
    const again = await sent()
    expect((await put(again)).status).toBe(200)
  })

  it('is forgiven by the right token', async () => {
    const { sent, put } = await start()
    const tokens = [await sent(), await sent()]
    const guess = async () => {
      for (const wrong of ['0', '1', '2', '3']) expect(await put(wrong)).toMatchObject(NOT_FOUND)
    }
    await guess()
    expect((await put(tokens[0] ?? '')).status).toBe(200)
    await guess()
    expect((await put(tokens[1] ?? '')).status).toBe(200)
  })

  it('counts a used token as a wrong one', async () => {
    const { sent, put } = await start()
    const [used, good] = [await sent(), await sent()]
    await put(used)
    for (let count = 0; count < 5; count += 1) expect(await put(used)).toMatchObject(NOT_FOUND)
    expect(await put(good)).toMatchObject(NOT_FOUND)
  })

  it('lets one of fifty claims at a time through, over two instances', async () => {
    const { one, other, sent, client, now } = await start()
    const token = await sent()
    const clients = [one, other].map(({ app }) =>
      Object.assign(aspenClient(app, ASPEN_APP, now), { token: client.token }),
    )
    const body = { ...USER, amount: 25_000 }
    const each = clients.flatMap((caller) => Array.from({ length: 25 }, () => caller))
    const calls = each.map((caller) => caller.call('PUT', `/tokens/${token}`, { body }))
    const statuses = (await Promise.all(calls)).map((answer) => answer.status)
    expect(statuses.filter((status) => status === 200)).toHaveLength(1)
    expect(statuses.filter((status) => status === 404)).toHaveLength(49)
  })
})

describe('two ingress instances', () => {
  it('know one session, the newest, and each nonce once', async () => {
    const { one, other, client, now } = await start()
    const there = aspenClient(other.app, ASPEN_APP, now)
    there.token = client.token
    expect((await there.call('GET', '/tokens/channels', { claims: { Nonce: 'shared' } })).status).toBe(200)
    const replayed = await client.call('GET', '/tokens/channels', { claims: { Nonce: 'shared' } })
    expect(replayed).toMatchObject({ status: 400, body: { eventId: '15852' } })
    await there.signIn()
    expect(await client.call('GET', '/tokens/channels')).toMatchObject({ status: 401, body: { eventId: '15847' } })
    client.token = there.token
    expect((await client.call('GET', '/tokens/channels')).status).toBe(200)
    expect(one.app).not.toBe(other.app)
  })
})

describe('what is on the log', () => {
  it('is an event of each call, with the app as its acquirer, tags masked, and no word of the dialect', async () => {
    const { client, put, events } = await start()
    const tags = { terminalid: 'T0000009', CardAcceptorId: '000000000000017', Pan: CARD, CustomerGroup: `g ${CARD}` }
    const { body } = await client.call('POST', '/tokens/send', { body: { ...USER, tags } })
    await put(body.token)
    const told = (await events()).flatMap((event) =>
      'command' in event && event.command.kind.startsWith('TOKEN') ? [event.command] : [],
    )
    expect(told.map(({ kind, scope, clientId, appKey }) => [kind, scope.acquirerId, clientId, appKey])).toEqual([
      ['TOKEN_GENERATION', 'app.aspen-app', 'org', 'aspen-app'],
      ['TOKEN_CLAIM', 'app.aspen-app', 'org', 'aspen-app'],
    ])
    expect(told[0]).toMatchObject({
      acquirer: { id: 'app.aspen-app', storeId: '000000000000017', terminalId: 'T0000009' },
      tags: {
        TerminalId: 'T0000009',
        CardAcceptorId: '000000000000017',
        Pan: '603959******0018',
        CustomerGroup: 'g 603959******0018',
      },
    })
    for (const { scope } of told) expect(scope.consecutive).toMatch(/^[A-Za-z0-9_-]{22}$/)
  })
})
