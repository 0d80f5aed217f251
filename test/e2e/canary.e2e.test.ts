// Card numbers, security codes, document numbers and tokens are planted wherever a caller can put them, on success and
// on every error path; then all bytes that the service left behind are searched for them.
import { randomInt } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { passesLuhn } from '../../services/core/card/mask.ts'
import { TOPIC } from '../../services/runtime/topics.ts'
import { askRedis, type RedisReply } from '../servers/redis-probe.ts'
import { isReady, Stack, until } from './harness.ts'
import { basic, generation, purchase, reversal, terminal, type Answer, type Body } from './http.ts'
import { search, writingsOf, type Haystack, type Needle } from './needles.ts'

const digits = (count: number): string => Array.from({ length: count }, () => randomInt(10)).join('')

/** Not one of the demo's: nobody else writes it anywhere. */
function newCard(length = 16): string {
  for (;;) {
    const number = `603959${digits(length - 6)}`
    if (passesLuhn(number)) return number
  }
}

const CARDS = { registered: newCard(), other: newCard(), long: newCard(19), short: newCard(13) }
const DOCUMENTS = { holder: `9${digits(11)}`, other: `8${digits(11)}`, passport: `XK${digits(9)}Q` }
/** Longer than a real one, which could stand anywhere by chance; the service does not look at the field. */
const SECURITY_CODE = `7${digits(13)}`
/** Presented, and never issued. */
const WRONG_TOKENS = [digits(10), digits(12), digits(17)]
const HOLDER = { type: 'CC', number: DOCUMENTS.holder }

let stack: Stack
const issued: string[] = []
/** Bodies of every answer but those that deliver a token. */
const bodies: Haystack[] = []

beforeAll(async () => {
  // Ten digits instead of six: six stand in any time stamp by chance.
  stack = await Stack.start({ env: { TOKEN_DIGITS: '10', LOG_LEVEL: 'trace', REPLY_TIMEOUT_MS: '3000' } })
}, 180_000)
afterAll(async () => stack?.stop())

function keep(answer: Answer): Answer {
  const { token, ...rest } = answer.body
  if (token !== undefined) issued.push(token)
  bodies.push({
    name: `an answer with status ${answer.status}`,
    bytes: Buffer.from(
      `${token === undefined ? answer.text : JSON.stringify(rest)}\n${JSON.stringify(answer.headers)}`,
    ),
  })
  return answer
}

const post = async (body: object | string, headers: Record<string, string> = {}) =>
  keep(await stack.post(body, { headers }))
const get = async (path: string, headers: Record<string, string> = {}) => keep(await stack.get(path, { headers }))

/** Fields that no transaction has, and what a careless caller may put there. */
const STRAY = {
  cvv2: SECURITY_CODE,
  cvv: SECURITY_CODE,
  securityCode: SECURITY_CODE,
  pan: CARDS.other,
  track2: `${CARDS.other}=3212${SECURITY_CODE}`,
  nested: { card_number: CARDS.long, list: [CARDS.other, { cvv2: SECURITY_CODE }], documentNumber: DOCUMENTS.other },
}
const grouped = (divider: string) => (CARDS.other.match(/\d{4}/g) ?? []).join(divider)
const METADATA = [
  CARDS.other,
  grouped(' '),
  grouped('-'),
  `x${CARDS.other}y`,
  `ref ${CARDS.short} ${CARDS.long}`.slice(0, 50),
]
/** Headers that callers and proxies send. */
const HEADERS = {
  'x-request-id': `id-${CARDS.other}`,
  'user-agent': `till ${CARDS.other} ${WRONG_TOKENS[0]}`,
  cookie: `card=${CARDS.other}; cvv=${SECURITY_CODE}`,
  referer: `https://shop.example/pay?card=${CARDS.other}&document=${DOCUMENTS.other}`,
  'x-forwarded-for': CARDS.other,
  traceparent: `00-${CARDS.other.padEnd(32, '0')}-${CARDS.other}-01`,
  tracestate: `card=${CARDS.other}`,
  baggage: `token=${WRONG_TOKENS[1]}`,
  'x-card-number': CARDS.other,
  'x-document': DOCUMENTS.other,
}

const card = (fields: object = {}) => purchase({ cardNumber: CARDS.registered, amount: 10, ...STRAY, ...fields })
const code = async (body: Body, expected: string, headers?: Record<string, string>) =>
  expect([body.transactionCode, (await post(body, headers)).body.responseCode]).toEqual([
    body.transactionCode,
    expected,
  ])
const status = async (expected: number, body: object | string, headers?: Record<string, string>) =>
  expect((await post(body, headers)).status).toBe(expected)

async function plantOnSuccess(): Promise<void> {
  for (const metadata of METADATA) {
    const { body } = await post(
      generation({ document: HOLDER, cardNumber: CARDS.registered, metadata, ...STRAY }),
      HEADERS,
    )
    expect(body.responseCode).toBe('00')
    await code(card({ token: body.token, metadata }), '00', HEADERS)
    await code(card({ token: body.token, metadata }), '55', HEADERS)
  }
  const at = { acquirer: terminal('CANARY01') }
  const {
    body: { token },
  } = await post(generation({ ...at, ...STRAY }))
  const buy = card({ ...at, token })
  await code(buy, '00')
  await code(buy, '00')
  await code({ ...buy, amount: 11 }, '94')
  await code({ ...reversal({ ...STRAY, metadata: CARDS.other }), consecutive: buy.consecutive }, '00')
  await code(
    { ...generation({ document: { type: 'PAS', number: DOCUMENTS.passport }, metadata: CARDS.short, ...STRAY }) },
    '00',
  )
  await get(
    `/financial/${buy.consecutive}?acquirerId=A1&transactionCode=TOKEN_PURCHASE&cardNumber=${CARDS.other}&token=${WRONG_TOKENS[0]}`,
    HEADERS,
  )
}

async function plantOnDeclines(): Promise<void> {
  await code(card({ acquirer: terminal('T', 'B1'), token: WRONG_TOKENS[0] }), '03', HEADERS)
  await code({ ...card({ token: WRONG_TOKENS[0] }), transactionCode: `CODE ${CARDS.other}` }, '12', HEADERS)
  await code(generation({ document: { type: 'CC', number: DOCUMENTS.other }, cardNumber: CARDS.registered }), '14')
  await code(generation({ document: HOLDER, cardNumber: CARDS.long }), '14')
  // An unregistered card: five wrong tokens, then the lock. One of 12 digits counts at its terminal instead.
  await code(card({ cardNumber: CARDS.other, token: WRONG_TOKENS[1] }), '55', HEADERS)
  for (let n = 0; n < 5; n++)
    await code(card({ cardNumber: CARDS.other, token: WRONG_TOKENS[(n % 2) * 2] }), '55', HEADERS)
  await code(card({ cardNumber: CARDS.other, token: WRONG_TOKENS[0] }), '75', HEADERS)
}

async function plantOnErrors(): Promise<void> {
  const buy = card({ token: WRONG_TOKENS[0] })
  const bad: object[] = ['consecutive', 'accountType', 'amount', 'document', 'metadata', 'originalConsecutive'].map(
    (field) => ({ ...buy, [field]: { pan: CARDS.other } }),
  )
  for (const field of ['accountType', 'amount', 'cardNumber', 'token', 'acquirer', 'consecutive']) {
    bad.push({ ...buy, [field]: `${CARDS.other} ${SECURITY_CODE}` })
  }
  bad.push({ ...buy, acquirer: { id: CARDS.other, storeId: `${CARDS.other}0`, terminalId: CARDS.other } })
  bad.push(
    { ...buy, amount: Number(CARDS.other) },
    { ...generation(), ttlSeconds: Number(CARDS.other), cardNumber: `${CARDS.other}1` },
  )
  bad.push({
    ...generation(),
    document: { type: CARDS.other, number: `${DOCUMENTS.other}!` },
    metadata: `${CARDS.other} `.repeat(4),
  })
  bad.push({ ...reversal({ originalTransactionCode: CARDS.other }) }, [CARDS.other, SECURITY_CODE])
  const statuses = new Set<number>()
  for (const body of bad) statuses.add((await post(body, HEADERS)).status)
  expect(statuses).toContain(400)
  await status(400, `{"cardNumber":"${CARDS.other}","cvv2":"${SECURITY_CODE}","token":${WRONG_TOKENS[0]}`, HEADERS)
  await status(400, `{"__proto__":{"cardNumber":"${CARDS.other}"},"document":"${DOCUMENTS.other}"}`)
  await status(400, `${CARDS.other}`)
  await status(401, buy, { authorization: basic(CARDS.other, SECURITY_CODE) })
  await status(401, buy, { authorization: `Bearer ${CARDS.other}` })
  await status(413, { ...buy, filler: `${CARDS.other} ${SECURITY_CODE} `.repeat(3_000) }, HEADERS)
  await status(415, JSON.stringify(buy), { 'content-type': 'text/plain' })
  await status(415, JSON.stringify(buy), { 'content-type': `application/${CARDS.other}` })
  for (const path of [
    `/${CARDS.other}`,
    `/tokens/${WRONG_TOKENS[1]}`,
    `/cards/${CARDS.other}/${DOCUMENTS.other}?cvv=${SECURITY_CODE}`,
    `/financial/%${CARDS.other}`,
    `/financial/${CARDS.other}%20${SECURITY_CODE}?acquirerId=A1&transactionCode=TOKEN_PURCHASE`,
    `/financial/${CARDS.other}?token=${WRONG_TOKENS[0]}`,
    `/financial/x?acquirerId=${CARDS.other}&transactionCode=${CARDS.other}`,
    `/health/ready?card=${CARDS.other}`,
    `/metrics?card=${CARDS.other}`,
  ])
    await get(path, HEADERS)
  for (const method of ['PUT', 'DELETE', 'PATCH']) {
    keep(
      await stack.call(stack.doors[0] ?? '', method, `/financial/${CARDS.other}`, { headers: HEADERS, body: card() }),
    )
  }
}

/** With calls in flight: workers are killed, then Redis, then Kafka, and all of them come back. */
async function plantOnFaults(): Promise<void> {
  const some = async (): Promise<unknown> =>
    Promise.allSettled(
      Array.from({ length: 30 }, async (_, n) =>
        post(
          n % 2 === 0
            ? card({ token: WRONG_TOKENS[n % 3], cardNumber: newCardOfFaults() })
            : generation({ acquirer: terminal(`F${n}`), cardNumber: newCardOfFaults(), ...STRAY }),
          HEADERS,
        ),
      ),
    )
  for (const kill of [
    async () => Promise.all(['issuer-1', 'authorizer-1'].map(async (name) => stack.service(name).kill())),
    async () => stack.servers.redis.kill(),
    async () => stack.servers.kafka.kill(),
  ]) {
    const calls = some()
    await kill()
    await calls
    await some()
  }
  const ingress = stack.service('ingress-1')
  const calls = some()
  await ingress.kill()
  await calls
  await Promise.all([stack.servers.redis.start(), stack.servers.kafka.start()])
  await Promise.all(['issuer-1', 'authorizer-1', 'ingress-1'].map(async (name) => stack.service(name).start()))
  await until('all is well again', 60_000, async () =>
    (await Promise.all([...stack.services.values()].map(async ({ url }) => isReady(url)))).every(Boolean),
  )
  await some()
}

const faultCards: string[] = []
function newCardOfFaults(): string {
  const number = newCard()
  faultCards.push(number)
  return number
}

/** Everything that the service wrote or would show to anyone. */
async function everything(): Promise<Haystack[]> {
  const metrics = await Promise.all(
    [...stack.services.values()].map(async ({ name, url }) => ({
      name: `metrics of ${name}`,
      bytes: Buffer.from((await stack.call(url, 'GET', '/metrics')).text),
    })),
  )
  const events = await stack.run('services/cli/events.ts', ['--json'])
  // Its dump beside its log of commands, in letters that can be searched.
  await askRedis(stack.servers.redisUrl, [['CONFIG', 'SET', 'rdbcompression', 'no'], ['SAVE']])
  return [
    ...bodies,
    ...metrics,
    ...stack.logFiles(),
    ...(await stack.servers.kafka.files()),
    ...(await stack.servers.redis.files()),
    { name: 'keys and values of Redis', bytes: await redisContent() },
    { name: 'npm run events', bytes: Buffer.from(events.output) },
  ]
}

async function redisContent(): Promise<Buffer> {
  const { redisUrl } = stack.servers
  const [found] = await askRedis(redisUrl, [['KEYS', '*']])
  const names = (found as Buffer[]).map(String)
  const types = await askRedis(
    redisUrl,
    names.map((name) => ['TYPE', name]),
  )
  const values = await askRedis(
    redisUrl,
    names.map((name, i) => {
      switch (String(types[i])) {
        case 'hash':
          return ['HGETALL', name]
        case 'zset':
          return ['ZRANGE', name, '0', '-1', 'WITHSCORES']
        case 'string':
          return ['GET', name]
        default:
          throw new Error(`Redis holds a ${String(types[i])}`)
      }
    }),
  )
  return Buffer.concat([Buffer.from(names.join('\n')), ...values.map(flat)])
}

const flat = (reply: RedisReply): Buffer =>
  Buffer.isBuffer(reply) ? reply : Array.isArray(reply) ? Buffer.concat(reply.map(flat)) : Buffer.from(String(reply))

function needles(): Needle[] {
  const named = (what: string, values: readonly string[]): Needle[] => values.map((value) => ({ what, value }))
  return [
    ...named('a card number', [...Object.values(CARDS), ...faultCards]),
    ...named('a document number', Object.values(DOCUMENTS)),
    ...named('a security code', [SECURITY_CODE]),
    ...named('a presented token', WRONG_TOKENS),
    ...named('an issued token', issued),
  ]
}

describe('what is planted', () => {
  it('stands nowhere in logs, Kafka, Redis, metrics or answers', async () => {
    const row = (number: string, document: string) => `${number},CC,${document},,2032-12,,10,100000`
    const file = stack.write(
      'canaries.csv',
      [
        'cardNumber,documentType,documentNumber,state,expires,restrictions,accountType,balance',
        row(CARDS.registered, DOCUMENTS.holder),
        row(`${CARDS.other}x`, DOCUMENTS.other),
        row(CARDS.other, `${DOCUMENTS.other}!`),
        '',
      ].join('\n'),
    )
    const imported = await stack.run('services/cli/accounts.ts', ['import', file])
    expect(imported.output).toContain('2 refused')
    bodies.push({ name: 'the output of an import', bytes: Buffer.from(imported.output) })
    await plantOnSuccess()
    await plantOnDeclines()
    await plantOnErrors()
    await plantOnFaults()
    const haystacks = await everything()
    expect(issued.length).toBeGreaterThan(10)
    expect(bodies.length).toBeGreaterThan(100)
    console.log(
      `${haystacks.length} haystacks, ${haystacks.reduce((sum, { bytes }) => sum + bytes.length, 0)} bytes, ${needles().length} needles`,
    )
    expect([...new Set(search(haystacks, needles()))]).toEqual([])
  })

  it('would be found if it were there, however it were written and wherever', async () => {
    const writings = writingsOf(newCard())
    expect(writings.length).toBeGreaterThan(8)
    const leaks: Needle[] = []
    for (const [n, [writing]] of writings.entries()) {
      // One leak for each way of writing: on a topic, as a key of Redis, in a log.
      const value = newCard()
      const bytes = writingsOf(value)[n]?.[1] ?? Buffer.alloc(0)
      leaks.push({ what: writing, value })
      const padded = Buffer.concat([Buffer.from('{"'), bytes, Buffer.from('"}')])
      await stack.log.publish([{ topic: TOPIC.deadLetters, key: 'leak', value: padded, headers: {} }])
      await askRedis(stack.servers.redisUrl, [['SET', `leak:${padded.toString('latin1')}`, padded.toString('latin1')]])
      appendFileSync(stack.service('issuer-1').logFile, padded)
    }
    const real = newCard()
    await askRedis(stack.servers.redisUrl, [
      ['SET', 'leak:base64', Buffer.from(`{"pan":"${real}"}`).toString('base64')],
    ])
    leaks.push({ what: 'a text around it, in base64', value: real })
    const haystacks = await everything()
    const inAny = (where: (name: string) => boolean, leak: Needle) =>
      search(
        haystacks.filter(({ name }) => where(name)),
        [leak],
      ).length > 0
    for (const leak of leaks) {
      expect([leak.what, inAny((name) => name === 'keys and values of Redis', leak)]).toEqual([leak.what, true])
      expect([leak.what, inAny((name) => name === '/data' || name.includes('/redis/'), leak)]).toEqual([
        leak.what,
        true,
      ])
    }
    for (const leak of leaks.slice(0, -1)) {
      expect([leak.what, inAny((name) => name.includes('kafka'), leak)]).toEqual([leak.what, true])
      expect([leak.what, inAny((name) => name === 'issuer-1.log', leak)]).toEqual([leak.what, true])
    }
    // And the answers that were searched are those that were given.
    expect(search(bodies, [{ what: 'a code', value: '"responseCode":"75"' }])).toContain(
      'a code in an answer with status 200 (plain)',
    )
  })
})
