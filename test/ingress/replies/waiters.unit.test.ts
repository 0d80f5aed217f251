// Who waits for what: correlation, bounds, and that nothing is kept.

import { describe, expect, it } from 'vitest'
import type { Reply } from '../../../services/core/transaction/reply.ts'
import type { TimerWheel } from '../../../services/ingress/replies/timer-wheel.ts'
import { createWaiters, waitKey, type Wait } from '../../../services/ingress/replies/waiters.ts'
import type { TokenGeneration } from '../../../services/core/transaction/command.ts'

const OF = { acquirerId: 'A1', transactionCode: 'TOKEN_GENERATION', consecutive: 'c' } as const
const SCOPE = 'A1:TOKEN_GENERATION:c'
const reply = (fields: Partial<Reply>): Reply => ({
  scope: SCOPE,
  fingerprint: 'f',
  inquiryId: '',
  found: true,
  tokenShown: false,
  epoch: 1,
  runId: 'r',
  ...fields,
})
const keyOf = (fingerprint: string) => waitKey({ kind: 'TOKEN_GENERATION', scope: OF, fingerprint } as TokenGeneration)

function handWheel() {
  const due: { cancelled: boolean; onExpired: () => void }[] = []
  const wheel: TimerWheel = {
    set: (_delayMs, onExpired) => {
      const entry = { cancelled: false, onExpired }
      due.push(entry)
      return {
        cancel: () => {
          entry.cancelled = true
        },
      }
    },
    stop: () => {},
  }
  return { wheel, due, expire: () => due.filter((entry) => !entry.cancelled).forEach((entry) => entry.onExpired()) }
}

const make = (bounds = { maxOpenCalls: 100, maxCallsPerReply: 50 }) => {
  const hand = handWheel()
  const counts: number[] = []
  return { ...hand, counts, waiters: createWaiters(bounds, hand.wheel, (open) => counts.push(open)) }
}
const must = (wait: Wait | null): Wait => {
  if (wait === null) throw new Error('refused')
  return wait
}

describe('waiters', () => {
  it('are found by scope and fingerprint', async () => {
    const { waiters } = make()
    const first = must(waiters.wait(keyOf('f'), 1))
    const other = must(waiters.wait(keyOf('g'), 1))
    expect(waiters.answer(reply({ scope: 'A1:TOKEN_GENERATION:d' }))).toBe(false)
    expect(waiters.answer(reply({ fingerprint: 'h' }))).toBe(false)
    expect(waiters.answer(reply({ responseCode: '00' }))).toBe(true)
    expect(waiters.answer(reply({ fingerprint: 'g', responseCode: '94' }))).toBe(true)
    expect(await first.over).toMatchObject({ responseCode: '00' })
    expect(await other.over).toMatchObject({ responseCode: '94' })
  })

  it('of an inquiry are found by its id alone', async () => {
    const { waiters } = make()
    const wait = must(waiters.wait(waitKey({ kind: 'INQUIRY', inquiryId: 'q', of: OF }), 1))
    expect(waiters.answer(reply({ fingerprint: '' }))).toBe(false)
    expect(waiters.answer(reply({ fingerprint: '', inquiryId: 'q', found: false }))).toBe(true)
    expect(await wait.over).toMatchObject({ found: false })
  })

  it('of one reply are answered all at once', async () => {
    const { waiters } = make()
    const waits = Array.from({ length: 20 }, () => must(waiters.wait(keyOf('f'), 1)))
    expect(waiters.open).toBe(20)
    waiters.answer(reply({ responseCode: '00' }))
    expect(await Promise.all(waits.map((wait) => wait.over))).toHaveLength(20)
    expect(waiters.open).toBe(0)
    expect(waiters.answer(reply({}))).toBe(false)
  })

  it('end unanswered at their time, and a reply after it finds nobody', async () => {
    const { waiters, expire, due } = make()
    const wait = must(waiters.wait(keyOf('f'), 1))
    const answered = must(waiters.wait(keyOf('g'), 1))
    waiters.answer(reply({ fingerprint: 'g' }))
    expect(due[1]?.cancelled).toBe(true)
    expire()
    expect(await wait.over).toBe('unanswered')
    expect(await answered.over).not.toBe('unanswered')
    expect(waiters.answer(reply({}))).toBe(false)
  })

  it('are bounded, all and for one reply', async () => {
    const { waiters } = make({ maxOpenCalls: 3, maxCallsPerReply: 2 })
    must(waiters.wait(keyOf('f'), 1))
    const second = must(waiters.wait(keyOf('f'), 1))
    expect(waiters.wait(keyOf('f'), 1)).toBeNull()
    must(waiters.wait(keyOf('g'), 1))
    expect(waiters.wait(keyOf('h'), 1)).toBeNull()
    second.refuse()
    second.refuse()
    expect(await second.over).toBe('refused')
    expect(waiters.open).toBe(2)
    must(waiters.wait(keyOf('h'), 1))
  })

  it('leave the others for their reply when they are refused, also those who came after their end', async () => {
    const { waiters } = make()
    const refused = must(waiters.wait(keyOf('f'), 1))
    const left = must(waiters.wait(keyOf('f'), 1))
    refused.refuse()
    waiters.answer(reply({ responseCode: '00' }))
    expect(await left.over).toMatchObject({ responseCode: '00' })
    const later = must(waiters.wait(keyOf('f'), 1))
    refused.refuse()
    left.refuse()
    expect(waiters.open).toBe(1)
    expect(waiters.answer(reply({ responseCode: '94' }))).toBe(true)
    expect(await later.over).toMatchObject({ responseCode: '94' })
    expect(waiters.open).toBe(0)
  })

  it('are told to give up together, and say when none is left', async () => {
    const { waiters, counts } = make()
    await waiters.empty()
    const waits = ['f', 'g'].map((fingerprint) => must(waiters.wait(keyOf(fingerprint), 1)))
    let empty = false
    const emptied = waiters.empty().then(() => {
      empty = true
    })
    waiters.answer(reply({}))
    await Promise.resolve()
    expect(empty).toBe(false)
    waiters.giveUp()
    await emptied
    expect(await waits[1]?.over).toBe('unanswered')
    expect(counts).toEqual([1, 2, 1, 0])
  })
})
