// Decisions about money that another authorizer holds: every code, and what each undoing finds while one is pending.

import { beforeEach, describe, expect, it } from 'vitest'
import type { AuthorizerDecline } from '../../services/core/transaction/authorizer-answer.ts'
import type { ResponseCode } from '../../services/core/transaction/codes.ts'
import type { Command, Inquiry } from '../../services/core/transaction/command.ts'
import { commands, FAR } from '../protocol/commands.ts'
import { fold } from '../protocol/invariants.ts'
import { OtherAuthorizer, type Fate } from '../protocol/other-authorizer.ts'
import { plainKeys } from '../protocol/plain-keys.ts'
import { charge, refund, remoteSpending, stashFor, tokenHashOf, tokenization } from '../protocol/remote-commands.ts'
import { checkRemote } from '../protocol/remote-invariants.ts'
import { World } from '../protocol/world.ts'

const CARD = '4111111111111111'
const DECLINES: Readonly<Record<string, AuthorizerDecline>> = { a: '05', b: '51', c: '54', d: '43', e: '59' }
const cardOf = (code: string) => Object.keys(DECLINES).find((card) => DECLINES[card] === code) ?? CARD

let world: World
let other: OtherAuthorizer
let fates: Fate[] = []
beforeEach(() => {
  fates = []
  other = new OtherAuthorizer(() => fates.shift() ?? 'well', { declined: (card) => DECLINES[card] })
  world = new World(1, { other })
})

async function code(body: Command | Inquiry): Promise<ResponseCode | undefined> {
  return (await world.run(body)).responseCode
}

async function purchase(consecutive: string, card = CARD, ask: { amount?: number; withdrawal?: boolean } = {}) {
  const { token } = await world.run(commands.generation(`g${consecutive}`, { card }))
  if (!token) throw new Error('a generation gives a token')
  const command = remoteSpending(consecutive, { card, token: plainKeys.reveal(token), ...ask })
  await stashFor(world.store, command)
  return command
}

async function cardToken(id: string, card = CARD): Promise<void> {
  const command = tokenization(id, card)
  await stashFor(world.store, command)
  expect(await code(command)).toBe('00')
}

/** Until somebody is about to call. */
async function untilCall(body: Command): Promise<void> {
  world.begin(body)
  while (world.open[0]?.waitsFor !== 'call') await world.step(0)
}

/** The others go on to their end. */
async function toTheEnd(): Promise<void> {
  while (world.open.length > 0) await world.step(0)
}

const reasons = () => world.events.flatMap((event) => ('reason' in event ? [event.reason] : []))

describe('a purchase that another authorizer decides', () => {
  it('takes its approval and its number, and touches no account of ours', async () => {
    const reply = await world.run(await purchase('p1'))
    expect(reply).toMatchObject({ responseCode: '00', authorizationNumber: '777777' })
    expect(other.taken('A1:TOKEN_PURCHASE:p1')).toBe(100)
    expect(
      world.events.flatMap((event) => ('facts' in event ? event.facts : [])).map(({ kind }) => kind),
    ).not.toContain('account-debited')
    await checkRemote(world, other)
  })

  it.each<[AuthorizerDecline, ResponseCode]>([
    ['05', '05'],
    ['51', '51'],
    ['54', '54'],
    ['43', '43'],
    ['59', '05'],
  ])('declined there with %s is declined with %s, its token spent', async (declined, expected) => {
    const command = await purchase('p1', cardOf(declined))
    expect(await code(command)).toBe(expected)
    expect(reasons()).toContain(`authorizer-declined-${declined}`)
    const again = remoteSpending('p2', {
      card: cardOf(declined),
      token: plainKeys.open(command.sealedToken ?? Buffer.of(), ''),
    })
    await stashFor(world.store, again)
    expect(await code(again)).toBe('55')
  })

  it('gets 91 when it surely was not sent, and when nobody can say what became of it', async () => {
    const unsent = await purchase('p1')
    fates = ['not-sent']
    expect(await code(unsent)).toBe('91')
    const lost = await purchase('p2')
    fates = ['answer-lost', 'lost']
    expect(await code(lost)).toBe('91')
    expect(reasons()).toContain('authorizer-unanswered')
    expect(other.taken('A1:TOKEN_PURCHASE:p2')).toBe(0)
    await checkRemote(world, other)
  })

  it('keeps the approval whose answer was lost and that an inquiry finds', async () => {
    const command = await purchase('p1')
    fates = ['answer-lost']
    expect(await code(command)).toBe('00')
    await checkRemote(world, other)
  })

  it('gets 91 without being asked when its number cannot be opened', async () => {
    const { token } = await world.run(commands.generation('g1', { card: CARD }))
    const command = remoteSpending('p1', { card: CARD, token: plainKeys.reveal(token as never) })
    expect(await code(command)).toBe('91')
    expect(reasons()).toContain('card-unreadable')
    expect(other.trace).toEqual([])
  })

  it.each(['no-authorizer', 'too-many-open'] as const)('gets 91 without being asked: %s', async (why) => {
    const { shell } = world
    Object.assign(shell, { unaskable: () => why })
    expect(await code(await purchase('p1'))).toBe('91')
    expect(reasons()).toContain(why)
    expect(other.trace).toEqual([])
    await checkRemote(world, other)
  })

  it('is declined here first by its token, its amount and a card that we know', async () => {
    expect(await code({ ...(await purchase('p1')), sealedToken: Buffer.from('000000') })).toBe('55')
    expect(await code(await purchase('p2', CARD, { amount: 600_000_000 }))).toBe('61')
    expect(await code(await purchase('p3', CARD, { amount: 1, withdrawal: true }))).toBe('13')
    const restricted = { card: 'known', document: 'CC:1', restrictions: ['no-purchases'] } as const
    await world.run(commands.registration('r1', { ...restricted, restrictions: [...restricted.restrictions] }))
    expect(await code(await purchase('p4', 'known'))).toBe('57')
    const blocked = await purchase('p5', 'known')
    await world.run(commands.stateChange('s1', { card: 'known', state: 'blocked' }))
    expect(await code(blocked)).toBe('62')
    expect(other.trace).toEqual([])
  })

  it('repeated by an edge that does not take its range for remote, goes on with what is pending', async () => {
    const command = await purchase('p1')
    await untilCall(command)
    world.crash(0)
    const { remote: _remote, sealedNumber: _sealed, ...local } = command
    world.begin(local)
    await toTheEnd()
    await checkRemote(world, other)
    expect(fold(world).get(`C.${plainKeys.hash('card', CARD)}`)?.outcomes.size).toBe(2)
  })
})

describe('while it is pending', () => {
  it('an inquiry finds nothing, and a void gets 25', async () => {
    await untilCall(await purchase('p1'))
    const of = { acquirerId: 'A1', transactionCode: 'TOKEN_PURCHASE', consecutive: 'p1' } as const
    world.begin({ kind: 'INQUIRY', inquiryId: 'i', of }, commands.undoing('VOID', 'v1', { original: 'p1' }))
    while (world.open.length > 1) await world.step(1)
    expect(world.replies.slice(-2).map(({ reply }) => reply.found)).toEqual([false, true])
    expect(world.replies.at(-1)?.reply.responseCode).toBe('25')
    await toTheEnd()
    expect(world.replies.at(-1)?.reply.responseCode).toBe('00')
    await checkRemote(world, other)
  })

  it('a reversal gets 00 at once, and what is approved after it is undone there and declined with 05', async () => {
    await untilCall(await purchase('p1'))
    world.begin(commands.undoing('REVERSAL', 'p1'))
    while (world.open.length > 1) await world.step(1)
    expect(world.replies.at(-1)?.reply.responseCode).toBe('00')
    await toTheEnd()
    expect(world.replies.at(-1)?.reply.responseCode).toBe('05')
    expect(other.taken('A1:TOKEN_PURCHASE:p1')).toBe(0)
    expect(other.trace.map((line) => line.split(' ')[0])).toEqual(['authorize', 'reverse'])
    await checkRemote(world, other)
  })

  it('a void or a reversal of the approved one undoes it there before it says so', async () => {
    for (const [n, kind] of (['VOID', 'REVERSAL'] as const).entries()) {
      expect(await code(await purchase(`p${n}`))).toBe('00')
      fates = ['lost', 'well']
      expect(await code(commands.undoing(kind, `u${n}`, { original: `p${n}` }))).toBe('00')
      expect(other.taken(`A1:TOKEN_PURCHASE:p${n}`)).toBe(0)
    }
    await checkRemote(world, other)
  })
})

describe('a charge', () => {
  it.each<[AuthorizerDecline, ResponseCode]>([
    ['05', '05'],
    ['51', '51'],
    ['54', '54'],
    ['43', '43'],
    ['59', '59'],
  ])('declined there with %s is declined with %s, its token spent and its order free', async (declined, expected) => {
    await cardToken('t1', cardOf(declined))
    await cardToken('t2')
    expect(await code(charge('c1', { token: 't1', order: 'o1' }))).toBe(expected)
    expect(await code(charge('c2', { token: 't1', order: 'o1' }))).toBe('12')
    expect(await code(charge('c3', { token: 't2', order: 'o1' }))).toBe('00')
    await checkRemote(world, other)
  })

  it('of a used order gets 94 and leaves the token as it was', async () => {
    await cardToken('t1')
    await cardToken('t2')
    expect(await code(charge('c1', { token: 't1', order: 'o1' }))).toBe('00')
    expect(await code(charge('c2', { token: 't2', order: 'o1' }))).toBe('94')
    expect(await code(charge('c3', { token: 't2', order: 'o2' }))).toBe('00')
    await checkRemote(world, other)
  })

  it('gets 94 while the first one of its order is pending', async () => {
    await cardToken('t1')
    await cardToken('t2')
    await untilCall(charge('c1', { token: 't1', order: 'o1' }))
    world.begin(charge('c2', { token: 't2', order: 'o1' }))
    while (world.open.length > 1) await world.step(1)
    expect(world.replies.at(-1)?.reply.responseCode).toBe('94')
    await toTheEnd()
    await checkRemote(world, other)
  })

  it('gets 25 for a token that is unknown, expired or without its key, and 68 when it is late', async () => {
    expect(await code(charge('c1', { token: 'nobody' }))).toBe('25')
    await world.run(tokenization('t1'))
    expect(await code(charge('c2', { token: 't1' }))).toBe('25')
    await cardToken('t2')
    expect(await code(charge('c3', { token: 't2', deadline: world.now - 1 }))).toBe('68')
    world.now += 3_600_000
    expect(await code(charge('c4', { token: 't2' }))).toBe('25')
    expect(world.now).toBeLessThan(FAR)
    await checkRemote(world, other)
  })

  it('whose key opens nothing counts as a token without one, and stops no worker', async () => {
    await cardToken('t1')
    const slot = `V.${tokenHashOf('t1').slice(0, 3)}`
    const name = `cardkey:${tokenHashOf('t1')}`
    await world.store.stash(slot, [{ name, value: 'of another ring', expiresAt: FAR }])
    expect(await code(charge('c1', { token: 't1' }))).toBe('25')
  })

  it('gets 91 when nobody can be asked, and its token is spent', async () => {
    await cardToken('t1')
    Object.assign(world.shell, { unaskable: () => 'no-authorizer' })
    expect(await code(charge('c1', { token: 't1' }))).toBe('91')
    expect(await code(charge('c2', { token: 't1' }))).toBe('12')
    await checkRemote(world, other)
  })
})

describe('a refund', () => {
  it('gives back what it says, then what is left, then 12', async () => {
    await cardToken('t1')
    await world.run(charge('c1', { token: 't1' }))
    expect(await code(refund('r1', { charge: 'c1', amount: 1_001 }))).toBe('12')
    expect(await code(refund('r2', { charge: 'c1', amount: 400 }))).toBe('00')
    expect(await code(refund('r3', { charge: 'c1' }))).toBe('00')
    expect(await code(refund('r4', { charge: 'c1' }))).toBe('12')
    expect(other.taken('m1:CARD_CHARGE:c1')).toBe(0)
    await checkRemote(world, other)
  })

  it('of no approved charge gets 25, also when it is asked for again after the charge came', async () => {
    const early = refund('r1', { charge: 'c1' })
    expect(await code(early)).toBe('25')
    await cardToken('t1')
    expect(await code(charge('c1', { token: 't1' }))).toBe('00')
    expect(await code(early)).toBe('25')
    expect(other.taken('m1:CARD_CHARGE:c1')).toBe(1_000)
  })

  it('is asked for again until it is answered, since one that was not sent says nothing of another', async () => {
    await cardToken('t1')
    await world.run(charge('c1', { token: 't1' }))
    fates = ['answer-lost', 'not-sent', 'lost', 'well']
    expect(await code(refund('r1', { charge: 'c1', amount: 600 }))).toBe('00')
    expect(other.taken('m1:CARD_CHARGE:c1')).toBe(400)
    await checkRemote(world, other)
  })

  it('gets 91 when nobody can be asked, and sets nothing aside', async () => {
    await cardToken('t1')
    await world.run(charge('c1', { token: 't1' }))
    Object.assign(world.shell, { unaskable: () => 'too-many-open' })
    expect(await code(refund('r1', { charge: 'c1' }))).toBe('91')
    Object.assign(world.shell, { unaskable: undefined })
    expect(await code(refund('r2', { charge: 'c1' }))).toBe('00')
    await checkRemote(world, other)
  })
})
