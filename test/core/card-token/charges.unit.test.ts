// Decisions about card tokens, charges and refunds: which check comes first, and what an outcome shows.
import { describe, expect, it } from 'vitest'
import { decideCharge, decideRefund, MAX_REFUNDS } from '../../../services/core/card-token/decide-charge.ts'
import { decideTokenization } from '../../../services/core/card-token/decide-tokenization.ts'
import { leftOf, type Refund } from '../../../services/core/card-token/card-token.ts'
import { amountMinor } from '../../../services/core/money/amount.ts'
import type { SeenOutside } from '../../../services/core/subject/event.ts'
import { evolveAll } from '../../../services/core/subject/evolve.ts'
import { DEFAULT_RULES } from '../../../services/core/subject/rules.ts'
import { emptySlot, type SlotState } from '../../../services/core/subject/state.ts'
import type { CardCharge, CardTokenization, ChargeRefund } from '../../../services/core/transaction/command.ts'
import { decideAnswer } from '../../../services/core/transaction/decide-answer.ts'
import type { Decision } from '../../../services/core/transaction/decision.ts'
import { scopeKey } from '../../../services/core/transaction/scope.ts'

const NOW = 1_800_000_000_000
const HASH = 'i1.aaaaaaaaaaaaaaaaaaaaaaaa'
const rules = DEFAULT_RULES
const base = { fingerprint: HASH, clientId: 'demo', appKey: 'merchant', requestedAt: NOW }
const scopeOf = <C extends string>(transactionCode: C, consecutive: string) => ({
  acquirerId: 'merchant',
  transactionCode,
  consecutive,
})

const tokenization: CardTokenization = {
  ...base,
  kind: 'CARD_TOKENIZATION',
  scope: scopeOf('CARD_TOKENIZATION', HASH),
  deadline: NOW + 15_000,
  tokenHash: HASH,
  mask: '411111******1111',
  brand: 'visa',
  details: 'sealed',
  sealedNumber: 'sealed-number',
  cardExpiresAt: NOW + 86_400_000,
  ttlSeconds: 3_600,
}
const charge: CardCharge = {
  ...base,
  kind: 'CARD_CHARGE',
  scope: scopeOf('CARD_CHARGE', 'charge1'),
  deadline: NOW + 15_000,
  tokenHash: HASH,
  amountMinor: amountMinor(10_000),
  description: 'x',
  order: { hash: HASH, id: 'oid-1' },
}
const refundOf = (amount?: number, consecutive = 'refund1'): ChargeRefund => ({
  ...base,
  kind: 'CHARGE_REFUND',
  scope: scopeOf('CHARGE_REFUND', consecutive),
  original: scopeOf('CARD_CHARGE', 'charge1'),
  ...(amount === undefined ? {} : { amountMinor: amountMinor(amount) }),
})
const drawnAt = (now: number) => ({
  now,
  authorizationNumber: '000001',
  candidates: [],
  presented: [],
  presentedDigits: 0,
})
const after = (state: SlotState, { facts }: Decision): SlotState => ({
  ...evolveAll(state, facts),
  version: state.version + 1,
})

const live = after(
  emptySlot('V.x'),
  decideTokenization({ state: emptySlot('V.x'), command: tokenization, seen: {}, drawn: drawnAt(NOW), rules }),
)
const readable: SeenOutside = { cardReadable: true, order: 'held' }
const decide = (state: SlotState, seen: SeenOutside, now = NOW) =>
  decideCharge({ state, command: charge, seen, drawn: drawnAt(now), rules })
const told = ({ responseCode, reason, type }: Decision) => [responseCode ?? type, reason]

const pending = after(live, decide(live, readable))
const answeredBy = (answer: SeenOutside['answer'], state = pending, command: CardCharge | ChargeRefund = charge) =>
  decideAnswer({ state, command, seen: { answer }, drawn: drawnAt(NOW + 1), rules })
const charged = after(pending, answeredBy({ kind: 'approved', authorizationNumber: '123456' }))

describe('a tokenization', () => {
  it('is not done after its deadline, nor under an id that is taken', () => {
    const decideAt = (state: SlotState, now: number) =>
      decideTokenization({ state, command: tokenization, seen: {}, drawn: drawnAt(now), rules })
    expect(told(decideAt(emptySlot('V.x'), NOW + 15_001))).toEqual(['68', 'deadline-passed'])
    expect(told(decideAt(live, NOW))).toEqual(['05', 'no-free-token'])
    expect(live.cardTokens.get(HASH)).toMatchObject({
      state: 'live',
      sealedNumber: 'sealed-number',
      expiresAt: NOW + 3_600_000,
    })
  })
})

describe('a charge', () => {
  it('is checked for its deadline, then its order, then its token, then the key of its token', () => {
    const spent = after(live, decide(live, readable))
    const over = NOW + 3_600_000
    const late = { ...charge, deadline: NOW - 1 }
    const taken: SeenOutside = { cardReadable: false, order: 'taken' }
    const decideLate = decideCharge({ state: spent, command: late, seen: taken, drawn: drawnAt(NOW), rules })
    expect(told(decideLate)).toEqual(['68', 'deadline-passed'])
    expect(told(decide(spent, taken))).toEqual(['94', 'order-used'])
    expect(told(decide(emptySlot('V.x'), { order: 'held' }))).toEqual(['25', 'card-token-unknown'])
    const anytime = { ...charge, deadline: undefined }
    const decideAt = (state: SlotState, seen: SeenOutside, now: number) =>
      decideCharge({ state, command: anytime, seen, drawn: drawnAt(now), rules })
    expect(told(decideAt(spent, {}, over))).toEqual(['12', 'card-token-spent'])
    expect(told(decideAt(live, {}, over))).toEqual(['25', 'card-token-expired'])
    expect(told(decideAt(live, { cardReadable: false }, over - 1))).toEqual(['25', 'card-token-without-its-key'])
    expect(told(decideAt(live, readable, over - 1))).toEqual(['transaction-pending', 'authorizer-asked'])
  })

  it('leaves the token as it was where it is not asked for', () => {
    for (const seen of [{ order: 'taken' }, { cardReadable: false }] as const) {
      expect(decide(live, seen).facts.map(({ kind }) => kind)).toEqual(['outcome-recorded'])
    }
  })

  it('spends the token before it is asked for, and the sealed number goes with it', () => {
    expect(pending.cardTokens.get(HASH)).toMatchObject({ state: 'spent', usedBy: scopeKey(charge.scope) })
    expect(pending.cardTokens.get(HASH)).not.toHaveProperty('sealedNumber')
    expect(pending.outcomes.has(scopeKey(charge.scope))).toBe(false)
  })

  it.each([
    [{ kind: 'declined', code: '51' }, '51'],
    [{ kind: 'declined', code: '59' }, '59'],
    [{ kind: 'not-done' }, '91'],
  ] as const)('that failed by %o shows its card and order, and cannot be refunded', (answer, code) => {
    const failed = after(pending, answeredBy(answer))
    const outcome = failed.outcomes.get(scopeKey(charge.scope))
    expect(outcome).toMatchObject({
      state: 'declined',
      responseCode: code,
      charge: { amountMinor: 10_000, card: { mask: '411111******1111', brand: 'visa' }, orderId: 'oid-1', refunds: [] },
    })
    const refund = decideRefund({ state: failed, command: refundOf(), seen: {}, drawn: drawnAt(NOW + 2), rules })
    expect(told(refund)).toEqual(['25', 'no-approved-charge'])
  })
})

describe('a refund', () => {
  const decideOn = (state: SlotState, command: ChargeRefund) =>
    decideRefund({ state, command, seen: {}, drawn: drawnAt(NOW + 2), rules })
  const left = (state: SlotState) =>
    leftOf(
      state.outcomes.get(scopeKey(charge.scope))?.charge ?? {
        ...charge,
        card: { mask: '', brand: 'visa', details: '' },
        refunds: [],
      },
    )

  it('sets aside what it asks for, all that is left without an amount, and never more', () => {
    const first = after(charged, decideOn(charged, refundOf(4_000)))
    expect(left(first)).toBe(6_000)
    expect(told(decideOn(first, refundOf(6_001, 'refund2')))).toEqual(['12', 'more-than-is-left'])
    const second = after(first, decideOn(first, refundOf(undefined, 'refund2')))
    expect(left(second)).toBe(0)
    expect(told(decideOn(second, refundOf(undefined, 'refund3')))).toEqual(['12', 'more-than-is-left'])
  })

  it('gives back what it had set aside when it is declined, and keeps it when it is approved', () => {
    const command = refundOf(4_000)
    const asked = after(charged, decideOn(charged, command))
    const end = (answer: SeenOutside['answer']) => after(asked, answeredBy(answer, asked, command))
    expect(left(end({ kind: 'declined', code: '05' }))).toBe(10_000)
    const approved = end({ kind: 'approved', authorizationNumber: '654321' })
    expect(left(approved)).toBe(6_000)
    expect(approved.outcomes.get(scopeKey(charge.scope))).toMatchObject({
      authorizationNumber: '123456',
      charge: { refunds: [{ state: 'completed', amountMinor: 4_000, authorizationNumber: '654321', at: NOW + 1 }] },
    })
  })

  it('is one of a bounded number', () => {
    const refunds = Array.from({ length: MAX_REFUNDS }, (_, n): Refund => ({
      scope: `s${n}`,
      amountMinor: amountMinor(1),
      state: 'failed',
      at: NOW,
    }))
    const outcome = charged.outcomes.get(scopeKey(charge.scope))
    if (!outcome?.charge) throw new Error('there is a charge')
    const full = {
      ...charged,
      outcomes: new Map([[scopeKey(charge.scope), { ...outcome, charge: { ...outcome.charge, refunds } }]]),
    }
    expect(told(decideOn(full, refundOf(1)))).toEqual(['12', 'too-many-refunds'])
  })
})
