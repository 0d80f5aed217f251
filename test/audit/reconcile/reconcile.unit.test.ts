import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { logSource, readEvents, stretchesOf } from '../../../services/audit/event-source.ts'
import { Reconciliation, type ReconcileOptions } from '../../../services/audit/reconcile/reconcile.ts'
import { ListError, readRows, rowOf, type Row } from '../../../services/audit/reconcile/rows.ts'
import type { AuthorizationEvent } from '../../../services/core/subject/event.ts'
import { CARDS, commands, furtherCommands, HOLDERS, keys, startSystem, wire } from '../traffic.ts'

const folder = mkdtempSync(join(tmpdir(), 'reconcile-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const [CARD, HOLDER] = [CARDS[0] as string, HOLDERS[0] as string]
const events: { event: AuthorizationEvent; place: string }[] = []

beforeAll(async () => {
  const system = await startSystem()
  const { ask } = system
  await ask(commands.registration('r1', { card: CARD, document: HOLDER }))
  await ask(commands.opening('o1', { document: HOLDER, amount: 100_000 }))
  for (const n of [1, 2, 3, 4, 5]) {
    const { token } = await ask(commands.generation(`g${n}`, { document: HOLDER }))
    if (!token) throw new Error('a generation gives a token')
    const withdrawal = n === 5
    const amount = withdrawal ? 1_000_000 : n * 1_000
    await ask(commands.spending(`p${n}`, { card: CARD, token: keys.reveal(token), amount, withdrawal }))
  }
  await ask(commands.undoing('REVERSAL', 'u2', { original: 'p2' }))
  const further = furtherCommands(system)
  await ask(await further.tokenization('t1', '4111111111111111'))
  await ask(further.charge('h1', { id: 't1', amount: 700 }))
  await system.stop()
  const source = logSource(system.log)
  for await (const { event, partition, offset } of readEvents(source, wire, await stretchesOf(source)))
    events.push({ event, place: `${partition}/${offset}` })
})

/** Lines start at 2, below the header. */
function reconciled(rows: readonly Partial<Record<string, string>>[], options: ReconcileOptions = {}) {
  const reconciliation = new Reconciliation(options)
  const refused = rows.map((fields, i) => {
    const row = rowOf(fields, 'A1')
    return 'consecutive' in row ? reconciliation.list(i + 2, row as Row) : row.join()
  })
  for (const { event, place } of [...events, ...events]) reconciliation.take(event, place)
  return { ...reconciliation.result, refused }
}

describe('reconciling a list with the log', () => {
  it('matches what both sides have alike', () => {
    const result = reconciled([
      { consecutive: 'p1', amount: '10.00' },
      { consecutive: 'p2', amount: '20', state: 'Reversed' },
      { consecutive: 'p3', amount: '30,00' },
      { consecutive: 'p4', amount: '40.0' },
    ])
    expect(result).toEqual({
      matched: { count: 4, amountMinor: 8_000 },
      missingHere: [],
      missingThere: [],
      different: [],
      refused: [null, null, null, null],
    })
  })

  it('tells what is missing on either side, and what differs', () => {
    const result = reconciled([
      { consecutive: 'p1', amount: '10.01' },
      { consecutive: 'p2', amount: '20' },
      { consecutive: 'p9', amount: '90' },
    ])
    expect(result.matched.count).toBe(0)
    expect(result.missingHere).toEqual([{ line: 4, scope: 'A1:TOKEN_PURCHASE:p9', amountMinor: 9_000 }])
    expect(result.missingThere.map(({ scope }) => scope)).toEqual(['A1:TOKEN_PURCHASE:p3', 'A1:TOKEN_PURCHASE:p4'])
    expect(result.different).toMatchObject([
      { line: 2, what: 'amount', there: { amountMinor: 1_001 }, here: { amountMinor: 1_000 } },
      { line: 3, what: 'state', there: { state: 'approved' }, here: { state: 'undone', responseCode: '00' } },
    ])
  })

  it('tells a decline that the list has as approved, with its code', () => {
    const result = reconciled([{ consecutive: 'p5', amount: '10000', transactionCode: 'TOKEN_WITHDRAWAL' }])
    expect(result.different).toMatchObject([{ what: 'state', here: { state: 'declined', responseCode: '51' } }])
    // The list has no purchases, so none is missed on it.
    expect(result.missingThere).toEqual([])
  })

  it('knows charges by their merchant', () => {
    const charge = { consecutive: 'h1', amount: '7', transactionCode: 'CARD_CHARGE', acquirer: 'merchant' }
    expect(reconciled([charge])).toMatchObject({ matched: { count: 1 }, missingThere: [] })
  })

  it('misses only approvals of the period, and of acquirers that it was told of', () => {
    const none = reconciled([], { acquirers: ['A1'], isOfPeriod: () => false })
    expect(none.missingThere).toEqual([])
    const all = reconciled([], { acquirers: ['A1'] })
    expect(all.missingThere.map(({ scope }) => scope.split(':')[2])).toEqual(['p1', 'p3', 'p4'])
    expect(reconciled([]).missingThere).toEqual([])
  })

  it('refuses a line that was listed before, and lines that are no rows, by the names of their columns', () => {
    const { refused } = reconciled([
      { consecutive: 'p1', amount: '10' },
      { consecutive: 'p1', amount: '10' },
      { consecutive: '', amount: '10' },
      { consecutive: 'p1 x', amount: '-1' },
      { consecutive: 'p1', amount: '1.005' },
      { consecutive: 'p1', amount: '0' },
      { consecutive: 'p1', amount: '1', transactionCode: 'VOID' },
      { consecutive: 'p1', amount: '1', state: 'maybe' },
      { amount: '1' },
    ])
    expect(refused).toEqual([
      null,
      'listed already in line 2',
      'consecutive',
      'consecutive,amount',
      'amount',
      'amount',
      'transactionCode',
      'state',
      'consecutive',
    ])
    expect(rowOf({ consecutive: 'p1', amount: '1' }, undefined)).toEqual(['acquirer'])
  })
})

describe('the file of a list', () => {
  const read = async (text: string) => {
    const path = join(folder, 'list.csv')
    writeFileSync(path, text)
    const all = []
    for await (const one of readRows(path, 'A1')) all.push(one)
    return all
  }

  it('may have a byte order mark, other columns, another case and Windows line ends', async () => {
    const rows = await read('\ufeffDate,Consecutive,AMOUNT\r\n2026-11-21,p1,10.50\r\n\r\n2026-11-21,p2,x\r\n')
    expect(rows).toMatchObject([
      { line: 2, row: { consecutive: 'p1', amountMinor: 1_050 } },
      { reason: 'malformed: amount' },
    ])
  })

  it('may be divided by semicolons, with decimal commas', async () => {
    expect(await read('consecutive;amount;acquirer\np1;10,50;B1\n')).toMatchObject([
      { row: { acquirerId: 'B1', amountMinor: 1_050 } },
    ])
  })

  it.each([
    ['', 'empty'],
    ['consecutive\np1\n', 'no column amount'],
    ['p1,10\n', 'no column consecutive, amount'],
  ])('is refused as a whole when it is not one: %j', async (text, complaint) => {
    const reading = read(text)
    await expect(reading).rejects.toThrow(ListError)
    await expect(reading).rejects.toThrow(complaint)
  })

  it('is refused when a quote is never closed', async () => {
    await expect(read('consecutive,amount\n"p1,10\n')).rejects.toThrow(/Quote/)
  })
})
