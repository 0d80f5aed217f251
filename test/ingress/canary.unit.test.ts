// Card numbers, document numbers, tokens and secrets are sent on every path that fails, and sought in what comes out.

import { describe, expect, it } from 'vitest'
import {
  ingressPerTest,
  APP,
  approve,
  CARD,
  credentials,
  DOCUMENT,
  keysWith,
  memoryLog,
  GENERATION,
  JSON_HEADERS,
  PURCHASE,
  type Harness,
  type HarnessOptions,
} from './harness.ts'
import { logWith } from '../ports/log-with.ts'

const TOKEN = '918273'
const SECRETS = [CARD, DOCUMENT, TOKEN, APP.secret]

const start = ingressPerTest()

const GENERATION_BODY = {
  ...GENERATION,
  cardNumber: CARD,
  document: { type: 'CC', number: DOCUMENT },
  metadata: `de ${CARD}`,
}
const PURCHASE_BODY = { ...PURCHASE, token: TOKEN, metadata: CARD }
const leaky = (): never => {
  throw new Error(`${CARD} ${DOCUMENT} ${TOKEN} ${APP.secret}`)
}

const CALLS: readonly unknown[] = [
  PURCHASE_BODY,
  GENERATION_BODY,
  { ...PURCHASE_BODY, cardNumber: `${CARD} ` },
  { ...PURCHASE_BODY, token: `${TOKEN}x` },
  { ...PURCHASE_BODY, amount: TOKEN },
  { ...GENERATION_BODY, document: { type: DOCUMENT, number: CARD + CARD } },
  { ...GENERATION_BODY, document: { type: 'CC', number: `${DOCUMENT}x` } },
  { ...GENERATION_BODY, metadata: CARD.repeat(5) },
  { ...GENERATION_BODY, transactionCode: CARD },
  { ...GENERATION_BODY, acquirer: CARD },
  { ...GENERATION_BODY, [CARD]: TOKEN },
  { ...GENERATION_BODY, acquirer: { ...GENERATION.acquirer, id: 'B1' } },
  `{"cardNumber":"${CARD}","token":"${TOKEN}","document":"${DOCUMENT}"`,
  `${CARD} ${TOKEN} ${DOCUMENT}`,
  [CARD, TOKEN, DOCUMENT],
  '',
  { ...PURCHASE_BODY, pad: CARD.repeat(5_000) },
]

async function everythingFrom({ post, get, app, lines, registry }: Harness): Promise<string> {
  const out: unknown[] = []
  for (const body of CALLS) {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    out.push(await post(text), await post(text, { ...JSON_HEADERS, 'content-type': 'text/plain' }))
    out.push(
      await post(text, {
        ...JSON_HEADERS,
        authorization: credentials(APP.key, `${APP.secret}x`),
        'x-request-id': CARD,
      }),
    )
    out.push(await post(text, { ...JSON_HEADERS, 'x-request-id': `a-${CARD}`, traceparent: CARD }))
  }
  for (const path of [CARD, TOKEN, DOCUMENT, `%${CARD}`, `${CARD}/${TOKEN}`]) {
    out.push(await get(`/financial/${path}?acquirerId=${CARD}&transactionCode=${TOKEN}`), await get(`/${path}`))
  }
  expect(app.server.listening).toBe(false)
  return JSON.stringify([out, lines, await registry.metrics()])
}

describe('no response, log line or metric holds a number, a token or a secret', () => {
  const worlds: readonly (readonly [string, () => HarnessOptions])[] = [
    ['when all goes well', () => ({ answer: approve })],
    ['when nobody answers', () => ({ limits: { replyTimeoutMs: 20 } })],
    [
      'when the log fails and says why',
      () => {
        const publish = async () => {
          throw new Error(`${CARD} ${TOKEN} ${DOCUMENT}`)
        }
        const log = logWith(memoryLog(), { publish })
        return { log, limits: { replyTimeoutMs: 20 } }
      },
    ],
    ['when the key ring fails and says why', () => ({ keys: keysWith({ hash: leaky }) })],
    ['when the store fails and says why', () => ({ storePing: async () => leaky() })],
  ]
  for (const [what, options] of worlds) {
    it(what, async () => {
      const everything = await everythingFrom(await start(options()))
      for (const secret of SECRETS) expect(everything).not.toContain(secret)
    })
  }

  it('nor does a record that is published', async () => {
    const harness = await start({ answer: approve })
    await everythingFrom(harness)
    expect(harness.published.length).toBeGreaterThan(2)
    const records = harness.published.map(({ key, value, headers }) => [
      key,
      Buffer.from(value).toString('latin1'),
      headers,
    ])
    for (const secret of SECRETS) expect(JSON.stringify(records)).not.toContain(secret)
  })
})
