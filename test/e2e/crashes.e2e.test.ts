// kill -9 of each service while 200 calls are in flight: every transaction gets its one outcome, every approval its one
// debit.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Stack, until } from './harness.ts'
import {
  codesOf,
  expectAgreement,
  expectSameWhenRepeated,
  importHolders,
  Load,
  statusesOf,
  type Holder,
  type Transaction,
} from './load.ts'

const CALLERS = 200
const WARM = 400
/** A dead member is missed after its session, then the group is shared out anew. */
const TAKEOVER_WITHIN_MS = 40_000

let stack: Stack
let holders: readonly Holder[]

beforeAll(async () => {
  stack = await Stack.start({ instances: { ingress: 2, issuer: 2, authorizer: 2 } })
  holders = await importHolders(stack, 40)
}, 180_000)
afterAll(async () => stack?.stop())

const everything: Transaction[] = []

/** Runs load, does it, and waits until every partition is served again: each caller has got answers to new calls. */
async function underLoad(what: () => Promise<void>): Promise<readonly Transaction[]> {
  const load = new Load(stack, { callers: CALLERS, holders })
  await until('the load is under way', 30_000, () => load.decided > WARM)
  expect(load.open).toBeGreaterThan(CALLERS * 0.8)
  await what()
  const served = new Set<string>()
  let seen = load.transactions.length
  await until('every holder is served again', TAKEOVER_WITHIN_MS, () => {
    for (const { holder, body } of load.transactions.slice(seen)) served.add(`${holder.slot} ${body.transactionCode}`)
    seen = load.transactions.length
    return served.size === 2 * holders.length
  })
  const transactions = await load.stop()
  everything.push(...transactions)
  console.log(`statuses ${JSON.stringify(statusesOf(transactions))}, codes ${JSON.stringify(codesOf(transactions))}`)
  return transactions
}

async function expectOneOutcomeEach(transactions: readonly Transaction[]): Promise<void> {
  // 68: taken up again after its deadline. Nothing else may be declined: the tokens are right and the funds are there.
  expect(Object.keys(codesOf(transactions)).filter((code) => code !== '00' && code !== '68')).toEqual([])
  expect(codesOf(transactions)['00']).toBeGreaterThan(WARM)
  await expectAgreement(stack, everything, holders)
  await expectSameWhenRepeated(stack, transactions)
}

describe('kill -9 with 200 calls in flight', () => {
  it('of one of two authorizers: the other takes over', async () => {
    await expectOneOutcomeEach(await underLoad(() => stack.service('authorizer-1').kill()))
    await stack.service('authorizer-1').start()
  })

  it('of one of two issuers: the other takes over', async () => {
    await expectOneOutcomeEach(await underLoad(() => stack.service('issuer-2').kill()))
  })

  it('of the last issuer and the last authorizer: they go on after a restart', async () => {
    await stack.service('authorizer-2').terminate()
    const workers = ['issuer-1', 'authorizer-1'].map((name) => stack.service(name))
    await expectOneOutcomeEach(
      await underLoad(async () => {
        await Promise.all(workers.map((worker) => worker.kill()))
        await Promise.all(workers.map((worker) => worker.start()))
      }),
    )
  })

  it('of one of two ingress processes: repeating the consecutive on the other gives the outcome', async () => {
    const transactions = await underLoad(() => stack.service('ingress-1').kill())
    await stack.service('ingress-1').start()
    expect(transactions.filter(({ statuses }) => statuses.includes(0)).length).toBeGreaterThan(CALLERS / 4)
    await expectOneOutcomeEach(transactions)
  })
})
