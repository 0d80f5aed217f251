import { describe, expect, it } from 'vitest'
import { createDemoAuthorizer } from '../../../services/adapters/card-authorizer/demo.ts'
import { amountMinor } from '../../../services/core/money/amount.ts'
import type { AuthorizationRequest } from '../../../services/ports/card-authorizer.ts'
import { DEMO_SET_FILE, readApps } from '../../../services/runtime/apps.ts'
import { readEmbeddedConfig } from '../../../services/runtime/config-embedded.ts'
import { readWorkerConfig } from '../../../services/runtime/config-worker.ts'

const declines = new Map(
  readApps(DEMO_SET_FILE, 'development').cardDeclines.map(({ cardNumber, code }) => [cardNumber, code]),
)
const ask = (key: string, cardNumber = '4111111111111111', minor = 1_000): AuthorizationRequest => ({
  key,
  operation: 'charge',
  amountMinor: amountMinor(minor),
  currency: 'COP',
  cardNumber,
  securityCode: '123',
  merchantId: 'm',
})
const refund = (key: string, minor: number, original = 'k') => ({ key, original, amountMinor: amountMinor(minor) })

describe('the demo authorizer of cards', () => {
  it.each([
    ['4111111111111111', 'approved'],
    ['4242424242424242', 'approved'],
    ['5555555555554444', 'approved'],
    ['345678000000007', 'approved'],
    ['6039591000000018', 'approved'],
    ['4222222222222220', '05'],
    ['4000000000000069', '54'],
    ['4444444444444448', '51'],
    ['4000000000000119', '43'],
    ['4000000000000044', '59'],
  ])('answers for %s: %s', async (cardNumber, expected) => {
    const answer = await createDemoAuthorizer(declines).authorize(ask('k', cardNumber))
    expect(answer.kind === 'declined' ? answer.code : answer.kind).toBe(expected)
  })

  it('answers a key once, also in another process, and tells it to an inquiry', async () => {
    const one = createDemoAuthorizer(declines)
    const first = await one.authorize(ask('k'))
    expect(first).toMatchObject({
      kind: 'approved',
      authorizationNumber: expect.stringMatching(/^[0-9]{6}$/) as string,
    })
    expect(await one.authorize(ask('k', '4222222222222220'))).toEqual(first)
    expect(await one.inquire('k')).toEqual(first)
    expect(await createDemoAuthorizer(declines).authorize(ask('k'))).toEqual(first)
  })

  it('does not guess about a key that it has not seen, and declines what comes after its reversal', async () => {
    const demo = createDemoAuthorizer(declines)
    expect(await demo.inquire('k')).toEqual({ kind: 'unknown' })
    expect(await demo.reverse('k')).toBe(true)
    expect(await demo.inquire('k')).toEqual({ kind: 'not-done' })
    expect(await demo.authorize(ask('k'))).toEqual({ kind: 'not-done' })
  })

  it('refunds once a key, and never more than was taken', async () => {
    const demo = createDemoAuthorizer(declines)
    await demo.authorize(ask('k'))
    const first = await demo.refund(refund('r1', 600))
    expect(first.kind).toBe('approved')
    expect(await demo.refund(refund('r1', 600))).toEqual(first)
    expect(await demo.refund(refund('r2', 401))).toEqual({ kind: 'declined', code: '05' })
    expect((await demo.refund(refund('r3', 400))).kind).toBe('approved')
    await demo.authorize(ask('declined', '4222222222222220'))
    expect((await demo.refund(refund('r4', 1, 'declined'))).kind).toBe('declined')
    expect((await demo.refund(refund('r5', 1, 'of another process'))).kind).toBe('approved')
  })

  it('forgets the oldest beyond its bound', async () => {
    const demo = createDemoAuthorizer(declines, 2)
    for (const key of ['a', 'b', 'c']) await demo.authorize(ask(key))
    expect((await demo.inquire('a')).kind).toBe('unknown')
    expect((await demo.inquire('b')).kind).toBe('approved')
  })
})

describe('the choice of the authorizer of cards', () => {
  const worker = { KAFKA_BROKERS: 'k:9092', REDIS_URL: 'redis://r:6379', APPS_FILE: DEMO_SET_FILE }

  it('is the demo with the demo set, in a worker as in embedded mode, unless told otherwise', () => {
    const { authorizer } = readWorkerConfig(worker)
    expect(authorizer).toMatchObject({ kind: 'demo', maxOpen: 256, declines })
    expect(readEmbeddedConfig({}).authorizer).toEqual(authorizer)
    expect(readWorkerConfig({ ...worker, CARD_AUTHORIZER: 'none' }).authorizer.kind).toBe('none')
  })

  it('refuses the demo in production', () => {
    const key = { id: 'k', key: Buffer.alloc(32).toString('base64') }
    const KEYS = JSON.stringify({ identity: key, token: [key], seal: [key] })
    const production = { ...worker, APPS_FILE: undefined, KEYS, ENVIRONMENT: 'production' }
    expect(readWorkerConfig(production).authorizer.kind).toBe('none')
    expect(() => readWorkerConfig({ ...production, CARD_AUTHORIZER: 'demo' })).toThrow(
      'CARD_AUTHORIZER: demo must not be used in production',
    )
  })
})
