// SIGTERM under load: whoever is told to end does so in time, with code 0, and nothing that was accepted is lost.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { scopeKey } from '../../services/core/transaction/scope.ts'
import { TOPIC } from '../../services/runtime/topics.ts'
import { Stack, until, wire } from './harness.ts'
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
import { Ledger } from './ledger.ts'

const CALLERS = 100
const WARM = 400
const END_WITHIN_MS = 10_000

let stack: Stack
let holders: readonly Holder[]
const everything: Transaction[] = []

beforeAll(async () => {
  stack = await Stack.start({ instances: { ingress: 2, issuer: 2, authorizer: 2 } })
  holders = await importHolders(stack, 40)
}, 180_000)
afterAll(async () => stack?.stop())

/** Ends a process in the middle of a load, which then goes on for a while. */
async function endUnderLoad(names: readonly string[], startAgain: boolean): Promise<readonly Transaction[]> {
  const load = new Load(stack, { callers: CALLERS, holders })
  await until('the load is under way', 30_000, () => load.decided > WARM)
  const ended = await Promise.all(names.map((name) => stack.service(name).terminate()))
  for (const { code, signal, ms } of ended) {
    expect([code, signal]).toEqual([0, null])
    expect(ms).toBeLessThan(END_WITHIN_MS)
  }
  if (startAgain) await Promise.all(names.map((name) => stack.service(name).start()))
  const seen = load.decided
  await until('the load goes on', 40_000, () => load.decided > seen + WARM)
  const transactions = await load.stop()
  everything.push(...transactions)
  console.log(
    `ended in ${ended.map(({ ms }) => Math.round(ms)).join(', ')} ms, statuses ${JSON.stringify(statusesOf(transactions))}`,
  )
  return transactions
}

/** Every request that is on a request topic has its decision on the log, and what callers were told is what it says. */
async function expectNothingLost(transactions: readonly Transaction[]): Promise<void> {
  expect(Object.keys(codesOf(transactions))).toEqual(['00'])
  await expectAgreement(stack, everything, holders)
  const ledger = await Ledger.of(stack)
  const requests = [...(await stack.records(TOPIC.tokenRequests)), ...(await stack.records(TOPIC.purchaseRequests))]
  const asked = requests.map((record) => wire.decodeRequest(record).body).filter((body) => body.kind !== 'INQUIRY')
  const lost = asked.filter(({ scope }) => ledger.of(scope.consecutive, scope.transactionCode).length !== 1)
  expect(lost.map(({ scope }) => scopeKey(scope))).toEqual([])
  await expectSameWhenRepeated(stack, transactions)
}

describe('SIGTERM under load', () => {
  it('ends an ingress with code 0, after every call that it took has its answer', async () => {
    const transactions = await endUnderLoad(['ingress-1'], true)
    // Nobody is told that an outcome is unknown: a call was answered, or it was not taken.
    expect(Object.keys(statusesOf(transactions)).filter((status) => !['0', '200', '503'].includes(status))).toEqual([])
    await expectNothingLost(transactions)
  })

  it('ends one of two workers of each kind with code 0, and no caller notices', async () => {
    const transactions = await endUnderLoad(['issuer-1', 'authorizer-1'], false)
    expect(Object.keys(statusesOf(transactions))).toEqual(['200'])
    await expectNothingLost(transactions)
  })

  it('ends the last workers with code 0, and those that start next take up what waits', async () => {
    const transactions = await endUnderLoad(['issuer-2', 'authorizer-2'], true)
    expect(Object.keys(statusesOf(transactions))).toEqual(['200'])
    await expectNothingLost(transactions)
  })
})
