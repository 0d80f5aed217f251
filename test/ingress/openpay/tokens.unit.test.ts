import { isDeepStrictEqual } from 'node:util'
import { describe, expect, it } from 'vitest'
import { TOPICS } from '../../../services/runtime/topics.ts'
import { StoreError } from '../../../services/ports/store.ts'
import { CARD, FOREIGN, MERCHANT, NOW, OTHER, PUBLIC, servicePerTest, TOKEN, type Service } from './service.ts'

const start = servicePerTest()
const MINUTE_MS = 60_000

/** Bodies that are refused, and their error. */
const REFUSED: readonly (readonly [what: string, body: unknown, code: number, status: number])[] = [
  ['a list', [TOKEN], 1001, 400],
  ['a text', '"token"', 1001, 400],
  ['null', 'null', 1001, 400],
  ['nothing', undefined, 1001, 400],
  ['broken JSON', '{"card_number":', 1001, 400],
  ['a __proto__ key', '{"__proto__":{"cvv2":"110"}}', 1001, 400],
  ['no holder', { ...TOKEN, holder_name: undefined }, 1001, 400],
  ['a null holder', { ...TOKEN, holder_name: null }, 1001, 400],
  ['a blank holder', { ...TOKEN, holder_name: '  ' }, 1001, 400],
  ['a long holder', { ...TOKEN, holder_name: 'x'.repeat(101) }, 1001, 400],
  ['half a surrogate pair', `{"holder_name":"\\ud800","card_number":"${CARD}"}`, 1001, 400],
  ['no number', { ...TOKEN, card_number: undefined }, 1001, 400],
  ['a number of 12 digits', { ...TOKEN, card_number: '411111111111' }, 1001, 400],
  ['a number of 20 digits', { ...TOKEN, card_number: '41111111111111111111' }, 1001, 400],
  ['a number with spaces', { ...TOKEN, card_number: '4111 1111 1111 1111' }, 1001, 400],
  ['a number with a fraction', { ...TOKEN, card_number: 411111111111.5 }, 1001, 400],
  ['a number that JSON cannot hold exactly', `{"card_number":6799990100000000019}`, 1001, 400],
  ['a length that Visa does not have', { ...TOKEN, card_number: '41111111111111116' }, 1001, 400],
  ['a month of 13', { ...TOKEN, expiration_month: '13' }, 1001, 400],
  ['a month of 0', { ...TOKEN, expiration_month: 0 }, 1001, 400],
  ['a month of three digits', { ...TOKEN, expiration_month: '012' }, 1001, 400],
  ['a year of four digits', { ...TOKEN, expiration_year: '2029' }, 1001, 400],
  ['a year of one digit', { ...TOKEN, expiration_year: '9' }, 1001, 400],
  ['a code of letters', { ...TOKEN, cvv2: 'abc' }, 1001, 400],
  ['an address that is none', { ...TOKEN, address: 'Bogotá' }, 1001, 400],
  ['an address without its city', { ...TOKEN, address: { ...TOKEN.address, city: null } }, 1001, 400],
  ['an unknown country', { ...TOKEN, address: { ...TOKEN.address, country_code: 'XX' } }, 1001, 400],
  ['a country of three letters', { ...TOKEN, address: { ...TOKEN.address, country_code: 'COL' } }, 1001, 400],
  [
    'a country that every object has',
    { ...TOKEN, address: { ...TOKEN.address, country_code: 'constructor' } },
    1001,
    400,
  ],
  ['no code', { ...TOKEN, cvv2: undefined }, 2006, 400],
  ['a null code', { ...TOKEN, cvv2: null }, 2006, 400],
  ['an empty code', { ...TOKEN, cvv2: '' }, 2006, 400],
  ['no code, and no holder', { ...TOKEN, cvv2: null, holder_name: null }, 1001, 400],
  ['a wrong check digit', { ...TOKEN, card_number: '4111111111111112' }, 2004, 422],
  ['a code of two digits', { ...TOKEN, cvv2: '11' }, 2009, 412],
  ['a code of four digits for Visa', { ...TOKEN, cvv2: '1234' }, 2009, 412],
  ['a code of three digits for American Express', { ...TOKEN, card_number: '345678000000007' }, 2009, 412],
  ['a date that is past', { ...TOKEN, expiration_year: '20' }, 2005, 400],
  [
    'a wrong check digit before a wrong code and a past date',
    { ...TOKEN, card_number: '4111111111111112', cvv2: '1', expiration_year: '20' },
    2004,
    422,
  ],
  ['a wrong code before a past date', { ...TOKEN, cvv2: '1', expiration_year: '20' }, 2009, 412],
  ['a missing code before a wrong check digit', { ...TOKEN, cvv2: null, card_number: '4111111111111112' }, 2006, 400],
]

/** Names in the store and how many records each topic has. */
async function everything({ store, log }: Service): Promise<unknown> {
  const ends = []
  for (const { name } of TOPICS) {
    for (let partition = 0; partition < (await log.partitions(name)); partition++) {
      ends.push([name, (await log.extent(name, partition)).end])
    }
  }
  return { ends, names: [...store.dump().keys()] }
}

/** What there is once nothing changes any more: workers fence the log when they start, and outboxes are emptied late. */
async function settled(service: Service): Promise<unknown> {
  let last = await everything(service)
  for (let same = 0; same < 5;) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    const now = await everything(service)
    same = isDeepStrictEqual(now, last) ? same + 1 : 0
    last = now
  }
  return last
}

describe('creating a card token', () => {
  it('answers the token object, with the card masked and the date in Bogotá', async () => {
    const service = await start()
    const { status, body, headers } = await service.post('/tokens', TOKEN)
    expect(status).toBe(201)
    expect(body).toEqual({
      id: expect.stringMatching(/^[a-z0-9]{20}$/),
      card: {
        card_number: '411111XXXXXX1111',
        holder_name: 'Juan Perez Ramirez',
        expiration_year: '29',
        expiration_month: '12',
        address: TOKEN.address,
        creation_date: '2026-11-15T12:00:00-05:00',
        brand: 'visa',
        points_card: false,
      },
    })
    expect(headers['cache-control']).toBe('no-store')
    expect(headers['x-request-id']).toBeTypeOf('string')
  })

  it('refuses bad input with its own code, publishes nothing and stores nothing', async () => {
    const service = await start()
    await service.token()
    const before = await settled(service)
    const asked = [service.published.length, service.stashes.length]
    const answers = []
    for (const [what, body] of REFUSED) {
      const { status, body: error } = await service.post('/tokens', body)
      answers.push([what, error.error_code, status])
      expect(error).toMatchObject({ category: 'request', http_code: status })
    }
    expect(answers).toEqual(REFUSED.map(([what, , code, status]) => [what, code, status]))
    expect([service.published.length, service.stashes.length]).toEqual(asked)
    expect(await settled(service)).toEqual(before)
  })

  it('names every bad field, and quotes none', async () => {
    const { post } = await start()
    const { body, text } = await post('/tokens', { cvv2: `${CARD}x`, card_number: 'secret', address: { line1: CARD } })
    for (const name of ['holder_name', 'card_number', 'cvv2', 'expiration_year', 'address.city']) {
      expect(body.description).toContain(name)
    }
    expect(text).not.toContain(CARD)
    expect(text).not.toContain('secret')
  })

  it('reads a body however deep what it does not know is', async () => {
    const { post } = await start()
    const known = JSON.stringify(TOKEN).slice(1)
    const deep = `{"unknown":${'{"a":'.repeat(10_000)}null${'}'.repeat(10_000)},${known}`
    expect((await post('/tokens', deep)).status).toBe(201)
    expect((await post('/charges', deep)).body.error_code).toBe(1001)
  })

  it('accepts numbers where digits are meant, and an address without its optional lines', async () => {
    const { post } = await start()
    const { line2: _2, line3: _3, ...address } = TOKEN.address
    const { status, body } = await post('/tokens', {
      ...TOKEN,
      card_number: Number(CARD),
      cvv2: 110,
      expiration_year: 29,
      expiration_month: 4,
      address: { ...address, postal_code: 110511, line2: null },
    })
    expect(status).toBe(201)
    expect(body.card).toMatchObject({
      card_number: '411111XXXXXX1111',
      expiration_year: '29',
      expiration_month: '04',
      address: { line2: null, line3: null, postal_code: '110511' },
    })
  })

  it.each([
    ['345678000000007', '1234', 'american_express'],
    ['30569309025904', '123', 'diners'],
    ['6039591000000018', '123', 'private'],
    ['6799990100000000019', '123', 'maestro'],
    ['4222222222222', '123', 'visa'],
  ])('tokenizes %s', async (number, code, brand) => {
    const { post } = await start()
    const { status, body } = await post('/tokens', { ...TOKEN, card_number: number, cvv2: code, address: null })
    expect([status, body.card.brand, body.card.address]).toEqual([201, brand, null])
    expect(body.card.card_number).toBe(`${number.slice(0, 6)}${'X'.repeat(number.length - 10)}${number.slice(-4)}`)
  })

  it("ends a card's month in Bogotá", async () => {
    const body = { ...TOKEN, expiration_year: '26', expiration_month: '11' }
    const end = Date.UTC(2026, 11, 1, 5)
    const service = await start({ now: end - 1 })
    expect((await service.post('/tokens', body)).status).toBe(201)
    service.clock.now = () => end
    expect((await service.post('/tokens', body)).body.error_code).toBe(2005)
  })

  it('keeps key and code before it asks, each for its own time', async () => {
    const order: string[] = []
    const kept: { name: string; lifeMs: number }[] = []
    const service = await start({
      secrets: {
        stash: async (_slot, secrets) => {
          order.push('stash')
          kept.push(
            ...secrets.map(({ name, expiresAt }) => ({ name: name.split(':')[0] ?? '', lifeMs: expiresAt - NOW })),
          )
        },
      },
      log: { publish: () => (order.push('publish'), new Promise(() => undefined)) },
      limits: { replyTimeoutMs: 200 },
      workers: false,
    })
    const { status, body } = await service.post('/tokens', TOKEN)
    expect([status, body.error_code, body.category]).toEqual([500, 1000, 'internal'])
    expect(body.description).toContain('No se sabe si el token se creó')
    expect(order).toEqual(['stash', 'publish'])
    expect(kept).toEqual([
      { name: 'cardkey', lifeMs: 60 * MINUTE_MS },
      { name: 'securitycode', lifeMs: 15 * MINUTE_MS },
    ])
  })

  it('says that nothing was done when the store does not keep the key', async () => {
    const service = await start({ secrets: { stash: () => Promise.reject(new StoreError('gone')) } })
    const { status, body, headers } = await service.post('/tokens', TOKEN)
    expect([status, body.error_code, headers['retry-after']]).toEqual([503, 1004, '1'])
    expect(service.published).toEqual([])
  })

  it('creates tokens with a public key, for its merchant in events and not by its key', async () => {
    const service = await start()
    expect((await service.post('/tokens', TOKEN, PUBLIC)).status).toBe(201)
    const [event] = (await service.events()).filter((one) => one.type === 'transaction-decided')
    expect(event).toMatchObject({ command: { appKey: MERCHANT.merchantId, clientId: MERCHANT.clientId } })
  })
})

describe('reading a card token', () => {
  it('answers the same object, before and after it is spent', async () => {
    const service = await start()
    const created = await service.post('/tokens', TOKEN)
    const path = `/tokens/${created.body.id}`
    expect(await service.get(path)).toMatchObject({ status: 200, text: created.text })
    expect(
      (await service.post('/charges', { source_id: created.body.id, method: 'card', amount: 1, description: 'x' }))
        .status,
    ).toBe(200)
    service.clock.now = () => NOW + 61 * MINUTE_MS
    expect(await service.get(path)).toMatchObject({ status: 200, text: created.text })
  })

  it('finds nothing past its end, of another merchant, or under an id that is none', async () => {
    const service = await start()
    const id = await service.token()
    const missing = async (path: string, headers?: Record<string, string>, merchantId = MERCHANT.merchantId) => {
      const { status, body } = await service.call('GET', path, { merchantId, ...(headers ? { headers } : {}) })
      expect([status, body.error_code]).toEqual([404, 1005])
    }
    await missing(`/tokens/${id}`, FOREIGN, OTHER.merchantId)
    await missing(`/tokens/${'a'.repeat(20)}`)
    const asked = service.published.length
    for (const odd of [CARD, `${id}x`, id.toUpperCase(), '%20', 'a:b']) await missing(`/tokens/${odd}`)
    expect(service.published.length).toBe(asked)
    service.clock.now = () => NOW + 60 * MINUTE_MS - 1
    expect((await service.get(`/tokens/${id}`)).status).toBe(200)
    service.clock.now = () => NOW + 60 * MINUTE_MS
    await missing(`/tokens/${id}`)
  })

  it('leaves no trace of an id behind the edge', async () => {
    const service = await start()
    const id = await service.token()
    await service.get(`/tokens/${id}`)
    await service.post('/charges', { source_id: id, method: 'card', amount: 1, description: 'x' })
    const texts = [...service.store.dump()].map(([name, value]) => name + value)
    for (const { name } of TOPICS) {
      for (let partition = 0; partition < (await service.log.partitions(name)); partition++) {
        for await (const { key, value, headers } of service.log.read(name, partition))
          texts.push(`${key}${Buffer.from(value ?? []).toString('latin1')}${JSON.stringify(headers)}`)
      }
    }
    expect(texts.length).toBeGreaterThan(8)
    expect(texts.filter((text) => text.includes(id))).toEqual([])
  })
})
