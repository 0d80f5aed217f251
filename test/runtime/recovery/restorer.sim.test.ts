// What a catch-up makes of the events that it reads, whatever the store has of them.
import { expect, it, vi } from 'vitest'
import { createMemoryStore } from '../../../services/adapters/memory/store.ts'
import type { DecisionEvent } from '../../../services/core/subject/event.ts'
import { DEFAULT_RULES } from '../../../services/core/subject/rules.ts'
import { differences, dumpLog, dumpStore } from '../../../services/runtime/recovery/dump.ts'
import { endsOf } from '../../../services/runtime/recovery/recovery.ts'
import type { EntryWrite } from '../../../services/ports/store.ts'
import { Restorer } from '../../../services/runtime/recovery/restorer.ts'
import { TOPIC } from '../../../services/runtime/topics.ts'
import { hashOf } from '../../../services/runtime/event-hash.ts'
import { bench, commands, keys, wire } from '../worker/harness.ts'

const [CARD, HOLDER] = ['6039591000000018', 'CC:1']

/** Every kind of fact that changes what another event has made. */
async function decided(): Promise<readonly DecisionEvent[]> {
  const b = await bench()
  const { worker } = await b.worker()
  await b.ask(commands.registration('r', { card: CARD, document: HOLDER }))
  await b.ask(commands.opening('o', { document: HOLDER, amount: 1_000 }))
  const tokens: string[] = []
  for (const consecutive of ['g1', 'g2', 'g3']) {
    const reply = await b.ask(commands.generation(consecutive, consecutive === 'g3' ? {} : { document: HOLDER }))
    tokens.push(reply?.token ? keys.reveal(reply.token) : '')
  }
  const [first = '', , terminals = ''] = tokens
  await b.ask(commands.spending('w1', { card: CARD, token: '000000' }))
  await b.ask(commands.spending('p1', { card: CARD, token: first }))
  await b.ask(commands.spending('p2', { card: CARD, token: terminals }))
  await b.ask(commands.undoing('REVERSAL', 'p1'))
  await b.ask(commands.undoing('REVERSAL', 'g2', { code: 'TOKEN_GENERATION' }))
  await b.ask(commands.stateChange('s1', { card: CARD, state: 'blocked' }))
  await worker.stop(1_000)
  const events = (await b.events()).filter((event) => 'slot' in event)
  return [...new Map(events.map((event) => [`${event.slot}#${event.version}`, event])).values()]
}

/** Everything is of just now. */
async function restoredStore(...runs: readonly (readonly DecisionEvent[])[]) {
  const now = () => Date.now()
  const { upkeep } = createMemoryStore({ clock: { now } })
  for (const events of runs) {
    const restorer = new Restorer({ upkeep, rules: DEFAULT_RULES, now })
    await restorer.apply(events.map((event) => ({ event, hash: hashOf(wire.encodeEvent(event).value) })))
  }
  return upkeep
}

const restored = async (...runs: readonly (readonly DecisionEvent[])[]) => dumpStore(await restoredStore(...runs))

it('brings a store to the same end whatever part of the events it has, also when it reads that part again', async () => {
  const events = await decided()
  const whole = await restored(events)
  expect([...whole.values()].some(({ value }) => value.includes('"state":"spent"'))).toBe(true)
  for (let has = 0; has <= events.length; has++) {
    const again = await restored(events.slice(0, has), events)
    expect(differences(whole, again, Date.now()), `which had ${has} of ${events.length} events`).toEqual([])
  }
})

it('empties a store again that somebody was emptying, before it is brought up to the log', async () => {
  const b = await bench()
  const { worker } = await b.worker()
  await b.ask(commands.opening('o', { document: HOLDER, amount: 1 }))
  await b.ask(commands.credit('c1', { document: HOLDER, amount: 1 }))
  await worker.stop(1_000)
  // Half of a slot: its version says that all of its events are there.
  const account = [...(await dumpStore(b.store.upkeep)).keys()].find((name) => name.includes('account:')) ?? ''
  const [slot = ''] = account.split(' ')
  const [seen] = await b.store.load([{ slot, names: [] }])
  const tag = seen?.tag ?? ''
  await b.store.upkeep.restore([], [{ slot, expectedTag: tag, nextTag: tag, nextBase: '', writes: [] }])
  b.store.restart()
  let unusable = true
  const notes = b.store.upkeep.notes.bind(b.store.upkeep)
  const clear = b.store.upkeep.clear.bind(b.store.upkeep)
  vi.spyOn(b.store.upkeep, 'notes').mockImplementation(async () => ({ ...(await notes()), unusable }))
  vi.spyOn(b.store.upkeep, 'clear').mockImplementation(async (...args) => {
    unusable = false
    return clear(...args)
  })
  const { worker: next } = await b.worker()
  expect((await b.ask(commands.credit('c2', { document: HOLDER, amount: 1 })))?.responseCode).toBe('00')
  await next.stop(1_000)
  expect(differences(await dumpLog(b.log, wire, DEFAULT_RULES), await dumpStore(b.store.upkeep), Date.now())).toEqual(
    [],
  )
})

it('tells a store that somebody damaged from the log, part by part, whatever it holds now', async () => {
  const events = await decided()
  const whole = await restored(events)
  const holder = events.findLast(({ facts }) => facts.some(({ kind }) => kind === 'account-credited'))?.slot ?? ''
  const damaged = async (change: (base: string) => string, writes: readonly EntryWrite[] = []) => {
    const upkeep = await restoredStore(events)
    const [seen] = await upkeep.peek([{ slot: holder, names: [] }])
    const [tag, nextBase] = [seen?.tag ?? '', change(seen?.base ?? '')]
    await upkeep.restore([], [{ slot: holder, expectedTag: tag, nextTag: tag, nextBase, writes }])
    const found = differences(whole, await dumpStore(upkeep), Date.now())
    return found.map(({ name, kind }) => `${kind} ${name.slice(holder.length + 1)}`).toSorted()
  }
  expect(await damaged((base) => base)).toEqual([])
  expect(await damaged((base) => base.replace(/"balanceMinor":\d+/, '"balanceMinor":1'))).toEqual([
    'different base.account:10',
  ])
  expect(await damaged(() => '')).toContain('missing base.account:10')
  // A key of the old form that holds the right balance hides no wrong one.
  const stray = { name: 'account:10', value: whole.get(`${holder} base.account:10`)?.value ?? '', expiresAt: null }
  expect(await damaged((base) => base.replace(/"balanceMinor":\d+/, '"balanceMinor":1'), [stray])).toEqual([
    'different base.account:10',
    'extra account:10',
  ])
  for (const odd of ['no JSON', 'null', '{"live":5}', '{"accounts":null}'])
    expect(await damaged(() => odd)).toEqual(expect.arrayContaining(['extra base', 'missing base.account:10']))
})

it('refuses an event whose slot lacks the one before it, or has another one in its place', async () => {
  const events = await decided()
  const holders = events.filter(({ slot }) => slot.startsWith('D.'))
  const [first, second, third] = holders as [DecisionEvent, DecisionEvent, DecisionEvent]
  await expect(restored([first, third])).rejects.toMatchObject({ name: 'FoldError', kind: 'gap' })
  await expect(restored([first], [{ ...first, reason: 'other' }, second])).rejects.toMatchObject({ kind: 'fork' })
  await expect(restored([first, { ...second, previousHash: 'other' }])).rejects.toMatchObject({ kind: 'fork' })
})

it('reads the log from its beginning when the store lacks what it has noted to hold', async () => {
  const b = await bench()
  const { worker } = await b.worker()
  const open = (consecutive: string) => b.ask(commands.credit(consecutive, { document: HOLDER, amount: 1 }))
  await b.ask(commands.opening('o', { document: HOLDER, amount: 1 }))
  await open('c1')
  const ends = await endsOf(b.log, TOPIC.events)
  // More than is read again before a noted position.
  for (const n of ends.keys()) for (let m = 0; m < 1_100; m++) b.log.inject(TOPIC.events, n, {})
  await open('c2')
  await worker.stop(1_000)
  b.store.wipe()
  await b.store.upkeep.seize('liar', 10_000)
  const positions = ends.map((end, n) => [n, { next: end + 1_100n, epoch: 1 }] as const)
  await b.store.upkeep.advance({ owner: 'liar' }, new Map(positions))
  await b.store.upkeep.release('liar')
  const { worker: next } = await b.worker()
  expect((await open('c3'))?.responseCode).toBe('00')
  await next.stop(1_000)
  expect(b.counts['failed recoveries']).toBe(1)
  expect(differences(await dumpLog(b.log, wire, DEFAULT_RULES), await dumpStore(b.store.upkeep), Date.now())).toEqual(
    [],
  )
})
