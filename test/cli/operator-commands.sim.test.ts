import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  cancelCommand,
  cardStateCommand,
  inquiries,
  unlockCommand,
  whyNotCancelled,
} from '../../services/cli/operator-commands.ts'
import type { Reply } from '../../services/core/transaction/reply.ts'
import { logSource, readEvents, stretchesOf } from '../../services/audit/event-source.ts'
import { CARDS, commands, HOLDERS, keys, startSystem, wire, type System } from '../audit/traffic.ts'

const [CARD, HOLDER] = [CARDS[0] as string, HOLDERS[0] as string]

let system: System
let drawn = 0
const context = () => ({ operator: 'ana.gomez', keys, now: system.now(), id: `op-${++drawn}` })
const cardOf = (number: string) => ({ hash: keys.hash('card', number), mask: '******' })
const holder = { document: { hash: keys.hash('document', HOLDER), mask: '******' } }

beforeAll(async () => {
  system = await startSystem()
  await system.ask(commands.registration('r1', { card: CARD, document: HOLDER }))
  await system.ask(commands.opening('o1', { document: HOLDER, amount: 1_000 }))
})
afterAll(async () => system.stop())

const inquire = async (consecutive: string): Promise<Reply> => {
  const [inquiry] = inquiries('A1', consecutive, ['TOKEN_GENERATION'], () => `q-${++drawn}`)
  if (!inquiry) throw new Error('one code, one inquiry')
  return system.ask(inquiry)
}

describe('commands of an operator', () => {
  it('unlock a subject that too many wrong tokens have locked, with the name in the event', async () => {
    for (let n = 0; n < 5; n++) await system.ask(commands.spending(`w${n}`, { card: CARD, token: '999999' }))
    const locked = await system.ask(commands.spending('w5', { card: CARD, token: '999999' }))
    expect(locked.responseCode).toBe('75')
    expect((await system.ask(unlockCommand(holder, context()))).responseCode).toBe('00')
    const after = await system.ask(commands.spending('w6', { card: CARD, token: '999999' }))
    expect(after.responseCode).toBe('55')
    const source = logSource(system.log)
    const names: string[] = []
    for await (const { event } of readEvents(source, wire, await stretchesOf(source)))
      if ('command' in event && event.command.kind === 'SUBJECT_UNLOCK') names.push(event.command.appKey)
    expect(names).toEqual(['ana.gomez'])
  })

  it('unlock the holder by a card, as a purchase with it would find him', async () => {
    for (let n = 0; n < 5; n++) await system.ask(commands.spending(`v${n}`, { card: CARD, token: '999999' }))
    expect((await system.ask(unlockCommand({ card: cardOf(CARD) }, context()))).responseCode).toBe('00')
    expect((await system.ask(commands.spending('v5', { card: CARD, token: '999999' }))).responseCode).toBe('55')
  })

  it('block a card and make it active again', async () => {
    await system.ask(unlockCommand(holder, context()))
    const { token } = await system.ask(commands.generation('g1', { document: HOLDER }))
    if (!token) throw new Error('a generation gives a token')
    expect((await system.ask(cardStateCommand(cardOf(CARD), 'blocked', context()))).responseCode).toBe('00')
    const spend = commands.spending('b1', { card: CARD, token: keys.reveal(token) })
    expect((await system.ask(spend)).responseCode).toBe('62')
    expect((await system.ask(cardStateCommand(cardOf(CARD), 'active', context()))).responseCode).toBe('00')
    const unknown = cardStateCommand(cardOf('6039591000000075'), 'blocked', context())
    expect((await system.ask(unknown)).responseCode).toBe('14')
  })

  it('cancel a token once, so that it is wrong from then on', async () => {
    const { token } = await system.ask(commands.generation('g2', { document: HOLDER }))
    if (!token) throw new Error('a generation gives a token')
    expect((await system.ask(cancelCommand('A1', 'g2', context()))).responseCode).toBe('00')
    const spend = commands.spending('c1', { card: CARD, token: keys.reveal(token) })
    expect((await system.ask(spend)).responseCode).toBe('55')
    const again = await system.ask(cancelCommand('A1', 'g2', context()))
    expect(again.responseCode).toBe('12')
    expect(whyNotCancelled(again.responseCode, await inquire('g2'))).toContain('voided before')
  })

  it('say of a spent token that it is spent, and leave it so', async () => {
    const { token } = await system.ask(commands.generation('g3', { document: HOLDER }))
    if (!token) throw new Error('a generation gives a token')
    const spend = commands.spending('c2', { card: CARD, token: keys.reveal(token) })
    expect((await system.ask(spend)).responseCode).toBe('00')
    const { responseCode } = await system.ask(cancelCommand('A1', 'g3', context()))
    expect(responseCode).toBe('12')
    expect(whyNotCancelled(responseCode, await inquire('g3'))).toContain('spent')
  })

  it.each([
    ['never', '25', /no token was generated/],
    ['g-declined', '12', /declined with 14/],
    ['g-reversed', '12', /reversed before/],
  ])('say of a generation that gave no token why there is none to cancel: %s', async (consecutive, code, why) => {
    if (consecutive === 'g-declined')
      await system.ask(commands.generation(consecutive, { document: HOLDER, card: '6039591000000075' }))
    if (consecutive === 'g-reversed')
      await system.ask(commands.undoing('REVERSAL', consecutive, { code: 'TOKEN_GENERATION' }))
    const { responseCode } = await system.ask(cancelCommand('A1', consecutive, context()))
    expect(responseCode).toBe(code)
    expect(whyNotCancelled(responseCode, await inquire(consecutive))).toMatch(why)
  })
})
