// Card tokens on a real Kafka and Redis, over two ingress processes: charged once, an order approved once, and after a
// token's end nothing that is left anywhere opens its number.
import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { passesLuhn } from '../../services/core/card/mask.ts'
import type { StoredRecord } from '../../services/ports/log.ts'
import { TOPIC, TOPICS } from '../../services/runtime/topics.ts'
import { sdkOne, sdkTwo } from '../ingress/openpay/sdk.ts'
import { askRedis, type RedisReply } from '../servers/redis-probe.ts'
import { candidatesIn, everythingReadable, keysOfRing, leavesOf } from './ciphertexts.ts'
import { DEMO_SET, Stack, until, wire } from './harness.ts'
import { basic, type Answer } from './http.ts'
import { search, type Haystack } from './needles.ts'

const MERCHANT = 'mzdtln0bmtms6o3kck8f'
const PRIVATE_KEY = 'sk_e568c42a6c384b7ab02cd47d2e407cab'
const HEADERS = { authorization: basic(PRIVATE_KEY, '') }
/** Long enough for what is done while tokens live, short enough to wait for. */
const TTL_SECONDS = 30

const digits = (count: number) => Array.from({ length: count }, () => randomInt(10)).join('')

/** Not one of the demo's: approved, and nobody else writes it anywhere. American Express has codes of four digits. */
function newCard(): string {
  for (;;) {
    const number = `3782${digits(11)}`
    if (passesLuhn(number)) return number
  }
}

interface Planted {
  readonly number: string
  readonly code: string
}

const planted: Planted[] = []
function plant(): Planted {
  const card = { number: newCard(), code: String(randomInt(1_000, 10_000)) }
  planted.push(card)
  return card
}

const tokenBody = ({ number, code }: Planted, fields: object = {}) => ({
  card_number: number,
  cvv2: code,
  holder_name: 'Juan Perez Ramirez',
  expiration_year: '29',
  expiration_month: '12',
  ...fields,
})
const chargeBody = (source: string, fields: object = {}) => ({
  source_id: source,
  method: 'card',
  amount: 716,
  currency: 'COP',
  description: 'Cargo inicial a mi cuenta',
  ...fields,
})

let stack: Stack
const answers: Haystack[] = []

beforeAll(async () => {
  const ttl = String(TTL_SECONDS)
  const env = { LOG_LEVEL: 'trace', CARD_TOKEN_TTL_SECONDS: ttl, SECURITY_CODE_TTL_SECONDS: ttl }
  stack = await Stack.start({ instances: { ingress: 2, issuer: 2, authorizer: 2 }, env })
}, 180_000)
afterAll(async () => stack?.stop())

async function send(
  door: number,
  method: string,
  path: string,
  body?: object | string,
  headers: object = {},
): Promise<Answer & { readonly json: any }> {
  const base = stack.doors[door % stack.doors.length] ?? ''
  const options = { headers: { ...HEADERS, ...headers }, ...(body === undefined ? {} : { body }) }
  const answer = await stack.call(base, method, `/v1/${MERCHANT}${path}`, options)
  answers.push({ name: `an answer with status ${answer.status}`, bytes: Buffer.from(answer.text) })
  return { ...answer, json: answer.body }
}

async function newToken(card = plant(), fields: object = {}): Promise<string> {
  const { status, json } = await send(randomInt(2), 'POST', '/tokens', tokenBody(card, fields))
  expect(status).toBe(201)
  return json.id
}

/** Whether a text that was read, and is no noise and no key, holds a code. */
function says(text: string, code: string): boolean {
  const read = [...text].every((letter) => letter >= ' ') && !/^[A-Za-z0-9+/]{43}=$/.test(text)
  return read && new RegExp(`(?<![0-9])${code}(?![0-9])`).test(text)
}

/** How often each error code, or status of a success, was answered. */
function counted(all: readonly { readonly status: number; readonly json: any }[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status, json } of all) {
    const name = String(json.error_code ?? status)
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

describe('over two ingress processes', () => {
  it('a hundred charges of one card token at once: one succeeds, 99 get 1003', async () => {
    const source = await newToken()
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, n) => send(n, 'POST', '/charges', chargeBody(source))),
    )
    expect(counted(all)).toEqual({ 200: 1, 1003: 99 })
    const charged = all.find(({ status }) => status === 200)
    const asked = await charges(({ type }) => type === 'transaction-pending')
    expect(asked).toHaveLength(1)
    for (const door of [0, 1]) {
      expect((await send(door, 'GET', `/charges/${charged?.json.id}`)).json).toEqual(charged?.json)
      expect((await send(door, 'GET', `/tokens/${source}`)).json.card).toEqual(charged?.json.card)
    }
  })

  it('one order for twenty tokens at once: one charge is approved', async () => {
    const sources = await Promise.all(Array.from({ length: 20 }, () => newToken()))
    const order = { order_id: `oid-${digits(8)}` }
    const all = await Promise.all(sources.map((source, n) => send(n, 'POST', '/charges', chargeBody(source, order))))
    expect(counted(all)).toEqual({ 200: 1, 1006: 19 })
    const left = sources[all.findIndex(({ status }) => status === 409)] ?? ''
    expect((await send(1, 'POST', '/charges', chargeBody(left, order))).json.error_code).toBe(1006)
    expect((await send(0, 'POST', '/charges', chargeBody(left))).status).toBe(200)
  })

  it.each([
    ['1.0.5', sdkOne],
    ['2.x', sdkTwo],
  ])('the SDK %s creates a token at one and charges it at the other', async (_version, sdkOf) => {
    const [first = '', second = ''] = stack.doors
    const token = await sdkOf(first, MERCHANT, PRIVATE_KEY).tokens.create(tokenBody(plant()))
    expect(token.status).toBe(201)
    const { charges: at, tokens } = sdkOf(second, MERCHANT, PRIVATE_KEY)
    expect((await tokens.get(token.body.id)).body).toEqual(token.body)
    const charge = await at.create(chargeBody(token.body.id))
    expect([charge.status, charge.body.status]).toEqual([200, 'completed'])
    expect((await at.create(chargeBody(token.body.id))).error.error_code).toBe(1003)
  })
})

describe('what is left of a card', () => {
  it('opens nothing once its token is spent or over, and before that only with its key in Redis', async () => {
    const spent = plant()
    const over = plant()
    const source = await newToken(spent)
    const bought = Date.now()
    await newToken(over)
    // As long as the tokens live the keys are there, or this would find nothing for another reason.
    const alive = await readable()
    for (const { number, code } of [spent, over]) {
      expect(alive.redis.some((text) => text.includes(number))).toBe(true)
      expect(alive.redis.some((text) => says(text, code))).toBe(true)
    }
    for (const { number, code } of planted) {
      expect(alive.kafka.some((text) => text.includes(number) || says(text, code))).toBe(false)
    }

    expect((await send(0, 'POST', '/charges', chargeBody(source))).status).toBe(200)
    const after = await readable()
    expect(after.all.some((text) => text.includes(spent.number))).toBe(false)
    expect(after.all.some((text) => says(text, spent.code))).toBe(false)
    expect(after.all.some((text) => text.includes(over.number))).toBe(true)

    await until('the last token is over', 60_000, () => Date.now() > bought + (TTL_SECONDS + 1) * 1_000)
    const late = await readable()
    // Details of cards are there and do open, so the keys were the right ones.
    expect(late.all.some((text) => text.includes('"holder_name":"Juan Perez Ramirez"'))).toBe(true)
    for (const { number, code } of planted) {
      expect(late.all.some((text) => text.includes(number))).toBe(false)
      expect(late.all.some((text) => says(text, code))).toBe(false)
    }
  })

  it('is in no field of any record as a security code, in no writing', async () => {
    const records = await allRecords()
    expect(records.length).toBeGreaterThan(100)
    const codes = planted.map(({ code }) => code)
    for (const record of records) {
      const leaves = leavesOf(decoded(record)).map((leaf) => (Buffer.isBuffer(leaf) ? leaf.toString('latin1') : leaf))
      expect(leaves.filter((leaf) => codes.includes(leaf))).toEqual([])
      const value = record.value ? Buffer.from(record.value) : Buffer.alloc(0)
      // As a text of Avro, with its length before it, doubled, and of JSON.
      const asText = (text: string) => [Buffer.from([2 * text.length, ...Buffer.from(text)]), Buffer.from(`"${text}"`)]
      const written = codes.flatMap((code) => [
        ...asText(code),
        Buffer.from(Buffer.from(code).toString('hex')),
        Buffer.from(Buffer.from(code).toString('base64').replace(/=+$/, '')),
      ])
      written.push(...asText('cvv2'))
      expect(written.filter((bytes) => value.includes(bytes)).map(String)).toEqual([])
      // And as any word of its own: as a part of one it stands in some hash by chance.
      expect(value.toString('latin1')).not.toMatch(/(?<![\w-])cvv2(?![\w-])/)
    }
  })

  it('is nowhere in clear, wherever a caller put numbers', async () => {
    const card = plant()
    const text = `ref ${card.number} x`
    const address = {
      line1: text,
      line2: text,
      line3: text,
      state: text,
      city: text,
      postal_code: card.number,
      country_code: 'CO',
    }
    const stray = {
      number: card.number,
      metadata: { pan: card.number },
      customer: { name: text, email: `${card.number}@x.co` },
    }
    const headers = {
      'x-request-id': `id-${card.number}`,
      'user-agent': text,
      traceparent: `00-${card.number.padEnd(32, '0')}-${card.number}0-01`,
    }
    const created = await send(
      0,
      'POST',
      '/tokens',
      { ...tokenBody(card, { holder_name: text, address }), ...stray },
      headers,
    )
    expect(created.status).toBe(201)
    const masked = `ref ${card.number.slice(0, 6)}*****${card.number.slice(-4)} x`
    expect(created.json.card).toMatchObject({ holder_name: masked, address: { line1: masked, city: masked } })
    const free = { description: text, order_id: text, device_session_id: text, ...stray }
    const charged = await send(1, 'POST', '/charges', chargeBody(created.json.id, free), headers)
    expect(charged.json).toMatchObject({ status: 'completed', description: masked, order_id: masked })
    expect((await send(0, 'POST', `/charges/${charged.json.id}/refund`, { description: text, amount: 1 })).status).toBe(
      200,
    )
    const refused: readonly (readonly [string, string, (object | string)?])[] = [
      ['POST', '/tokens', { ...tokenBody(card), holder_name: { pan: card.number } }],
      ['POST', '/tokens', { ...tokenBody(card), cvv2: card.number }],
      ['POST', '/tokens', { ...tokenBody(card), expiration_year: card.number, expiration_month: card.number }],
      ['POST', '/tokens', { ...tokenBody(card), address: { line1: text } }],
      ['POST', '/tokens', { ...tokenBody(card), card_number: `${card.number}${card.number}` }],
      ['POST', '/tokens', `{"card_number":"${card.number}","cvv2":"${card.code}"`],
      ['POST', '/charges', chargeBody(card.number)],
      ['POST', '/charges', chargeBody(created.json.id, { currency: card.number, order_id: text })],
      ['POST', '/charges', chargeBody(created.json.id, { order_id: `${text} again` })],
      ['POST', '/charges', chargeBody(created.json.id, { amount: Number(card.number) })],
      ['POST', `/charges/${card.number}/refund`, { description: text }],
      ['GET', `/tokens/${card.number}`],
      ['GET', `/charges/${card.number}?card=${card.number}`],
      ['GET', `/cards/${card.number}`],
      ['DELETE', `/tokens/${card.number}`],
    ]
    for (const [method, path, body] of refused) {
      expect((await send(0, method, path, body, headers)).status).toBeGreaterThanOrEqual(400)
    }
    const wrongKey = { ...headers, authorization: basic(card.number, card.number) }
    expect((await send(0, 'POST', '/tokens', tokenBody(card), wrongKey)).status).toBe(401)
    const needles = planted.map(({ number: value }) => ({ what: 'a card number', value }))
    const keys = ['a private key', 'a public key'].map((what, n) => ({
      what,
      value: n === 0 ? PRIVATE_KEY : 'pk_f0660ad5a39f4912872e24a7a660370c',
    }))
    expect([...new Set(search(await haystacks(), [...needles, ...keys]))]).toEqual([])
    expect(search(answers, [{ what: 'a mask', value: '378' }]).length).toBeGreaterThan(0)
  })
})

/** Events of charges. */
async function charges(which: (event: { readonly type: string }) => boolean): Promise<readonly unknown[]> {
  const events = (await stack.records(TOPIC.events)).map(({ value }) => wire.decodeEvent(value))
  return events.filter((event) => 'command' in event && event.command.kind === 'CARD_CHARGE' && which(event))
}

async function allRecords(): Promise<readonly StoredRecord[]> {
  return (await Promise.all(TOPICS.map(({ name }) => stack.records(name)))).flat()
}

/** A record as its message, with its key and headers; what is none as its bytes. */
function decoded(record: StoredRecord): unknown {
  const read = () => {
    // A barrier, which every topic that is fenced has.
    if (record.headers['ce_type']?.includes('epoch')) return record.value
    switch (record.topic) {
      case TOPIC.tokenRequests:
      case TOPIC.purchaseRequests:
        return wire.decodeRequest(record)
      case TOPIC.replies:
        return wire.decodeReply(record)
      case TOPIC.events:
        return wire.decodeEvent(record.value)
      default:
        return record.value
    }
  }
  return [read(), record.key, record.headers]
}

/** What can be read of all that is left, with all keys that are left. */
async function readable(): Promise<{
  readonly all: readonly string[]
  readonly kafka: readonly string[]
  readonly redis: readonly string[]
}> {
  const { identity, token, seal } = (JSON.parse(readFileSync(DEMO_SET, 'utf8')) as { keys: Ring }).keys
  const ring = [identity, ...token, ...seal].flatMap(({ key }) => keysOfRing(key))
  const kafka = candidatesIn((await allRecords()).flatMap((record) => leavesOf(decoded(record))))
  const redis = candidatesIn(await redisLeaves())
  const all = everythingReadable(
    [...new Map([...kafka, ...redis].map((one) => [one.toString('latin1'), one])).values()],
    ring,
  )
  return { all, kafka: everythingReadable(kafka, ring), redis: [...everythingReadable(redis, ring), ...all] }
}

interface Ring {
  readonly identity: { readonly key: string }
  readonly token: readonly { readonly key: string }[]
  readonly seal: readonly { readonly key: string }[]
}

/** How a message in single-object encoding begins. */
const MESSAGE = Buffer.from([0xc3, 0x01])

/** Names and values of everything in Redis, and what an event in an outbox says. */
async function redisLeaves(): Promise<readonly (string | Buffer)[]> {
  const { redisUrl } = stack.servers
  const [found] = await askRedis(redisUrl, [['KEYS', '*']])
  const names = (found as Buffer[]).map(String)
  const types = await askRedis(
    redisUrl,
    names.map((name) => ['TYPE', name]),
  )
  const read = (name: string, type: string) => {
    if (type === 'hash') return ['HGETALL', name]
    return type === 'zset' ? ['ZRANGE', name, '0', '-1', 'WITHSCORES'] : ['GET', name]
  }
  const values = await askRedis(
    redisUrl,
    names.map((name, i) => read(name, String(types[i]))),
  )
  return [...names, ...values.flatMap(leavesOfReply)]
}

function leavesOfReply(reply: RedisReply): readonly (string | Buffer)[] {
  if (Array.isArray(reply)) return reply.flatMap((one) => leavesOfReply(one as RedisReply))
  if (!Buffer.isBuffer(reply)) return []
  const message = reply.indexOf(MESSAGE)
  try {
    return [reply.toString('latin1'), ...leavesOf(wire.decodeEvent(reply.subarray(Math.max(message, 0))))]
  } catch {
    return [reply.toString('latin1')]
  }
}

/** Everything that was written or answered. */
async function haystacks(): Promise<Haystack[]> {
  const metrics = await Promise.all(
    [...stack.services.values()].map(async ({ name, url }) => ({
      name: `metrics of ${name}`,
      bytes: Buffer.from((await stack.call(url, 'GET', '/metrics')).text),
    })),
  )
  await askRedis(stack.servers.redisUrl, [['CONFIG', 'SET', 'rdbcompression', 'no'], ['SAVE']])
  const redis = {
    name: 'keys and values of Redis',
    bytes: Buffer.concat((await redisLeaves()).map((leaf) => Buffer.from(leaf as string, 'latin1'))),
  }
  const files = [...(await stack.servers.kafka.files()), ...(await stack.servers.redis.files())]
  return [...answers, ...metrics, ...stack.logFiles(), ...files, redis]
}
