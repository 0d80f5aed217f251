import { describe, expect, it } from 'vitest'
import { logSource, readEvents, stretchesOf } from '../../../services/audit/event-source.ts'
import { Replay, type ReplayedRecord, type ReplayOptions, type Result } from '../../../services/audit/replay/replay.ts'
import { ReplayReport } from '../../../services/audit/replay/replay-report.ts'
import { RulesFinder } from '../../../services/audit/replay/rules-finder.ts'
import { amountMinor } from '../../../services/core/money/amount.ts'
import type { DecisionEvent } from '../../../services/core/subject/event.ts'
import type { Rules } from '../../../services/core/subject/rules.ts'
import { CARDS, commands, HOLDERS, keys, randomTraffic, startSystem, wire, type System } from '../traffic.ts'

/** Runs of 12 waves of some 25 commands. */
const RUNS = Math.ceil(Number(process.env['SIMULATION_SEEDS'] ?? 400) / 40)

interface Replayed {
  readonly record: ReplayedRecord
  readonly result: Result
}

async function recordsOf(system: System): Promise<ReplayedRecord[]> {
  const source = logSource(system.log)
  const records: ReplayedRecord[] = []
  for await (const record of readEvents(source, wire, await stretchesOf(source))) records.push(record)
  return records
}

async function replayed(
  records: readonly ReplayedRecord[],
  system: System,
  options: Partial<ReplayOptions> = {},
): Promise<Replayed[]> {
  const finder = new RulesFinder(logSource(system.log), wire)
  const replay = new Replay({ rulesFor: (id) => finder.find(id), ...options })
  const all: Replayed[] = []
  for (const record of records) all.push({ record, result: await replay.take(record) })
  return all
}

async function traffic(
  seed: number,
  rules: Partial<Rules> = {},
): Promise<{ system: System; records: ReplayedRecord[] }> {
  const system = await startSystem({ rules })
  await randomTraffic(system, seed, 12)
  const records = await recordsOf(system)
  await system.stop()
  return { system, records }
}

/** Places instead of records: a failing comparison can be read. */
const placesOf = (records: readonly ReplayedRecord[]) =>
  records.map(({ partition, offset }) => `${partition}/${offset}`)

const isDecision = (record: ReplayedRecord): record is ReplayedRecord & { event: DecisionEvent } =>
  'slot' in record.event

const nameOf = (record?: { readonly event: DecisionEvent }) => `${record?.event.slot}#${record?.event.version}`

/** Decisions without their equal repeats, which two workers on one slot leave now and then. */
function once(records: readonly ReplayedRecord[]) {
  const met = new Set<string>()
  return records.filter(isDecision).filter((record) => {
    const fresh = !met.has(nameOf(record))
    met.add(nameOf(record))
    return fresh
  })
}

/** The record with another event, as a forger who knows the schemas would write it. */
const forged = (record: ReplayedRecord, event: DecisionEvent): ReplayedRecord => ({
  ...record,
  event,
  value: wire.encodeEvent(event).value,
})

const faults = (all: readonly Replayed[]) =>
  all.filter(({ result }) => result.kind === 'different' || result.kind === 'not-run')

describe('replay of random traffic', () => {
  it(`decides every command as it was decided, in ${RUNS} runs of all kinds of commands`, async () => {
    const met = new Set<string>()
    for (let seed = 1; seed <= RUNS; seed++) {
      const { system, records } = await traffic(seed)
      const all = await replayed(records, system)
      const [fault] = faults(all)
      if (fault) throw new Error(`seed ${seed}: ${JSON.stringify(fault.result)}\n${JSON.stringify(fault.record.event)}`)
      for (const { event } of records) {
        if (!('command' in event)) continue
        met.add(event.type)
        met.add(`${event.command.kind} ${'responseCode' in event ? event.responseCode : ''}`.trim())
        if ('reason' in event) met.add(event.reason)
      }
    }
    const needed = [
      ...['transaction-decided', 'token-judged', 'transaction-pending', 'order-held', 'order-freed'],
      ...['transaction-refused', 'TOKEN_GENERATION 00', 'TOKEN_PURCHASE 00', 'TOKEN_PURCHASE 55', 'TOKEN_CLAIM 00'],
      ...['TOKEN_CANCELLATION 00', 'REVERSAL 00', 'VOID 12', 'VOID 25', 'SUBJECT_UNLOCK 00', 'CARD_TOKENIZATION 00'],
      ...['CARD_CHARGE 00', 'CARD_CHARGE 51', 'CARD_CHARGE 94', 'CHARGE_REFUND 00', 'authorizer-approved'],
      ...['original-approved', 'reversed-before-it-arrived', 'token-unknown', 'token-spent', 'token-expired'],
    ]
    expect(needed.filter((one) => !met.has(one))).toEqual([])
  }, 60_000)

  it('finds exactly the decisions that one changed rule changes', async () => {
    const { system, records } = await traffic(101)
    const maxAmountMinor = amountMinor(90)
    const all = await replayed(records, system, { today: { ...system.rules, maxAmountMinor } })
    // The limit is looked at after the token, the card and the account, before the funds and before anybody else is asked.
    const expected = once(records).filter(({ event: { type, command, reason } }) => {
      const spends = command.kind === 'TOKEN_PURCHASE' || command.kind === 'TOKEN_WITHDRAWAL'
      return spends && (type === 'transaction-pending' || reason === 'paid' || reason === 'not-enough-funds')
    })
    expect(expected.length).toBeGreaterThan(3)
    expect(placesOf(faults(all).map(({ record }) => record))).toEqual(placesOf(expected))
    const report = new ReplayReport(2)
    for (const { record, result } of all) report.add(record, result)
    expect(report.changes.map(({ now }) => now.responseCode)).toEqual(report.changes.map(() => '61'))
    expect(report.changes.reduce((sum, { count }) => sum + count, 0)).toBe(expected.length)
    expect(report.changes[0]?.examples[0]).toMatchObject({ field: 'responseCode', again: '"61"' })
  }, 30_000)

  it('decides by the rules that were in force then, not by those of today', async () => {
    const { system, records } = await traffic(102, { maxAmountMinor: amountMinor(600), wrongTokensToLock: 2 })
    expect(faults(await replayed(records, system))).toEqual([])
  }, 30_000)

  it('finds a changed amount, in the command or in what was debited', async () => {
    const { system, records } = await traffic(103)
    const paid = once(records).filter(({ event }) => event.reason === 'paid')
    expect(paid.length).toBeGreaterThan(1)
    for (const record of paid) {
      const { event } = record
      const facts = event.facts.map((fact) =>
        fact.kind === 'account-debited' ? { ...fact, amountMinor: amountMinor(fact.amountMinor - 1) } : fact,
      )
      const command = { ...event.command, amountMinor: amountMinor(1) } as DecisionEvent['command']
      for (const [forgery, field] of [
        [{ ...event, facts }, /^facts\[\d\]\.amountMinor$/],
        [{ ...event, command }, /^responseCode$|^facts\[\d\](\.outcome)?\.amountMinor$/],
      ] as const) {
        const tampered = records.map((other) => (other === record ? forged(record, forgery) : other))
        const found = (await replayed(tampered, system)).find((one) => one.record.event === forgery)
        expect(found?.result).toMatchObject({ kind: 'different', first: { field: expect.stringMatching(field) } })
      }
    }
  }, 30_000)

  it('says of a forgery that fits the rules that the next event does not name it', async () => {
    const { system, records } = await traffic(104)
    const record = once(records).find(({ event: one }) => one.command.kind === 'ACCOUNT_OPENING')
    if (!record) throw new Error('there is an opening')
    // An equal repeat of what was forged would show that there were two.
    const tampered = records
      .filter((other) => other === record || !isDecision(other) || nameOf(other) !== nameOf(record))
      .map((other) => (other === record ? forged(record, { ...record.event, runId: 'another' }) : other))
    const all = await replayed(tampered, system)
    expect(faults(all).map(({ result }) => result)).toEqual([
      { kind: 'not-run', why: 'the event before it in its slot is not the one it names' },
    ])
  }, 30_000)

  it('could not run what has lost events before it, and goes on in other slots', async () => {
    const { system, records } = await traffic(105)
    const lost = once(records).find(({ event }) => event.command.kind === 'ACCOUNT_OPENING')
    const left = records.filter((record) => !isDecision(record) || nameOf(record) !== nameOf(lost))
    const all = await replayed(left, system)
    const later = once(left).filter(({ event }) => event.slot === lost?.event.slot)
    expect(later.length).toBeGreaterThan(5)
    expect(placesOf(faults(all).map(({ record }) => record))).toEqual(placesOf(later))
    expect(new Set(faults(all).map(({ result }) => ('why' in result ? result.why : result.kind)))).toEqual(
      new Set(['events of its slot before it are missing, or do not fit']),
    )
  }, 30_000)

  it('could not run what was decided by rules that it does not have', async () => {
    const { system, records } = await traffic(106)
    const [first, second] = once(records)
    if (!first || !second) throw new Error('there are events')
    const changed = records.map((record) => {
      if (record === first) return { ...record, event: { ...first.event, ruleVersion: 9 } }
      return record === second ? { ...record, event: { ...second.event, rulesId: 'nowhere' } } : record
    })
    const all = await replayed(changed, system)
    expect(faults(all).map(({ result }) => ('why' in result ? result.why : ''))).toEqual([
      'this release does not have rule version 9: run the one that wrote it',
      'its rules nowhere are not on the log',
    ])
  }, 30_000)

  it('passes over equal repeats, and tells a fork from them', async () => {
    const { system, records } = await traffic(107)
    const last = records.findLast(isDecision)
    if (!last) throw new Error('there are events')
    const fork = forged(last, { ...last.event, runId: 'another' })
    const all = await replayed([...records, last, fork], system)
    expect(all.slice(-2).map(({ result }) => result)).toEqual([
      { kind: 'repeated' },
      { kind: 'not-run', why: 'another event of its slot has the same version' },
    ])
  }, 30_000)

  it('finds a 94 whose claim has the same content', async () => {
    const { system, records } = await traffic(108)
    const refusal = records.find(({ event }) => event.type === 'transaction-refused')
    if (refusal?.event.type !== 'transaction-refused') throw new Error('there is a refusal')
    const [met] = refusal.event.claims
    const command = { ...refusal.event.command, fingerprint: met?.claim.fingerprint ?? '' }
    const event = { ...refusal.event, command }
    const all = await replayed([{ ...refusal, event }], system)
    expect(all[0]?.result).toMatchObject({ kind: 'different', before: { responseCode: '94' } })
  }, 30_000)
})

it('holds no more of a slot than the store would, however long the log is', async () => {
  const system = await startSystem()
  await system.ask(commands.registration('r', { card: CARDS[0] as string, document: HOLDERS[0] as string }))
  const held: number[] = []
  for (let day = 0; day < 30; day++) {
    for (let n = 0; n < 5; n++)
      await system.ask(commands.generation(`g${day}-${n}`, { document: HOLDERS[0] as string }))
    system.ahead += 86_400_000
  }
  const replay = new Replay({ rulesFor: async () => system.rules, sweepEvery: 10 })
  for (const record of await recordsOf(system)) {
    expect(await replay.take(record)).not.toMatchObject({ kind: 'different' })
    if ('slot' in record.event && record.event.slot === `D.${keys.hash('document', HOLDERS[0] as string)}`)
      held.push(replay.held)
  }
  await system.stop()
  expect(held.length).toBe(150)
  expect(Math.max(...held)).toBeLessThan(80)
}, 30_000)
