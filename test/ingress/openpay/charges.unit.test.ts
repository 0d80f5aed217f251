import { describe, expect, it } from 'vitest'
import { SECRET_KINDS } from '../../../services/core/card-token/card-token.ts'
import { charge, FOREIGN, MERCHANT, NOW, OTHER, servicePerTest, TOKEN, type Service } from './service.ts'

const start = servicePerTest()

/** Well-formed ids that nobody has. */
const UNKNOWN = 'a'.repeat(20)

const REFUSED: readonly (readonly [what: string, fields: object, code: number, status: number])[] = [
  ['no source', { source_id: undefined }, 1001, 400],
  ['a source that is no text', { source_id: 12 }, 1001, 400],
  ['no method', { method: undefined }, 1001, 400],
  ['another method', { method: 'store' }, 1001, 400],
  ['no amount', { amount: null }, 1001, 400],
  ['an amount of nothing', { amount: 0 }, 1001, 400],
  ['an amount below nothing', { amount: -1 }, 1001, 400],
  ['an amount with three decimals', { amount: 1.005 }, 1001, 400],
  ['an amount as text', { amount: '716' }, 1001, 400],
  ['an amount beyond the largest', { amount: 1e12 + 1 }, 1001, 400],
  ['no description', { description: undefined }, 1001, 400],
  ['a blank description', { description: ' ' }, 1001, 400],
  ['a long description', { description: 'x'.repeat(251) }, 1001, 400],
  ['an order that is no text', { order_id: 7 }, 1001, 400],
  ['a blank order', { order_id: '' }, 1001, 400],
  ['a long order', { order_id: 'x'.repeat(101) }, 1001, 400],
  ['a device that is no text', { device_session_id: 7 }, 1001, 400],
  ['a customer that is no object', { customer: 'Juan' }, 1001, 400],
  ['a currency that is no text', { currency: 170 }, 1001, 400],
  ['another currency', { currency: 'USD' }, 1003, 422],
  ['another currency and no amount', { currency: 'USD', amount: null }, 1001, 400],
  ['a source that can be no token', { source_id: 'kdx205' }, 1005, 404],
]

const secretsOf = ({ store }: Service) =>
  [...store.dump().keys()].filter((name) => SECRET_KINDS.some((kind) => name.startsWith(kind)))
const codesOf = (answers: readonly { status: number; body: { error_code?: number } }[]) =>
  answers.map(({ status, body }) => body.error_code ?? status).sort((a, b) => a - b)

describe('charging a card token', () => {
  it('answers the transaction, asks once with number and code, and leaves neither key nor code', async () => {
    const service = await start()
    const source = await service.token()
    expect(secretsOf(service)).toHaveLength(2)
    const { status, body, headers } = await service.post(
      '/charges',
      charge(source, { amount: 716.5, order_id: 'oid-1' }),
    )
    expect(status).toBe(200)
    expect(body).toEqual({
      id: expect.stringMatching(/^[a-z0-9]{20}$/),
      amount: 716.5,
      authorization: expect.stringMatching(/^[0-9]{6}$/),
      method: 'card',
      operation_type: 'in',
      transaction_type: 'charge',
      card: (await service.get(`/tokens/${source}`)).body.card,
      status: 'completed',
      currency: 'COP',
      creation_date: '2026-11-15T12:00:00-05:00',
      operation_date: '2026-11-15T12:00:00-05:00',
      description: 'Cargo inicial a mi cuenta',
      error_message: null,
      order_id: 'oid-1',
    })
    expect(headers['x-transaction-id']).toBe(body.id)
    expect(await service.get(`/charges/${body.id}`)).toMatchObject({ status: 200, body })
    expect(service.authorized).toEqual([
      expect.objectContaining({
        cardNumber: TOKEN.card_number,
        securityCode: TOKEN.cvv2,
        amountMinor: 71_650,
        operation: 'charge',
      }),
    ])
    expect(secretsOf(service)).toEqual([])
    const sealed = [...service.store.dump()].filter(
      ([name, value]) => name.startsWith('cardtoken:') && value.includes('sealedNumber'),
    )
    expect(sealed).toEqual([])
  })

  it('refuses bad input with its own code and publishes nothing', async () => {
    const service = await start()
    const source = await service.token()
    const before = service.published.length
    const answers = []
    for (const [what, fields] of REFUSED) {
      const { status, body } = await service.post('/charges', charge(source, fields))
      answers.push([what, body.error_code, status])
    }
    expect(answers).toEqual(REFUSED.map(([what, , code, status]) => [what, code, status]))
    expect(service.published.length).toBe(before)
    expect((await service.post('/charges', charge(source))).status).toBe(200)
  })

  it('charges without what is optional, and keeps nothing of a customer', async () => {
    const service = await start()
    const source = await service.token()
    const { status, body } = await service.post('/charges', {
      source_id: source,
      method: 'card',
      amount: 1,
      description: 'x',
      customer: { name: 'Nadie Más' },
    })
    expect([status, body.order_id]).toEqual([200, null])
    expect(JSON.stringify([...service.store.dump()])).not.toContain('Nadie')
  })

  it.each([
    ['4222222222222220', 3001],
    ['4000000000000069', 3002],
    ['4444444444444448', 3003],
    ['4000000000000119', 3004],
    ['4000000000000044', 3005],
  ])('answers the decline of %s as %i, spends the token and shows the failed charge', async (card_number, code) => {
    const service = await start()
    const source = await service.token({ card_number })
    const { status, body, headers } = await service.post('/charges', charge(source, { order_id: 'oid-1' }))
    expect([status, body.error_code, body.category, body.http_code]).toEqual([402, code, 'gateway', 402])
    expect(Object.keys(body).sort()).toEqual(['category', 'description', 'error_code', 'http_code', 'request_id'])
    const failed = await service.get(`/charges/${String(headers['x-transaction-id'])}`)
    expect(failed).toMatchObject({
      status: 200,
      body: { status: 'failed', error_message: body.description, authorization: null, order_id: 'oid-1', amount: 716 },
    })
    expect(failed.body.card.card_number).toBe(`${card_number.slice(0, 6)}XXXXXX${card_number.slice(-4)}`)
    const refund = await service.post(`/charges/${String(headers['x-transaction-id'])}/refund`)
    expect(refund.body.error_code).toBe(1005)
    expect((await service.post('/charges', charge(source))).body.error_code).toBe(1003)
    expect(secretsOf(service)).toEqual([])
  })

  it('takes 3001 where the authorizer surely did nothing', async () => {
    const service = await start({ authorizer: { authorize: async () => ({ kind: 'not-done' }) } })
    const { status, body } = await service.post('/charges', charge(await service.token()))
    expect([status, body.error_code]).toEqual([402, 3001])
  })

  it('does not charge a token twice, one of nobody, one of another merchant, or one past its end', async () => {
    const service = await start()
    const source = await service.token()
    const late = await service.token()
    expect((await service.post('/charges', charge(source))).status).toBe(200)
    const used = await service.post('/charges', charge(source))
    expect([used.status, used.body.error_code]).toEqual([422, 1003])
    expect((await service.get(`/charges/${String(used.headers['x-transaction-id'])}`)).body.error_code).toBe(1005)
    expect((await service.post('/charges', charge(UNKNOWN))).body.error_code).toBe(1005)
    const foreign = await service.call('POST', '/charges', {
      body: charge(late),
      headers: FOREIGN,
      merchantId: OTHER.merchantId,
    })
    expect(foreign.body.error_code).toBe(1005)
    service.clock.now = () => NOW + 3_600_000
    const ended = await service.post('/charges', charge(late))
    expect([ended.status, ended.body.error_code]).toEqual([404, 1005])
    expect(service.authorized).toHaveLength(1)
  })

  it('charges one token once when a hundred ask at a time', async () => {
    const service = await start()
    const source = await service.token()
    const answers = await Promise.all(Array.from({ length: 100 }, () => service.post('/charges', charge(source))))
    expect(codesOf(answers)).toEqual([200, ...Array.from({ length: 99 }, () => 1003)])
    expect(service.authorized).toHaveLength(1)
  })

  it('charges without the code once that has run out', async () => {
    const service = await start()
    const source = await service.token()
    service.clock.now = () => NOW + 16 * 60_000
    expect((await service.post('/charges', charge(source))).status).toBe(200)
    expect(service.authorized[0]).not.toHaveProperty('securityCode')
  })

  it('takes a token whose key is gone for expired', async () => {
    const service = await start()
    const source = await service.token()
    service.clock.now = () => NOW + 3_599_999
    const [keyEntry] = secretsOf(service)
    expect(keyEntry).toMatch(/^cardkey/)
    const slot = /\{(.*)\}/.exec(keyEntry ?? '')?.[1] ?? ''
    const name = `cardkey:${keyEntry?.split('}:')[1]}`
    expect((await service.get(`/tokens/${source}`)).status).toBe(200)
    await service.store.stash(slot, [{ name, value: 'x', expiresAt: NOW }])
    expect((await service.get(`/tokens/${source}`)).body.error_code).toBe(1005)
    expect((await service.post('/charges', charge(source))).body.error_code).toBe(1005)
    expect(service.authorized).toEqual([])
  })

  it('takes a token whose key opens nothing for expired, and goes on', async () => {
    const service = await start()
    const source = await service.token()
    const keyEntry = secretsOf(service).find((name) => name.startsWith('cardkey')) ?? ''
    const slot = /\{(.*)\}/.exec(keyEntry)?.[1] ?? ''
    const name = `cardkey:${keyEntry.split('}:')[1]}`
    await service.store.stash(slot, [{ name, value: 'AQJzMQ', expiresAt: NOW + 60_000 }])
    expect((await service.post('/charges', charge(source))).body.error_code).toBe(1005)
    expect(service.authorized).toEqual([])
    expect((await service.post('/charges', charge(await service.token()))).status).toBe(200)
  })

  it('says 1004 of a charge that came too late, and leaves its token', async () => {
    const service = await start({ limits: { replyTimeoutMs: 5_000 } })
    const source = await service.token()
    service.clock.workersAheadMs = 60_000
    const late = await service.post('/charges', charge(source))
    expect([late.status, late.body.error_code]).toEqual([503, 1004])
    service.clock.workersAheadMs = 0
    expect((await service.post('/charges', charge(source))).status).toBe(200)
  })

  it('says of a charge without an answer that its outcome is unknown, and shows it once it is decided', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const service = await start({
      authorizer: {
        authorize: () => promise.then(() => ({ kind: 'approved' as const, authorizationNumber: '123456' })),
      },
      limits: { replyTimeoutMs: 300 },
    })
    const source = await service.token()
    const { status, body, headers } = await service.post('/charges', charge(source, { order_id: 'oid-1' }))
    expect([status, body.error_code, body.category]).toEqual([500, 1000, 'internal'])
    expect(body.description).toContain('No se conoce el resultado')
    const path = `/charges/${String(headers['x-transaction-id'])}`
    expect((await service.get(path)).body.error_code).toBe(1005)
    expect((await service.post(`${path}/refund`)).body.error_code).toBe(1005)
    // Repeated with the same order it cannot charge twice, whatever becomes of the first.
    expect((await service.post('/charges', charge(source, { order_id: 'oid-1' }))).body.error_code).toBe(1006)
    resolve()
    await expect.poll(async () => (await service.get(path)).body.status).toBe('completed')
    expect((await service.get(path)).body.authorization).toBe('123456')
    expect((await service.post('/charges', charge(source, { order_id: 'oid-1' }))).body.error_code).toBe(1006)
    expect(service.authorized).toHaveLength(1)
  })
})

describe('orders', () => {
  it('are good for one approved charge of their merchant, and leave the second token as it was', async () => {
    const service = await start()
    const [first, second] = [await service.token(), await service.token()]
    expect((await service.post('/charges', charge(first, { order_id: 'oid-1' }))).status).toBe(200)
    const again = await service.post('/charges', charge(second, { order_id: 'oid-1' }))
    expect([again.status, again.body.error_code]).toEqual([409, 1006])
    expect((await service.post('/charges', charge(first, { order_id: 'oid-1' }))).body.error_code).toBe(1006)
    expect((await service.post('/charges', charge(second, { order_id: 'oid-2' }))).status).toBe(200)
    const created = await service.call('POST', '/tokens', {
      body: TOKEN,
      headers: FOREIGN,
      merchantId: OTHER.merchantId,
    })
    const other = {
      headers: FOREIGN,
      merchantId: OTHER.merchantId,
      body: charge(created.body.id, { order_id: 'oid-1' }),
    }
    expect((await service.call('POST', '/charges', other)).status).toBe(200)
  })

  it('are free again after a charge that was not approved', async () => {
    const service = await start()
    const declined = await service.token({ card_number: '4222222222222220' })
    const order = { order_id: 'oid-1' }
    expect((await service.post('/charges', charge(declined, order))).body.error_code).toBe(3001)
    expect((await service.post('/charges', charge(declined, order))).body.error_code).toBe(1003)
    expect((await service.post('/charges', charge(UNKNOWN, order))).body.error_code).toBe(1005)
    expect((await service.post('/charges', charge(await service.token(), order))).status).toBe(200)
  })

  it('are approved once when many tokens ask at a time', async () => {
    const service = await start()
    const sources = await Promise.all(Array.from({ length: 20 }, () => service.token()))
    const answers = await Promise.all(
      sources.map((source) => service.post('/charges', charge(source, { order_id: 'oid-1' }))),
    )
    expect(codesOf(answers)).toEqual([200, ...Array.from({ length: 19 }, () => 1006)])
    expect(service.authorized).toHaveLength(1)
  })

  it('are told apart also where their masks are one', async () => {
    const service = await start()
    for (const order_id of ['4111111111111111', '4111110311111111']) {
      const { status, body } = await service.post('/charges', charge(await service.token(), { order_id }))
      expect([status, body.order_id]).toEqual([200, '411111******1111'])
    }
  })
})

it('names the merchant as acquirer of its charges', async () => {
  const service = await start()
  await service.post('/charges', charge(await service.token()))
  expect(service.authorized[0]).toMatchObject({ merchantId: MERCHANT.merchantId })
})
