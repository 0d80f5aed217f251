// The contract's section 1 on real processes: what an acquirer gets, and what stands on the topics and in Redis after
// it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TOPIC } from '../../services/runtime/topics.ts'
import { askRedis } from '../servers/redis-probe.ts'
import { Stack, until, wire } from './harness.ts'
import {
  consecutive,
  DOCUMENT,
  generation,
  OTHER_CREDENTIALS,
  purchase,
  reversal,
  terminal,
  type Answer,
  type Body,
} from './http.ts'
import { holderSlot, keys, Ledger, storedBalance } from './ledger.ts'

const HOLDER = holderSlot(DOCUMENT)
const PESO = 100
let stack: Stack

beforeAll(async () => {
  stack = await Stack.start({ instances: { ingress: 2 } })
})
afterAll(async () => stack?.stop())

/** A live token of the demo holder, or of whomever the fields name. */
async function token(fields?: object): Promise<string> {
  const { body } = await stack.post(generation(fields))
  expect(body.responseCode).toBe('00')
  return body.token as string
}

async function approved(body: Body): Promise<Answer> {
  const answer = await stack.post(body)
  expect(answer.body).toMatchObject({ responseCode: '00' })
  return answer
}

const codeOf = async (body: Body) => (await stack.post(body)).body.responseCode
const stateOf = async (id: string, code?: string) => (await stack.inquire(id, code)).body.state

describe('generation and purchase over HTTP, three processes, Kafka and Redis', () => {
  it('gives a token of six digits with its end, and a purchase spends it once', async () => {
    const ask = generation()
    const before = Date.now()
    const generated = await stack.post(ask)
    expect(generated.status).toBe(200)
    expect(generated.body).toMatchObject({
      consecutive: ask.consecutive,
      responseCode: '00',
      token: expect.stringMatching(/^\d{6}$/),
      authorizationNumber: expect.stringMatching(/^\d{6}$/),
    })
    expect(generated.body.expiresAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)
    const life = Date.parse(generated.body.expiresAt ?? '') - before
    expect(life).toBeGreaterThan(299_000)
    expect(life).toBeLessThan(315_000)

    const buy = purchase({ token: generated.body.token })
    const bought = await stack.post(buy)
    expect(bought.status).toBe(200)
    expect(bought.body).toEqual({
      consecutive: buy.consecutive,
      responseCode: '00',
      responseMessage: expect.any(String),
      authorizationNumber: expect.stringMatching(/^\d{6}$/),
    })
    for (const door of [0, 1, 0]) {
      const repeated = await stack.post(buy, { door })
      expect([repeated.status, repeated.text]).toEqual([200, bought.text])
    }
    const other = await stack.post(purchase({ token: generated.body.token }))
    expect([other.status, other.body.responseCode]).toEqual([200, '55'])
    expect(other.body).not.toHaveProperty('authorizationNumber')
    const ledger = await Ledger.of(stack)
    expect(ledger.debits(buy.consecutive)).toEqual([25_000 * PESO])
    expect(ledger.of(buy.consecutive).map(({ records }) => records)).toEqual([1])
  })

  it('shows a repeated generation its token while it is unused, and no token after', async () => {
    const ask = generation()
    const first = await approved(ask)
    expect((await stack.post(ask, { door: 1 })).text).toBe(first.text)
    await approved(purchase({ token: first.body.token }))
    const { token: gone, ...rest } = first.body
    expect(gone).toMatch(/^\d{6}$/)
    expect((await stack.post(ask)).body).toEqual(rest)
  })

  it('gives the smallest request a terminal-bound token of 12 digits that pays a purchase there', async () => {
    const at = { acquirer: terminal('SMALL001') }
    const digits = await token({ ...at })
    expect(digits).toMatch(/^\d{12}$/)
    expect(await codeOf(purchase({ token: digits, acquirer: terminal('SMALL002') }))).toBe('55')
    const buy = purchase({ token: digits, ...at, amount: 1 })
    await approved(buy)
    expect((await Ledger.of(stack)).debits(buy.consecutive)).toEqual([PESO])
  })

  it('answers what the edge refuses and what other content under a consecutive gets', async () => {
    expect(await codeOf(generation({ acquirer: terminal('T0000001', 'B1') }))).toBe('03')
    expect((await stack.post(generation(), { headers: { authorization: OTHER_CREDENTIALS } })).body.responseCode).toBe(
      '03',
    )
    expect(await codeOf({ ...generation(), transactionCode: 'SOMETHING_ELSE' })).toBe('12')
    const ask = generation({ acquirer: terminal('OTHERCON') })
    await approved(ask)
    const slotBefore = (await Ledger.of(stack)).balance(HOLDER)
    for (let n = 0; n < 2; n++) expect(await codeOf({ ...ask, ttlSeconds: 60 })).toBe('94')
    const ledger = await Ledger.of(stack)
    expect(ledger.refusals).toHaveLength(2)
    expect(ledger.of(ask.consecutive, 'TOKEN_GENERATION')).toHaveLength(1)
    expect(ledger.balance(HOLDER)).toBe(slotBefore)
  })

  it('tells by GET what became of a transaction, and 404 of what is not decided', async () => {
    const buy = purchase({ token: await token(), amount: 10 })
    expect((await stack.inquire(buy.consecutive)).status).toBe(404)
    const {
      body: { authorizationNumber },
    } = await approved(buy)
    const found = await stack.inquire(buy.consecutive)
    expect(found.status).toBe(200)
    expect(found.body).toEqual({
      consecutive: buy.consecutive,
      responseCode: '00',
      responseMessage: expect.any(String),
      authorizationNumber,
      state: 'approved',
    })
    const declined = purchase({ token: '000000', amount: 10 })
    await stack.post(declined)
    expect(await stateOf(declined.consecutive)).toBe('declined')
    const ask = generation({ acquirer: terminal('INQUIRED') })
    await approved(ask)
    const generated = await stack.inquire(ask.consecutive, 'TOKEN_GENERATION')
    expect(generated.body.state).toBe('approved')
    expect(generated.body).not.toHaveProperty('token')
    expect((await stack.inquire(ask.consecutive, 'TOKEN_GENERATION', 'B1')).status).toBe(404)
    expect((await stack.get(`/financial/${ask.consecutive}`)).status).toBe(400)
  })
})

describe('undoing', () => {
  const balance = async () => {
    const folded = (await Ledger.of(stack)).balance(HOLDER)
    expect(await storedBalance(stack, HOLDER)).toBe(folded)
    return folded
  }

  it('leaves the same balance whether a reversal comes before, during or after its original', async () => {
    const start = await balance()
    const before = purchase({ token: await token(), amount: 100 })
    const reverse = (id: string) => ({ ...reversal({}), consecutive: id })
    await approved(reverse(before.consecutive))
    expect(await codeOf(before)).toBe('05')
    expect(await balance()).toBe(start)
    // Its token was not spent.
    const after = purchase({ token: before['token'], amount: 100 })
    const bought = await approved(after)
    expect(await balance()).toBe(start - 100 * PESO)
    await approved(reverse(after.consecutive))
    await approved(reverse(after.consecutive))
    expect(await balance()).toBe(start)
    expect((await stack.post(after)).text).toBe(bought.text)
    expect(await stateOf(after.consecutive)).toBe('reversed')

    for (let n = 0; n < 10; n++) {
      const during = purchase({ token: await token(), amount: 100 })
      const [original, undone] = await Promise.all([
        stack.post(during, { door: n }),
        stack.post(reverse(during.consecutive), { door: n + 1 }),
      ])
      expect(undone.body.responseCode).toBe('00')
      expect(['00', '05']).toContain(original.body.responseCode)
      expect(await stateOf(during.consecutive)).toBe(original.body.responseCode === '00' ? 'reversed' : 'declined')
      // An original that was declined leaves its token: five may live at once.
      if (original.body.responseCode === '05') {
        const spend = purchase({ token: during['token'], amount: 100 })
        await approved(spend)
        await approved(reverse(spend.consecutive))
      }
    }
    expect(await balance()).toBe(start)
  })

  it('voids what is approved once, and declines to void what is unknown or undone', async () => {
    const start = await balance()
    const buy = purchase({ token: await token(), amount: 300 })
    await approved(buy)
    const voiding = { ...reversal({ originalConsecutive: buy.consecutive }), transactionCode: 'VOID' }
    const first = await approved(voiding)
    expect((await stack.post(voiding, { door: 1 })).text).toBe(first.text)
    expect(await codeOf({ ...voiding, consecutive: consecutive() })).toBe('12')
    expect(await codeOf({ ...voiding, consecutive: consecutive(), originalConsecutive: consecutive() })).toBe('25')
    expect(await stateOf(buy.consecutive)).toBe('voided')
    expect(await balance()).toBe(start)
  })

  it('ends the token of a generation that is reversed', async () => {
    const ask = generation()
    const { body } = await approved(ask)
    await approved({ ...reversal({ originalTransactionCode: 'TOKEN_GENERATION' }), consecutive: ask.consecutive })
    expect(await codeOf(purchase({ token: body.token, amount: 5 }))).toBe('55')
    // The right token below clears what these tests count as wrong.
    await approved(purchase({ token: await token(), amount: 5 }))
  })
})

describe('what stands where', () => {
  it('keeps tokens in Redis under keys whose time runs out, and nothing without an end that should have one', async () => {
    const ask = generation({ ttlSeconds: 90, acquirer: terminal('TTL00001') })
    await approved(ask)
    const slot = `T.${keys.hash('terminal', 'A1:0001:TTL00001')}`
    const [found] = await askRedis(stack.servers.redisUrl, [['KEYS', `token:{${slot}}:*`]])
    const key = String((found as Buffer[])[0])
    expect(found).toHaveLength(1)
    const left = async () => (await askRedis(stack.servers.redisUrl, [['PTTL', key]]))[0] as number
    const first = await left()
    expect(first).toBeGreaterThan(80_000)
    await until('the time that the key has left goes down', 10_000, async () => (await left()) <= first - 500)
    const [all] = await askRedis(stack.servers.redisUrl, [['KEYS', '*']])
    const timed = (all as Buffer[]).map(String).filter((name) => /^(token|claim|outcome|verdict):/.test(name))
    expect(timed.length).toBeGreaterThan(20)
    for (const ttl of await askRedis(
      stack.servers.redisUrl,
      timed.map((name) => ['PTTL', name]),
    ))
      expect(ttl).toBeGreaterThan(0)
  })

  it('puts a request, its event and its reply on their topics, as CloudEvents in Avro', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const ask = generation({ acquirer: terminal('RECORDED') })
    const answer = await stack.post(ask, { headers: { traceparent }, door: 1 })
    const scope = `A1:TOKEN_GENERATION:${ask.consecutive}`
    const requests = (await stack.records(TOPIC.tokenRequests)).filter(({ headers }) =>
      headers['ce_id']?.startsWith(scope),
    )
    expect(requests).toHaveLength(1)
    const [request] = requests.map((record) => wire.decodeRequest(record))
    expect(request?.body).toMatchObject({ kind: 'TOKEN_GENERATION', scope: { consecutive: ask.consecutive } })
    expect(request?.replyPartition).toBe(1)
    const replies = (await stack.records(TOPIC.replies)).filter(({ headers }) => headers['ce_id']?.startsWith(scope))
    expect(replies.map(({ partition }) => partition)).toEqual([1])
    expect(replies.map((record) => wire.decodeReply(record))).toMatchObject([
      { scope, found: true, responseCode: '00', authorizationNumber: answer.body.authorizationNumber },
    ])
    const events = (await stack.records(TOPIC.events)).filter(({ value }) =>
      Buffer.from(value ?? []).includes(ask.consecutive),
    )
    expect(events).toHaveLength(1)
    for (const { headers } of [...requests, ...replies, ...events])
      expect(headers).toMatchObject({ ce_specversion: '1.0', traceparent })
    for (const { headers } of events) expect(headers).toMatchObject({ 'content-type': 'application/avro' })
    expect(events.map(({ value }) => wire.decodeEvent(value))).toMatchObject([
      { type: 'transaction-decided', responseCode: '00', command: { scope: { consecutive: ask.consecutive } } },
    ])
  })
})

describe('two ingress processes at once', () => {
  it('give 20 identical requests 20 identical answers, one debit and one event', async () => {
    const ask = generation()
    const generated = await Promise.all(Array.from({ length: 20 }, async (_, door) => stack.post(ask, { door })))
    expect(new Set(generated.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
    expect(generated[0]?.body.token).toMatch(/^\d{6}$/)
    const before = (await Ledger.of(stack)).balance(HOLDER)
    const buy = purchase({ token: generated[0]?.body.token, amount: 777 })
    const bought = await Promise.all(Array.from({ length: 20 }, async (_, door) => stack.post(buy, { door })))
    expect(new Set(bought.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
    expect(bought[0]?.body.responseCode).toBe('00')
    const ledger = await Ledger.of(stack)
    expect(ledger.debits(buy.consecutive)).toEqual([777 * PESO])
    expect(ledger.of(buy.consecutive).map(({ records }) => records)).toEqual([1])
    // Another worker that comes right after may publish it once more, byte for byte: it is one event all the same.
    expect(ledger.of(ask.consecutive, 'TOKEN_GENERATION')).toHaveLength(1)
    expect(ledger.balance(HOLDER)).toBe(before - 777 * PESO)
    expect(await storedBalance(stack, HOLDER)).toBe(before - 777 * PESO)
  })

  it('evaluate 5 of 50 wrong tokens of one subject, then answer 75, also to the right one', async () => {
    // A subject of its own, since it stays locked: the holder of the card that has only a pocket.
    const card = { cardNumber: '6039591000000026', accountType: '80' }
    const right = await token({ document: { type: 'CE', number: '876543' } })
    const wrong = Array.from({ length: 50 }, (_, n) => ({
      ...card,
      amount: 10,
      token: String((Number(right) + 1 + n) % 1_000_000).padStart(6, '0'),
    }))
    const bodies = wrong.map(purchase)
    const answers = await Promise.all(bodies.map(async (body, door) => stack.post(body, { door })))
    const codes = answers.map(({ body }) => body.responseCode)
    expect(codes.filter((code) => code === '55')).toHaveLength(5)
    expect(codes.filter((code) => code === '75')).toHaveLength(45)
    expect(await codeOf(purchase({ ...card, token: right, amount: 10 }))).toBe('75')
    const fresh = await token({ document: { type: 'CE', number: '876543' } })
    expect(await codeOf(purchase({ ...card, token: fresh, amount: 10 }))).toBe('75')
    const ledger = await Ledger.of(stack)
    const counted = bodies
      .flatMap(({ consecutive: id }) => ledger.of(id))
      .filter(({ event }) => event.facts.some(({ kind }) => kind === 'guard-changed'))
    expect(counted).toHaveLength(5)
    expect(bodies.flatMap(({ consecutive: id }) => ledger.debits(id))).toEqual([])
  })
})
