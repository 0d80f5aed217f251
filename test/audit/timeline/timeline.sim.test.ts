import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { logSource, readEvents, stretchesOf } from '../../../services/audit/event-source.ts'
import { checksOf } from '../../../services/audit/timeline/checks.ts'
import { timelinePage } from '../../../services/audit/timeline/page.ts'
import type { Query } from '../../../services/audit/timeline/query.ts'
import { timelineText } from '../../../services/audit/timeline/text.ts'
import { Collector, Finder, type Entry, type SourceRecord } from '../../../services/audit/timeline/timeline.ts'
import { cancelCommand, unlockCommand } from '../../../services/cli/operator-commands.ts'
import { CARDS, commands, HOLDERS, keys, randomTraffic, startSystem, wire, type System } from '../traffic.ts'

const [CARD, HOLDER, FREE_CARD] = [CARDS[0] as string, HOLDERS[0] as string, CARDS[2] as string]
const holder = { hash: keys.hash('document', HOLDER), mask: '******' }

let system: System
let records: SourceRecord[] = []
let digits = ''

async function recordsOf(of: System): Promise<SourceRecord[]> {
  const source = logSource(of.log)
  const all: SourceRecord[] = []
  for await (const record of readEvents(source, wire, await stretchesOf(source))) all.push(record)
  return all
}

async function timelineOf(query: Query, of: readonly SourceRecord[] = records): Promise<readonly Entry[]> {
  const finder = new Finder(query)
  for (const { event } of of) finder.look(event)
  const collector = new Collector(query, finder.found, async () => system.rules)
  for (const record of of) await collector.take(record)
  return collector.entries
}

const told = (entries: readonly Entry[]) =>
  entries.map(
    ({ scope, responseCode, type, reason }) =>
      `${scope.split(':').slice(1).join(' ')} ${responseCode ?? type} ${reason}`,
  )
const consecutive = (name: string): Query => ({ kind: 'consecutive', consecutive: name })

beforeAll(async () => {
  system = await startSystem()
  const ask = system.ask
  await ask(commands.registration('r1', { card: CARD, document: HOLDER }))
  await ask(commands.opening('o1', { document: HOLDER, amount: 1_000 }))
  const { token } = await ask(commands.generation('g1', { card: CARD }))
  if (!token) throw new Error('a generation gives a token')
  digits = keys.reveal(token)
  await ask(commands.spending('w1', { card: CARD, token: digits === '999999' ? '999998' : '999999' }))
  await ask(commands.spending('p1', { card: CARD, token: digits, amount: 100 }))
  await ask(commands.spending('p1', { card: CARD, token: digits, amount: 200 }))
  await ask(commands.spending('p2', { card: CARD, token: digits, amount: 100 }))
  await ask(commands.undoing('REVERSAL', 'u1', { original: 'p1' }))
  await ask(commands.undoing('REVERSAL', 'p9'))
  await ask(commands.spending('p9', { card: CARD, token: digits }))
  await ask(commands.spending('p1', { acquirerId: 'B1', card: FREE_CARD, token: '12', metadata: '<b>&"bold"' }))
  const context = { operator: "o'hara.<script>", keys, now: system.now(), id: 'op-1' }
  await ask(unlockCommand({ document: holder }, context))
  await ask(cancelCommand('A1', 'g1', { ...context, id: 'op-2' }))
  await system.stop()
  records = await recordsOf(system)
})
afterAll(async () => system.log.close())

describe('a timeline', () => {
  it('tells a purchase, its refused repeat and its reversal, in order, with what each changed', async () => {
    const entries = await timelineOf({ kind: 'consecutive', consecutive: 'p1', acquirerId: 'A1' })
    expect(told(entries)).toEqual([
      'TOKEN_PURCHASE p1 00 paid',
      'TOKEN_PURCHASE p1 94 other-content',
      'REVERSAL u1 00 original-approved',
    ])
    expect(entries[0]?.changes).toContainEqual(
      expect.objectContaining({ entry: 'account:10', before: '10.00', after: '9.00' }),
    )
    expect(entries[0]?.changes).toContainEqual(
      expect.objectContaining({ what: 'wrong tokens', before: '1', after: '0' }),
    )
    expect(entries[2]?.changes).toContainEqual(
      expect.objectContaining({ entry: 'account:10', before: '9.00', after: '10.00' }),
    )
    expect(entries[0]?.checks.every(({ result }) => result === 'passed')).toBe(true)
    expect(entries[0]?.seen.join()).toContain('card at version 1: active')
  })

  it('tells the true reason of a decline, and which check gave it', async () => {
    const [entry] = await timelineOf(consecutive('p2'))
    expect(entry).toMatchObject({ responseCode: '55', reason: 'token-spent' })
    const at = entry?.checks.findIndex(({ result }) => result === 'decided here') ?? -1
    expect(entry?.checks[at]?.check).toBe('the token is right')
    expect(entry?.checks.slice(at + 1).every(({ result }) => result === 'not reached')).toBe(true)
  })

  it('tells of a reversal that came first, and of its late original', async () => {
    expect(told(await timelineOf(consecutive('p9')))).toEqual([
      'REVERSAL p9 00 original-unknown',
      'TOKEN_PURCHASE p9 05 reversed-before-it-arrived',
    ])
  })

  it('names the operator', async () => {
    const entries = await timelineOf(consecutive('g1'))
    expect(told(entries)).toEqual(['TOKEN_GENERATION g1 00 token-issued', 'VOID op-2 12 token-spent'])
    expect(entries[1]?.askedBy).toMatchObject({ clientId: 'operator', appKey: "o'hara.<script>" })
  })

  it('knows which acquirers used a consecutive', () => {
    const finder = new Finder(consecutive('p1'))
    for (const { event } of records) finder.look(event)
    expect([...finder.acquirers].sort()).toEqual(['A1', 'B1'])
  })

  it('tells all of a holder, a card and a terminal, each by its hash', async () => {
    const ofHolder = told(await timelineOf({ kind: 'document', hash: holder.hash }))
    expect(ofHolder).toEqual(
      expect.arrayContaining([
        'CARD_REGISTRATION r1 00 card-registered',
        'TOKEN_PURCHASE p1 00 paid',
        'SUBJECT_UNLOCK op-1 00 subject-unlocked',
      ]),
    )
    expect(ofHolder).not.toContain('TOKEN_PURCHASE p1 55 token-unknown')
    const ofCard = told(await timelineOf({ kind: 'card', hash: keys.hash('card', FREE_CARD) }))
    expect(ofCard).toEqual(['TOKEN_PURCHASE p1 55 token-unknown'])
    const ofTerminal = told(await timelineOf({ kind: 'terminal', hash: keys.hash('terminal', 'B1:S1:T1') }))
    expect(ofTerminal).toEqual(['TOKEN_PURCHASE p1 55 token-unknown'])
  })

  it('tells all of a token by its digits: issued, spent, presented again', async () => {
    const query: Query = { kind: 'token', hashesAt: (slot) => keys.presentedHashes(slot, digits) }
    expect(told(await timelineOf(query))).toEqual([
      'TOKEN_GENERATION g1 00 token-issued',
      'TOKEN_PURCHASE p1 00 paid',
      'TOKEN_PURCHASE p1 94 other-content',
      'TOKEN_PURCHASE p2 55 token-spent',
      'REVERSAL u1 00 original-approved',
      'VOID op-2 12 token-spent',
    ])
  })

  it('says that the state is not known where events are missing, and shows the rest', async () => {
    const without = records.filter(({ event }) => !('slot' in event && event.command.kind === 'ACCOUNT_OPENING'))
    const entries = await timelineOf({ kind: 'consecutive', consecutive: 'p1', acquirerId: 'A1' }, without)
    expect(entries[0]?.changes).toBeNull()
    expect(timelineText('t', [], entries)).toContain('not known: events of its slot before it are missing')
  })

  it('escapes every text in a page that needs nothing else', async () => {
    const entries = [
      ...(await timelineOf(consecutive('g1'))),
      ...(await timelineOf({ kind: 'consecutive', consecutive: 'p1', acquirerId: 'B1' })),
    ]
    const page = timelinePage('Timeline of <g1>', ['a "quoted" & more'], entries)
    expect(page).not.toMatch(/<script|<b>|<g1>|"quoted"|src=|href=/)
    expect(page).toContain('o&#39;hara.&lt;script&gt;')
    expect(page).toContain('&lt;b&gt;&amp;&quot;bold&quot;')
    expect(page.match(/<article/g)?.length).toBe(entries.length)
  })

  it('shows no number and no token in clear', async () => {
    const entries = await timelineOf({ kind: 'document', hash: holder.hash })
    const text =
      timelineText('t', [], entries) +
      JSON.stringify(entries, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value))
    for (const secret of [CARD, digits])
      expect(text).not.toMatch(new RegExp(`(?<![0-9A-Za-z_-])${secret}(?![0-9A-Za-z_-])`))
  })
})

it('finds for every decline of random traffic the check that gave it', async () => {
  const other = await startSystem()
  await randomTraffic(other, 201, 10)
  await other.stop()
  let declines = 0
  for (const { event } of await recordsOf(other)) {
    if (!('slot' in event) || event.responseCode === undefined || event.responseCode === '00') continue
    declines++
    const decided = checksOf(event).filter(({ result }) => result === 'decided here')
    expect(decided.length, `${event.command.kind} ${event.reason}`).toBe(1)
  }
  expect(declines).toBeGreaterThan(50)
}, 30_000)

it('says of a transaction that nobody answered for that this is where it stands', () => {
  const command = commands.spending('p1', { card: CARD, token: '123456' })
  const event = { type: 'transaction-pending' as const, command, seen: {}, reason: 'authorizer-unanswered' }
  expect(checksOf(event)).toEqual([{ check: 'the other authorizer approves', result: 'decided here' }])
})
