// Numbers, tokens, sessions and secrets are sent on every path of the Aspen dialect, and sought in what comes out.

import { describe, expect, it } from 'vitest'
import { createMemorySessions } from '../../../services/adapters/memory/sessions.ts'
import type { AdmissionAsk, Session, Sessions } from '../../../services/ports/sessions.ts'
import {
  approve,
  ASPEN_APP,
  CARD,
  credentials,
  DOCUMENT,
  ingressPerTest,
  ISSUED_DIGITS,
  issuedToken,
  keysWith,
  memoryLog,
  OTHER_ASPEN_APP,
  type Answer,
  type Harness,
  type HarnessOptions,
} from '../harness.ts'
import { aspenClient } from './client.ts'
import { logWith } from '../../ports/log-with.ts'

const start = ingressPerTest()
const TOKEN = '918273'
const SECRETS = [CARD, DOCUMENT, TOKEN, ISSUED_DIGITS, ASPEN_APP.secret, OTHER_ASPEN_APP.secret]

const USER = { docType: 'CC', docNumber: DOCUMENT, amount: 10_000, metadata: `de ${CARD}` }
const BODIES: readonly unknown[] = [
  USER,
  { ...USER, tags: { Pan: CARD, CardAcceptorId: CARD, TerminalId: 'T1', CustomerGroup: `x ${CARD}` } },
  { ...USER, tags: { Pan: `${CARD.slice(0, 4)} ${CARD.slice(4)}` } },
  { ...USER, tags: { [CARD]: TOKEN } },
  { ...USER, docType: TOKEN },
  { ...USER, docType: CARD },
  { ...USER, docNumber: `${DOCUMENT}x` },
  { ...USER, amount: TOKEN },
  { ...USER, metadata: CARD.repeat(5) },
  { ...USER, accountType: TOKEN },
  `{"docNumber":"${DOCUMENT}","token":"${TOKEN}"`,
  `${CARD} ${TOKEN}`,
  { ...USER, pad: CARD.repeat(5_000) },
]
const HEADERS: readonly Record<string, string | undefined>[] = [
  {},
  { 'Content-Type': 'text/plain' },
  { 'X-PRO-Api-Version': CARD },
  { 'X-PRO-Auth-App': CARD },
  { 'X-PRO-Auth-Payload': `${CARD}.${TOKEN}.${DOCUMENT}` },
  { 'X-Request-Id': CARD, traceparent: CARD },
  { 'X-PRO-Auth-App': undefined, authorization: credentials(ASPEN_APP.key, CARD) },
]

const leaky = (): never => {
  throw new Error(`${CARD} ${DOCUMENT} ${TOKEN} ${ASPEN_APP.secret}`)
}
const generate: Answer = (request) =>
  request.body.kind === 'TOKEN_GENERATION'
    ? { responseCode: '00', token: issuedToken(Date.now() + 60_000), tokenShown: true }
    : approve(request)

/** What went to the store, and whether a session's token was among it. */
function watched(sessions: Sessions) {
  const stored: unknown[] = []
  return {
    stored,
    sessions: {
      admit: (ask: AdmissionAsk) => (stored.push(ask), sessions.admit(ask)),
      open: (app: string, session: Session, until: number) => (
        stored.push(app, session),
        sessions.open(app, session, until)
      ),
      close: () => sessions.close(),
    },
  }
}

async function everythingFrom({ app, lines, registry, published }: Harness, secrets: string[]): Promise<string> {
  const out: unknown[] = []
  // Not in debug mode: no answer delivers a token to its requester.
  const client = aspenClient(app, OTHER_ASPEN_APP)
  await client.signIn()
  if (client.token !== undefined) secrets.push(client.token)
  for (const [index, body] of BODIES.entries()) {
    for (const headers of index < 2 ? HEADERS : [{}]) {
      for (const [method, path] of [
        ['PUT', `/tokens/${TOKEN}`],
        ['PUT', `/tokens/${CARD}`],
        ['POST', '/tokens/send'],
        ['DELETE', `/tokens/${TOKEN}`],
      ] as const) {
        out.push(await client.call(method, path, { body, headers }))
      }
    }
  }
  for (const Nonce of [CARD, `n-${TOKEN}`])
    out.push(await client.call('GET', '/tokens/channels', { claims: { Nonce } }))
  for (const Epoch of [CARD, TOKEN]) out.push(await client.call('GET', `/${CARD}/${TOKEN}`, { claims: { Epoch } }))
  out.push(
    await app.inject({ method: 'GET', url: `/help/events/${CARD}` }).then(({ body, headers }) => [body, headers]),
  )
  const records = published.map(({ key, value, headers }) => [key, Buffer.from(value).toString('latin1'), headers])
  return JSON.stringify([out, lines, await registry.metrics(), records])
}

describe('no response, log line, metric, record or stored value holds a number, a token, a session or a secret', () => {
  const worlds: readonly (readonly [string, () => HarnessOptions])[] = [
    ['when all goes well', () => ({ answer: generate })],
    ['when nobody answers', () => ({ limits: { replyTimeoutMs: 5 } })],
    [
      'when the log fails and says why',
      () => ({ log: logWith(memoryLog(), { publish: async () => leaky() }), limits: { replyTimeoutMs: 5 } }),
    ],
    ['when sealing fails and says why', () => ({ keys: keysWith({ seal: leaky }), answer: generate })],
    [
      'when the delivery fails and says why',
      () => ({
        answer: generate,
        delivery: { key: 'x', name: 'x', deliver: async () => leaky(), close: () => undefined },
      }),
    ],
  ]
  for (const [what, options] of worlds) {
    it(what, async () => {
      const { sessions, stored } = watched(createMemorySessions({ clock: { now: Date.now } }))
      const secrets = [...SECRETS]
      const everything = await everythingFrom(await start({ ...options(), sessions }), secrets)
      expect(secrets).toHaveLength(SECRETS.length + 1)
      expect(stored.length).toBeGreaterThan(50)
      const held = secrets.filter((secret) => (everything + JSON.stringify(stored)).includes(secret))
      expect(held).toEqual([])
    })
  }
})
