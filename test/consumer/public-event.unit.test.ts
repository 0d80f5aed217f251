import { describe, expect, it } from 'vitest'
import { publicEventOf } from '../../services/consumer/public-event.ts'
import { amountMinor } from '../../services/core/money/amount.ts'
import { scopeKey } from '../../services/core/transaction/scope.ts'
import { commands } from '../protocol/commands.ts'
import { decision } from './events.ts'

const purchase = commands.spending('buy-1', { card: '6039591000000018', token: '482915', amount: 2_500_000 })

describe('the event that consumers see', () => {
  it('says what was approved, for whom, and how much', () => {
    expect(publicEventOf(decision(purchase, { version: 7, amountMinor: 2_500_000 }))).toEqual({
      id: 'D.i1.subject#7',
      type: 'transaction.approved',
      time: '2026-05-01T12:00:00.000Z',
      subject: 'D.i1.subject',
      version: 7,
      transactionCode: 'TOKEN_PURCHASE',
      consecutive: 'buy-1',
      acquirer: { id: 'A1', storeId: 'S1', terminalId: 'T1' },
      clientId: 'demo',
      responseCode: '00',
      authorizationNumber: '123456',
      amountMinor: 2_500_000,
      currency: 'COP',
      accountType: purchase.accountType,
      cardMask: '******',
      documentMask: null,
      metadata: null,
      tags: null,
      description: null,
      orderId: null,
      original: null,
      traceparent: null,
    })
  })

  it('never tells the true reason of a decline, a hash of a number or anything drawn', () => {
    const told = publicEventOf(decision(purchase, { responseCode: '55' }))
    expect(told).toMatchObject({ type: 'transaction.declined', responseCode: '55', authorizationNumber: null })
    const text = JSON.stringify(told)
    for (const secret of ['token-bound', purchase.card.hash, purchase.fingerprint, '123456'])
      expect(text).not.toContain(secret)
  })

  it('says what a reversal gave back and what became of its original', () => {
    const reversal = commands.undoing('REVERSAL', 'buy-1')
    const scope = scopeKey(reversal.original)
    const undone = publicEventOf(
      decision(reversal, {
        facts: [
          { kind: 'account-credited', accountType: '10', amountMinor: amountMinor(900) },
          { kind: 'outcome-undone', scope, state: 'reversed' },
        ],
      }),
    )
    expect(undone).toMatchObject({
      transactionCode: 'REVERSAL',
      amountMinor: 900,
      original: { transactionCode: 'TOKEN_PURCHASE', consecutive: 'buy-1', state: 'reversed' },
    })
    expect(publicEventOf(decision(reversal))).toMatchObject({ amountMinor: null, original: { state: null } })
  })

  it("tells an operator's commands from transactions, and other content from declines", () => {
    const registration = commands.registration('reg-1', { card: '6039591000000018', document: '1012345678' })
    expect(publicEventOf(decision(registration))).toMatchObject({ type: 'administration.approved' })
    const refusal = {
      type: 'transaction-refused',
      id: 'refusal-1',
      epoch: 1,
      runId: 'run',
      command: purchase,
      now: 0,
      claims: [],
    } as const
    expect(publicEventOf(refusal)).toMatchObject({ id: 'refusal-1', type: 'transaction.refused', responseCode: '94' })
    expect(publicEventOf({ ...decision(purchase), type: 'token-judged' })).toBeNull()
  })
})
