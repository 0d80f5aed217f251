import { beforeEach, describe, expect, it } from 'vitest'
import { RESPONSE_CODES, type ResponseCode } from '../../services/core/transaction/codes.ts'
import type { AccountType } from '../../services/core/account/account.ts'
import type { CardState } from '../../services/core/card/card.ts'
import { commands } from '../protocol/commands.ts'
import { fold } from '../protocol/invariants.ts'
import { plainKeys } from '../protocol/plain-keys.ts'
import { World } from '../protocol/world.ts'

const CARD = '6039591000000018'
const SECOND_CARD = '6039591000000026'
const UNREGISTERED = '4111111111111111'
const [HOLDER, MINUTE] = ['CC:1', 60_000]
/** Codes that only an edge (03) or a remote authorizer and its faults (91, 96) can lead to. */
const NOT_OF_THE_CORE: readonly ResponseCode[] = ['03', '59', '91', '96']

let world: World
let count = 0
const answered = new Set<ResponseCode>()
beforeEach(async () => {
  world = new World(1)
  await world.run(commands.registration('r1', { card: CARD, document: HOLDER }))
  await world.run(commands.opening('o1', { document: HOLDER, amount: 100_000_000_000 }))
})
async function code(body: Parameters<World['run']>[0]): Promise<ResponseCode | undefined> {
  const { responseCode } = await world.run(body)
  if (responseCode) answered.add(responseCode)
  return responseCode
}

async function token(ask: Parameters<typeof commands.generation>[1] = { card: CARD }): Promise<string> {
  const { token: issued } = await world.run(commands.generation(`g${++count}`, ask))
  if (!issued) throw new Error('a generation gives a token')
  return plainKeys.reveal(issued)
}

async function spend(ask: Partial<Parameters<typeof commands.spending>[1]> = {}): Promise<ResponseCode | undefined> {
  return code(commands.spending(`p${++count}`, { card: CARD, token: ask.token ?? (await token()), ...ask }))
}

const balance = (type: AccountType = '10') =>
  fold(world)
    .get(`D.${plainKeys.hash('document', HOLDER)}`)
    ?.accounts.get(type)?.balanceMinor

describe('a purchase', () => {
  it('debits the account once and spends the token', async () => {
    const digits = await token()
    expect(await spend({ token: digits, amount: 500 })).toBe('00')
    expect(balance()).toBe(100_000_000_000 - 500)
    expect(await spend({ token: digits, amount: 500 })).toBe('55')
    expect(balance()).toBe(100_000_000_000 - 500)
  })

  it('declines a token one millisecond after its last, and at its end', async () => {
    const [last, end] = [await token({ card: CARD, ttlSeconds: 60 }), await token({ card: CARD, ttlSeconds: 60 })]
    world.now += 60_000 - 1
    expect(await spend({ token: last })).toBe('00')
    world.now += 1
    expect(await spend({ token: end })).toBe('55')
  })

  it.each<[string, Partial<Parameters<typeof commands.spending>[1]>, Parameters<typeof commands.generation>[1]]>([
    ['another card of the holder', { card: SECOND_CARD }, { card: CARD }],
    ['another account', { accountType: '20' }, { card: CARD, accountType: '10' }],
    ['another amount', { amount: 101 }, { card: CARD, amount: 100 }],
    ['other metadata', { metadata: 'b' }, { card: CARD, metadata: 'a' }],
    ['no metadata', {}, { card: CARD, metadata: 'a' }],
    ['another acquirer', { acquirerId: 'A2' }, { card: CARD, restrict: true }],
  ])('calls a token wrong that is bound to something else: %s', async (_, ask, bound) => {
    await world.run(commands.registration(`r${++count}`, { card: SECOND_CARD, document: HOLDER }))
    const digits = await token(bound)
    expect(await spend({ token: digits, amount: 100, ...ask })).toBe('55')
    const kept = { amount: 100, accountType: '10', metadata: bound?.metadata } as const
    expect(await spend({ token: digits, ...kept })).toBe('00')
  })

  it('takes a token of the document with any card of the holder', async () => {
    await world.run(commands.registration(`r${++count}`, { card: SECOND_CARD, document: HOLDER }))
    expect(await spend({ token: await token({ document: HOLDER }), card: SECOND_CARD })).toBe('00')
  })

  it('takes a terminal-bound token of 12 digits at its own terminal only', async () => {
    const digits = await token({})
    expect(digits).toHaveLength(12)
    expect(await spend({ token: digits, terminalId: 'T2' })).toBe('55')
    expect(await spend({ token: digits })).toBe('00')
    expect(await spend({ token: digits })).toBe('55')
  })

  it('calls a token wrong that was got for a card before it was registered', async () => {
    const digits = await token({ card: UNREGISTERED })
    await world.run(commands.registration(`r${++count}`, { card: UNREGISTERED, document: HOLDER }))
    expect(await spend({ token: digits, card: UNREGISTERED })).toBe('55')
  })

  it('spends the right token whatever the financial outcome', async () => {
    const digits = await token()
    expect(await spend({ token: digits, amount: 600_000_000 })).toBe('61')
    expect(await spend({ token: digits, amount: 100 })).toBe('55')
  })

  it.each<[CardState, ResponseCode]>([
    ['lost', '41'],
    ['stolen', '43'],
    ['blocked', '62'],
    ['inactive', '62'],
  ])('with a card that is %s gets %s', async (state, expected) => {
    const digits = await token()
    await world.run(commands.stateChange(`s${++count}`, { card: CARD, state }))
    expect(await spend({ token: digits })).toBe(expected)
  })

  it('with a card past its date gets 54', async () => {
    const digits = await token()
    await world.run(commands.registration(`r${++count}`, { card: CARD, document: HOLDER, expiresAt: world.now }))
    expect(await spend({ token: digits })).toBe('54')
  })

  it.each<[AccountType, ResponseCode]>([
    ['30', '39'],
    ['20', '52'],
    ['80', '78'],
    ['84', '78'],
  ])('from a missing account %s gets %s', async (accountType, expected) => {
    expect(await spend({ accountType })).toBe(expected)
  })

  it('from a missing savings account gets 53', async () => {
    await world.run(commands.registration(`r${++count}`, { card: SECOND_CARD, document: 'CC:2' }))
    expect(await spend({ card: SECOND_CARD, token: await token({ card: SECOND_CARD }) })).toBe('53')
  })

  it('with a card nobody registered gets 14', async () => {
    expect(await spend({ card: UNREGISTERED, token: await token({ card: UNREGISTERED }) })).toBe('14')
  })

  it('that the card may not do gets 57, before the amount is looked at', async () => {
    const digits = await token()
    await world.run(
      commands.registration(`r${++count}`, { card: CARD, document: HOLDER, restrictions: ['no-withdrawals'] }),
    )
    expect(await spend({ token: digits, withdrawal: true, amount: 1 })).toBe('57')
    expect(await spend({ amount: 1 })).toBe('00')
  })

  it('as a withdrawal must be a multiple of the note', async () => {
    expect(await spend({ withdrawal: true, amount: 1_000_001 })).toBe('13')
    expect(await spend({ withdrawal: true, amount: 2_000_000 })).toBe('00')
  })

  it('needs funds, to the last centavo', async () => {
    await world.run(commands.opening('o2', { document: HOLDER, accountType: '20', amount: 500 }))
    expect(await spend({ accountType: '20', amount: 501 })).toBe('51')
    expect(await spend({ accountType: '20', amount: 500 })).toBe('00')
    expect(balance('20')).toBe(0)
  })

  it('may be of the limit and not above', async () => {
    expect(await spend({ amount: 500_000_000 })).toBe('00')
    expect(await spend({ amount: 500_000_001 })).toBe('61')
  })

  it('that comes after its deadline gets 68 and does nothing', async () => {
    const digits = await token()
    expect(await spend({ token: digits, deadline: world.now - 1 })).toBe('68')
    expect(await spend({ token: digits, deadline: world.now })).toBe('00')
    const terminal = await token({})
    expect(await spend({ token: terminal, deadline: world.now - 1 })).toBe('68')
    expect(await spend({ token: terminal })).toBe('00')
  })

  it('repeated gives the recorded outcome, and 94 with other content', async () => {
    const digits = await token()
    const purchase = commands.spending('p', { card: CARD, token: digits, amount: 100 })
    const first = await world.run(purchase)
    expect(await world.run(purchase)).toEqual(first)
    expect(await code(commands.spending('p', { card: CARD, token: digits, amount: 101 }))).toBe('94')
    expect(await world.run(purchase)).toEqual(first)
    expect(world.events.filter((event) => event.command.scope.consecutive === 'p')).toHaveLength(2)
  })
})

describe('guessing', () => {
  it('locks with the fifth wrong token within the window, also for the right one, and opens after the lock', async () => {
    const digits = await token({ card: CARD, ttlSeconds: 86_400 })
    for (let n = 0; n < 5; n++) expect(await spend({ token: '000000' })).toBe('55')
    expect(await spend({ token: digits })).toBe('75')
    world.now += 15 * MINUTE - 1
    expect(await spend({ token: digits })).toBe('75')
    world.now += 1
    expect(await spend({ token: digits })).toBe('00')
  })

  it('counts in a sliding window', async () => {
    for (let n = 0; n < 4; n++) await spend({ token: '000000' })
    world.now += 15 * MINUTE
    expect(await spend({ token: '000000' })).toBe('55')
    expect(await spend()).toBe('00')
  })

  it('is forgotten after a right token', async () => {
    for (let n = 0; n < 4; n++) await spend({ token: '000000' })
    expect(await spend()).toBe('00')
    expect(await spend({ token: '000000' })).toBe('55')
    expect(await spend()).toBe('00')
  })

  it('does not extend a lock, and a new token does not unlock', async () => {
    for (let n = 0; n < 5; n++) await spend({ token: '000000' })
    world.now += 14 * MINUTE
    expect(await spend({ token: '000000' })).toBe('75')
    expect(await spend()).toBe('75')
    world.now += MINUTE
    expect(await spend()).toBe('00')
  })

  it('at a terminal locks the terminal for its tokens only', async () => {
    const digits = await token({})
    for (let n = 0; n < 5; n++) expect(await spend({ token: '000000000000' })).toBe('55')
    expect(await spend({ token: digits })).toBe('75')
    expect(await spend()).toBe('00')
  })

  it('from one terminal is limited: 65 after more than 1,000 wrong tokens, until the window ends', async () => {
    world.now -= world.now % (15 * MINUTE)
    const key = `wrong:${plainKeys.hash('terminal', 'A1:S1:T1')}:${world.now}`
    await world.store.count([{ key, by: 1_000, expiresAt: world.now + 30 * MINUTE }])
    const digits = await token({ card: CARD, ttlSeconds: 86_400 })
    expect(await spend({ token: '000000' })).toBe('55')
    expect(await spend({ token: digits })).toBe('65')
    expect(await spend({ token: digits, terminalId: 'T2' })).toBe('00')
    world.now += 15 * MINUTE
    expect(await spend()).toBe('00')
  })
})

describe('a generation', () => {
  it('gives a document or card six digits and holds at most five live tokens', async () => {
    for (let n = 0; n < 5; n++) expect(await token({ card: CARD })).toHaveLength(6)
    expect(await code(commands.generation('g-six', { card: CARD }))).toBe('65')
    world.now += 300_000
    expect(await code(commands.generation('g-later', { card: CARD }))).toBe('00')
  })

  it('wants the document to be the registered holder of the card', async () => {
    expect(await code(commands.generation('ga', { card: CARD, document: HOLDER }))).toBe('00')
    expect(await code(commands.generation('gb', { card: CARD, document: 'CC:2' }))).toBe('14')
    expect(await code(commands.generation('gc', { card: UNREGISTERED, document: HOLDER }))).toBe('14')
  })

  it.each<[CardState, ResponseCode]>([
    ['lost', '41'],
    ['stolen', '43'],
    ['blocked', '62'],
  ])('for a card that is %s gets %s', async (state, expected) => {
    await world.run(commands.stateChange(`s${++count}`, { card: CARD, state }))
    expect(await code(commands.generation(`gd${count}`, { card: CARD }))).toBe(expected)
  })

  it('repeated holds the same token while it is live and unused, and none after', async () => {
    const ask = commands.generation('ge', { card: CARD })
    const first = await world.run(ask)
    expect(first.tokenShown).toBe(true)
    expect(await world.run(ask)).toEqual(first)
    expect(await spend({ token: plainKeys.reveal(first.token as never) })).toBe('00')
    expect(await world.run(ask)).toEqual({ ...first, tokenShown: false })
  })

  it('declines with 05 when no drawn token is free', async () => {
    const drawn = world.shell.entropy
    Object.assign(drawn, { tokenId: () => 'always-the-same' })
    expect(await code(commands.generation('gf', { card: CARD }))).toBe('00')
    expect(await code(commands.generation('gg', { card: CARD }))).toBe('05')
  })
})

describe('undoing', () => {
  it('a reversal or void of a purchase gives the money back once and leaves its body', async () => {
    for (const kind of ['REVERSAL', 'VOID'] as const) {
      const purchase = commands.spending(`u${kind}`, { card: CARD, token: await token(), amount: 700 })
      const first = await world.run(purchase)
      expect(balance()).toBe(100_000_000_000 - 700)
      const undo = commands.undoing(kind, `u${kind}`, { amount: 700 })
      expect(await code(undo)).toBe('00')
      expect(await code(undo)).toBe('00')
      expect(balance()).toBe(100_000_000_000)
      expect({ ...(await world.run(purchase)), state: 'approved' }).toEqual(first)
      const { state } = await world.run({ kind: 'INQUIRY', inquiryId: 'i', of: purchase.scope })
      expect(state).toBe(kind === 'REVERSAL' ? 'reversed' : 'voided')
    }
  })

  it('of another amount gets 13, of what is undone already 12 for a void and 00 for a reversal', async () => {
    const purchase = commands.spending('ua', { card: CARD, token: await token(), amount: 700 })
    await world.run(purchase)
    expect(await code(commands.undoing('REVERSAL', 'ua', { amount: 701 }))).toBe('13')
    expect(await code(commands.undoing('VOID', 'ub', { original: 'ua' }))).toBe('00')
    expect(await code(commands.undoing('VOID', 'uc', { original: 'ua' }))).toBe('12')
    expect(await code(commands.undoing('REVERSAL', 'ud', { original: 'ua' }))).toBe('00')
    expect(balance()).toBe(100_000_000_000)
  })

  it('of what was declined gets 00 for a reversal and 12 for a void', async () => {
    await world.run(commands.spending('ue', { card: CARD, token: '000000', amount: 1 }))
    expect(await code(commands.undoing('REVERSAL', 'uf', { original: 'ue' }))).toBe('00')
    expect(await code(commands.undoing('VOID', 'ug', { original: 'ue' }))).toBe('12')
  })

  it('of what never arrived: a void gets 25; a reversal 00, and the late one 05 with its token unspent', async () => {
    expect(await code(commands.undoing('VOID', 'uh', { original: 'ui' }))).toBe('25')
    expect(await code(commands.undoing('REVERSAL', 'ui'))).toBe('00')
    expect(await code(commands.undoing('VOID', 'uj', { original: 'ui' }))).toBe('12')
    const digits = await token()
    const late = commands.spending('ui', { card: CARD, token: digits })
    expect(await code(late)).toBe('05')
    expect(await code(late)).toBe('05')
    expect(await code(commands.spending('ui', { card: CARD, token: digits, amount: 999 }))).toBe('94')
    expect(await spend({ token: digits })).toBe('00')
  })

  it('of a generation ends its token, unless it is spent', async () => {
    const ask = commands.generation('uk', { card: CARD })
    const { token: issued } = await world.run(ask)
    expect(await code(commands.undoing('REVERSAL', 'uk', { code: 'TOKEN_GENERATION' }))).toBe('00')
    expect(await spend({ token: plainKeys.reveal(issued as never) })).toBe('55')
    const spent = commands.generation('ul', { card: CARD })
    const { token: other } = await world.run(spent)
    expect(await spend({ token: plainKeys.reveal(other as never) })).toBe('00')
    expect(await code(commands.undoing('VOID', 'ul', { code: 'TOKEN_GENERATION' }))).toBe('12')
    expect(await code(commands.undoing('REVERSAL', 'ul', { code: 'TOKEN_GENERATION' }))).toBe('00')
  })

  it('repeated with other content gets 94, and what it undid does not come back', async () => {
    const digits = await token()
    await world.run(commands.spending('um', { card: CARD, token: digits, amount: 50 }))
    expect(await code(commands.undoing('REVERSAL', 'um'))).toBe('00')
    expect(await code(commands.undoing('REVERSAL', 'um', { metadata: 'other' }))).toBe('94')
    expect(await spend({ token: digits })).toBe('55')
  })

  it('works from another store and terminal of the same acquirer', async () => {
    await world.run(commands.spending('un', { card: CARD, token: await token(), amount: 50 }))
    expect(await code(commands.undoing('REVERSAL', 'un', { storeId: 'S9', terminalId: 'T9' }))).toBe('00')
    expect(balance()).toBe(100_000_000_000)
  })
})

describe('an inquiry', () => {
  it('says what is recorded and never shows a token', async () => {
    const ask = commands.generation('ia', { card: CARD })
    const recorded = await world.run(ask)
    const reply = await world.run({ kind: 'INQUIRY', inquiryId: 'i1', of: ask.scope })
    expect(reply).toMatchObject({
      found: true,
      responseCode: '00',
      authorizationNumber: recorded.authorizationNumber,
      tokenShown: false,
    })
  })

  it('finds a reversal under its own scope, and nothing where nothing is decided', async () => {
    const undo = commands.undoing('REVERSAL', 'ib')
    await world.run(undo)
    expect(await world.run({ kind: 'INQUIRY', inquiryId: 'i2', of: undo.scope })).toMatchObject({
      found: true,
      state: 'approved',
    })
    expect(await world.run({ kind: 'INQUIRY', inquiryId: 'i3', of: undo.original })).toMatchObject({ found: false })
  })
})

describe('an account command', () => {
  it('opens once, credits what exists, and refuses the rest', async () => {
    expect(await code(commands.opening('oa', { document: HOLDER, amount: 5 }))).toBe('12')
    expect(await code(commands.credit('ca', { document: HOLDER, amount: 5 }))).toBe('00')
    expect(balance()).toBe(100_000_000_005)
    expect(await code(commands.credit('cb', { document: HOLDER, accountType: '20', amount: 5 }))).toBe('52')
    expect(await code(commands.credit('cc', { document: HOLDER, amount: 0 }))).toBe('13')
    expect(await code(commands.stateChange('sa', { card: UNREGISTERED, state: 'lost' }))).toBe('14')
  })
})

describe('a card registered again', () => {
  it('keeps its state, so that an old file cannot bring a blocked card back', async () => {
    await world.run(commands.stateChange('sb', { card: CARD, state: 'blocked' }))
    expect(await code(commands.registration('rb', { card: CARD, document: HOLDER, state: 'active' }))).toBe('00')
    expect(await code(commands.generation('gb1', { card: CARD }))).toBe('62')
    await world.run(commands.stateChange('sc', { card: CARD, state: 'active' }))
    expect(await code(commands.generation('gb2', { card: CARD }))).toBe('00')
  })
})

describe('response codes', () => {
  it('are each reached by one of the tests above', () => {
    const expected = RESPONSE_CODES.filter((responseCode) => !NOT_OF_THE_CORE.includes(responseCode))
    expect([...answered].sort()).toEqual([...expected].sort())
  })
})
