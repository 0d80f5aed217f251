// No oracle: a token that is wrong, used, expired or bound to something else gives the same bytes in the same time, here
// and at a purchase. `ORACLE_SAMPLES=20000` for as many calls of each kind of operation.

import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { passesLuhn } from '../../../services/core/card/mask.ts'
import { APP, ASPEN_APP, credentials } from '../harness.ts'
import { startService } from './service.ts'

const SAMPLES = Number(process.env['ORACLE_SAMPLES'] ?? 800)
/** Users of one round; each is asked once for each reason, which is short of the lock. */
const ROUND = 25
const WARM_UP = 200
const FIVE_MINUTES_MS = 300_000
/** Of the standard normal distribution: five beyond what chance gives once in a million. */
const MAX_Z = 5

const REASONS = ['never issued', 'used', 'expired', 'bound otherwise'] as const
type Reason = (typeof REASONS)[number]
type Service = Awaited<ReturnType<typeof startService>>

interface Sample {
  readonly reason: Reason
  readonly bytes: string
  readonly ms: number
}

let service: Service
beforeAll(async () => void (service = await startService()))
afterAll(async () => service.stop())

const AMOUNT = 25_000

async function send(
  url: string,
  method: 'PUT' | 'POST',
  [key, secret]: readonly [string, string],
  body: object,
): Promise<Sent> {
  const headers = { authorization: credentials(key, secret), 'content-type': 'application/json' }
  const began = performance.now()
  const response = await service.one.app.inject({ method, url, headers, payload: JSON.stringify(body) })
  return { ms: performance.now() - began, response }
}

interface Sent {
  readonly ms: number
  readonly response: Awaited<ReturnType<Service['one']['app']['inject']>>
}

/** How a subject gets a token of an amount, and how a token is presented for it. */
interface Way {
  subject(): string
  generate(subject: string, amount?: number): Promise<string>
  present(subject: string, token: string): Promise<Sent>
}

const aspen: Way = {
  subject: () => String(randomInt(1e9, 1e10)),
  generate: async (docNumber, amount) => {
    const body = { docType: 'CC', docNumber, ...(amount === undefined ? {} : { amount }) }
    const { response } = await send('/api/app/tokens/send', 'POST', [ASPEN_APP.key, ASPEN_APP.secret], body)
    return response.json<{ readonly token: string }>().token
  },
  present: (docNumber, token) =>
    send(`/api/app/tokens/${token}`, 'PUT', [ASPEN_APP.key, ASPEN_APP.secret], {
      docType: 'CC',
      docNumber,
      amount: AMOUNT,
    }),
}

/** The subject is a card that nobody registered: a right token is spent there, though no money is found. */
const evertec: Way = {
  subject: () => {
    const digits = `603959${randomInt(1e9)}`.padEnd(15, '0')
    return `${digits}${[0, 1, 2, 3, 4, 5, 6, 7, 8, 9].find((check) => passesLuhn(`${digits}${check}`))}`
  },
  generate: async (cardNumber, amount) => {
    const body = { transactionCode: 'TOKEN_GENERATION', cardNumber, ...(amount === undefined ? {} : { amount }) }
    return (await financial(body)).response.json<{ readonly token: string }>().token
  },
  present: (cardNumber, token) =>
    financial({ transactionCode: 'TOKEN_PURCHASE', cardNumber, token, accountType: '10', amount: AMOUNT }),
}

let consecutives = 0
function financial(body: object): Promise<Sent> {
  const acquirer = { id: APP.acquirers[0], storeId: 'S1', terminalId: 'T1' }
  const consecutive = String((consecutives += 1)).padStart(12, '0')
  return send('/financial', 'POST', [APP.key, APP.secret], { consecutive, acquirer, ...body })
}

/** The bytes of an answer, but for ids and times. */
function bytesOf({ response }: Sent): string {
  const { 'x-request-id': _id, 'x-pro-response-time': _time, date: _date, ...headers } = response.headers
  const body = response.body.replace(/"consecutive":"\d+"/, '')
  return JSON.stringify([response.statusCode, response.statusMessage, headers, body])
}

/** Subjects, each with a token that is no good for every reason. */
async function subjectsOfRound({ subject, generate, present }: Way) {
  const subjects = Array.from({ length: ROUND }, subject)
  const expired = await Promise.all(subjects.map((one) => generate(one)))
  service.pass(FIVE_MINUTES_MS)
  return Promise.all(
    subjects.map(async (one, at) => {
      const [used, bound, old] = [await generate(one), await generate(one, AMOUNT + 1), expired[at] ?? '']
      await present(one, used)
      const free = ['000000', '000001', '000002', '000003'].find((digits) => ![used, bound, old].includes(digits))
      const tokens: Record<Reason, string> = {
        'never issued': free ?? '',
        used,
        expired: old,
        'bound otherwise': bound,
      }
      return { subject: one, tokens }
    }),
  )
}

function shuffled<T>(items: readonly T[]): readonly T[] {
  const all = [...items]
  for (let at = all.length - 1; at > 0; at -= 1) {
    const other = randomInt(at + 1)
    ;[all[at], all[other]] = [all[other] as T, all[at] as T]
  }
  return all
}

async function sample(count: number, way: Way): Promise<readonly Sample[]> {
  const samples: Sample[] = []
  while (samples.length < count + WARM_UP) {
    const calls = (await subjectsOfRound(way)).flatMap(({ subject, tokens }) =>
      REASONS.map((reason) => ({ reason, subject, token: tokens[reason] })),
    )
    for (const { reason, subject, token } of shuffled(calls)) {
      const answered = await way.present(subject, token)
      samples.push({ reason, bytes: bytesOf(answered), ms: answered.ms })
    }
  }
  return samples.slice(WARM_UP)
}

/** How far the ranks of one reason's times are from those of the others: z of Mann and Whitney. */
function zOf(samples: readonly Sample[], reason: Reason): number {
  const ranked = samples.toSorted((a, b) => a.ms - b.ms)
  const ranks = ranked.flatMap((one, rank) => (one.reason === reason ? [rank + 1] : []))
  const [n, m] = [ranks.length, samples.length - ranks.length]
  const u = ranks.reduce((sum, rank) => sum + rank, 0) - (n * (n + 1)) / 2
  return (u - (n * m) / 2) / Math.sqrt((n * m * (n + m + 1)) / 12)
}

const median = (samples: readonly Sample[]) =>
  samples.map(({ ms }) => ms).toSorted((a, b) => a - b)[Math.floor(samples.length / 2)] ?? Number.NaN

function expectNoOracle(samples: readonly Sample[]): void {
  expect(new Set(samples.map(({ bytes }) => bytes)).size).toBe(1)
  const figures = REASONS.map((reason) => ({
    reason,
    medianMs: Number(median(samples.filter((one) => one.reason === reason)).toFixed(3)),
    z: Number(zOf(samples, reason).toFixed(2)),
  }))
  if (process.env['ORACLE_SAMPLES'] !== undefined) console.table(figures)
  expect(figures.filter(({ z }) => Math.abs(z) > MAX_Z)).toEqual([])
}

const TRUE_REASONS = ['token-unknown', 'token-expired', 'token-bound-to-other-amount']

/** What the log says of the declines that were one to their callers. */
async function reasonsOf(kind: string): Promise<readonly string[]> {
  const events = await service.events()
  const declined = events.flatMap((event) =>
    event.type === 'transaction-decided' && event.command.kind === kind && event.responseCode !== '00' ? [event] : [],
  )
  // A purchase with the right token is declined too, since nobody registered the card: it is not among these.
  return [...new Set(declined.map(({ reason }) => reason).filter((reason) => reason.startsWith('token-')))].toSorted()
}

describe('a token that is not good', { timeout: 1_800_000 }, () => {
  it('is one 404 in one time, whatever is wrong with it, when it is validated', async () => {
    const samples = await sample(SAMPLES, aspen)
    expect(samples[0]?.bytes).toContain('355006')
    expect(await reasonsOf('TOKEN_CLAIM')).toEqual([...TRUE_REASONS, 'token-claimed'].toSorted())
    expectNoOracle(samples)
  })

  it('is one 55 in one time, whatever is wrong with it, at a purchase', async () => {
    const samples = await sample(SAMPLES, evertec)
    expect(samples[0]?.bytes).toContain('\\"55\\"')
    expect(await reasonsOf('TOKEN_PURCHASE')).toEqual([...TRUE_REASONS, 'token-spent'].toSorted())
    expectNoOracle(samples)
  })
})
