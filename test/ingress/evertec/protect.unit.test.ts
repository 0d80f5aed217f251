// What leaves the edge: hashes, masks, seals and a fingerprint; never a number in clear.

import { describe, expect, it } from 'vitest'
import { protect } from '../../../services/ingress/evertec/protect.ts'
import { readRequest } from '../../../services/ingress/evertec/requests.ts'
import { SealError } from '../../../services/ports/keys.ts'
import { APP, CARD, DOCUMENT, keys, GENERATION, PURCHASE, REVERSAL, TOKEN, VOID } from '../harness.ts'

const ASKED = { clientId: 'org', appKey: 'app', now: 1_000, replyTimeoutMs: 15_000 }
const protectedOf = (body: object) => {
  const read = readRequest(APP, body)
  if (read.kind !== 'request') throw new Error('malformed')
  return protect(read.request, ASKED, keys)
}
const fingerprintOf = (body: object) => protectedOf(body).fingerprint

const FULL_GENERATION = {
  ...GENERATION,
  cardNumber: CARD,
  accountType: '10',
  amount: 100,
  document: { type: 'CC', number: DOCUMENT },
  metadata: `pago ${CARD}`,
  restrictToAcquirer: true,
  ttlSeconds: 60,
}

describe('a protected command', () => {
  it('holds no card number, document number or token', () => {
    for (const body of [FULL_GENERATION, { ...PURCHASE, metadata: CARD }]) {
      const text = JSON.stringify(protectedOf(body), (_key, value) =>
        value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
      )
      for (const secret of [CARD, DOCUMENT, TOKEN]) expect(text).not.toContain(secret)
    }
  })

  it('holds keyed hashes of what was sent, and masks', () => {
    expect(protectedOf(FULL_GENERATION)).toMatchObject({
      kind: 'TOKEN_GENERATION',
      clientId: 'org',
      appKey: 'app',
      requestedAt: 1_000,
      deadline: 16_000,
      amountMinor: 10_000,
      card: { hash: keys.hash('card', CARD), mask: expect.stringMatching(/^603959.*0018$/) },
      document: { hash: keys.hash('document', `CC:${DOCUMENT}`), mask: 'CC ******5678' },
      metadata: { hash: keys.hash('metadata', `pago ${CARD}`), text: expect.stringMatching(/^pago 603959.*0018$/) },
      acquirer: { terminalHash: keys.hash('terminal', 'A1:S1:T1') },
    })
    const { sealedToken } = protectedOf(PURCHASE) as { sealedToken: Uint8Array }
    expect(keys.open(sealedToken, 'A1:TOKEN_PURCHASE:buy-1')).toBe(TOKEN)
    expect(() => keys.open(sealedToken, 'A1:TOKEN_PURCHASE:buy-2')).toThrow(SealError)
  })

  it('has a deadline only where a late decision would be a surprise', () => {
    expect(protectedOf(PURCHASE)).toHaveProperty('deadline', 16_000)
    expect(protectedOf(REVERSAL)).not.toHaveProperty('deadline')
    expect(protectedOf(VOID)).not.toHaveProperty('deadline')
  })

  it('names the scope of the original with the acquirer of the undoing', () => {
    expect(protectedOf({ ...VOID, originalTransactionCode: '0100' })).toMatchObject({
      original: { acquirerId: 'A1', transactionCode: 'TOKEN_GENERATION', consecutive: 'buy-1' },
    })
  })

  it('shows little of a short document number', () => {
    expect(protectedOf({ ...GENERATION, document: { type: 'CE', number: '876543' } })).toMatchObject({
      document: { mask: 'CE ***543' },
    })
  })
})

describe('a fingerprint', () => {
  it('is the same for the same content in another form', () => {
    const reordered = Object.fromEntries(Object.entries(FULL_GENERATION).reverse())
    expect(fingerprintOf({ ...reordered, amount: 100.0, other: 'field', token: 'x' })).toBe(
      fingerprintOf(FULL_GENERATION),
    )
    expect(fingerprintOf({ ...GENERATION, ttlSeconds: 300, restrictToAcquirer: false, amount: null })).toBe(
      fingerprintOf(GENERATION),
    )
    expect(fingerprintOf({ ...REVERSAL, originalConsecutive: 'buy-1', originalTransactionCode: '0200' })).toBe(
      fingerprintOf(REVERSAL),
    )
    expect(fingerprintOf({ ...PURCHASE, transactionCode: '0200', document: { type: 'CC', number: '1' } })).toBe(
      fingerprintOf(PURCHASE),
    )
    const passport = (type: string) => fingerprintOf({ ...GENERATION, document: { type, number: 'AB1' } })
    expect(passport('PS')).toBe(passport('PAS'))
  })

  it('differs with every listed field', () => {
    const changes: readonly (readonly [object, object])[] = [
      [FULL_GENERATION, { consecutive: 'gen-2' }],
      [FULL_GENERATION, { cardNumber: '6039591000000026' }],
      [FULL_GENERATION, { cardNumber: null }],
      [FULL_GENERATION, { accountType: '20' }],
      [FULL_GENERATION, { amount: 100.01 }],
      [FULL_GENERATION, { document: { type: 'CE', number: DOCUMENT } }],
      [FULL_GENERATION, { metadata: 'otro' }],
      [FULL_GENERATION, { restrictToAcquirer: false }],
      [FULL_GENERATION, { ttlSeconds: 61 }],
      [FULL_GENERATION, { acquirer: { ...GENERATION.acquirer, terminalId: 'T2' } }],
      [FULL_GENERATION, { acquirer: { ...GENERATION.acquirer, storeId: 'S2' } }],
      [FULL_GENERATION, { acquirer: { ...GENERATION.acquirer, id: 'A2' } }],
      [PURCHASE, { token: '482916' }],
      [PURCHASE, { transactionCode: 'TOKEN_WITHDRAWAL' }],
      [PURCHASE, { amount: 101 }],
      [PURCHASE, { accountType: '20' }],
      [PURCHASE, { cardNumber: '6039591000000026' }],
      [PURCHASE, { metadata: 'm' }],
      [REVERSAL, { originalConsecutive: 'buy-2' }],
      [REVERSAL, { originalTransactionCode: 'TOKEN_GENERATION' }],
      [REVERSAL, { amount: 5 }],
      [VOID, { metadata: 'm' }],
    ]
    const all = changes.map(([body, change]) => fingerprintOf({ ...body, ...change }))
    for (const [at, [body]] of changes.entries()) expect(all[at]).not.toBe(fingerprintOf(body))
    expect(new Set(all).size).toBe(changes.length)
  })
})
