import { describe, expect, it } from 'vitest'
import type { CardTokenization, Command, Inquiry, TokenSpending } from '../../services/core/transaction/command.ts'
import { commands } from './commands.ts'
import { Choices, Order, runOrder, type Bounds } from './every-order.ts'
import { FATES, OtherAuthorizer, type AskingMistake, type Fate } from './other-authorizer.ts'
import { plainKeys } from './plain-keys.ts'
import { charge, refund, remoteSpending, stashFor, tokenization } from './remote-commands.ts'
import { checkRemote } from './remote-invariants.ts'
import { seeded, World, type Mistake } from './world.ts'

const SEEDS = Number(process.env['SIMULATION_SEEDS'] ?? 200)
/** Interruptions and faults of one order in a small world. */
const BOUNDS: Bounds = {
  preemptions: Number(process.env['SIMULATION_PREEMPTIONS'] ?? 1),
  faults: Number(process.env['SIMULATION_FAULTS'] ?? 1),
}
const CARD = '4111111111111111'
const POOR_CARD = '4444444444444448'
const declined = (cardNumber: string) => (cardNumber === POOR_CARD ? '51' : undefined)

type Wrong = Mistake | AskingMistake
const ASKING: readonly Wrong[] = [
  'asks-again-instead-of-inquiring',
  'takes-a-reversal-for-granted',
  'takes-silence-for-a-decline',
  'takes-silence-for-an-approval',
  'reverses-before-it-says-so',
  'takes-a-refund-that-was-not-sent-for-undone',
]

function worldOf(seed: number, fate: () => Fate, wrong?: Wrong, random?: () => number): World {
  const asking = ASKING.includes(wrong as Wrong)
  const other = new OtherAuthorizer(fate, { declined, mistake: asking ? (wrong as AskingMistake) : undefined })
  return new World(seed, { other, random, mistake: asking ? undefined : (wrong as Mistake) })
}

/** A token of the card. */
async function token(world: World, consecutive: string, card = CARD): Promise<string> {
  const { token: issued } = await world.run(commands.generation(consecutive, { card }))
  if (!issued) throw new Error('a generation gives a token')
  return plainKeys.reveal(issued)
}

async function spending(world: World, consecutive: string, card = CARD): Promise<TokenSpending> {
  const command = remoteSpending(consecutive, { card, token: await token(world, `g${consecutive}`, card) })
  await stashFor(world.store, command)
  return command
}

async function cardToken(world: World, id: string, card = CARD): Promise<CardTokenization> {
  const command = tokenization(id, card)
  await stashFor(world.store, command)
  await world.run(command)
  return command
}

type Story = (world: World) => Promise<(Command | Inquiry)[]>

const STORIES: Readonly<Record<string, Story>> = {
  'a purchase, delivered twice': async (world) => {
    const purchase = await spending(world, 'p1')
    return [purchase, purchase]
  },
  'a purchase and its reversal': async (world) => [await spending(world, 'p1'), commands.undoing('REVERSAL', 'p1')],
  'a purchase, delivered twice, and its reversal': async (world) => {
    const purchase = await spending(world, 'p1')
    return [purchase, purchase, commands.undoing('REVERSAL', 'p1')]
  },
  'a purchase, its void and its reversal': async (world) => [
    await spending(world, 'p1'),
    commands.undoing('VOID', 'v1', { original: 'p1' }),
    commands.undoing('REVERSAL', 'p1'),
  ],
  'a purchase at a terminal, and its reversal': async (world) => {
    const { token: issued } = await world.run(commands.generation('g1', {}))
    if (!issued) throw new Error('a generation gives a token')
    const purchase = remoteSpending('p1', { card: CARD, token: plainKeys.reveal(issued) })
    await stashFor(world.store, purchase)
    return [purchase, commands.undoing('REVERSAL', 'p1')]
  },
  'a purchase that is declined there, and its reversal': async (world) => [
    await spending(world, 'p1', POOR_CARD),
    commands.undoing('REVERSAL', 'p1'),
  ],
  'two charges of one token': async (world) => {
    await cardToken(world, 't1')
    return [charge('c1', { token: 't1', order: 'o1' }), charge('c2', { token: 't1' })]
  },
  'two charges of one order': async (world) => {
    await cardToken(world, 't1')
    await cardToken(world, 't2', POOR_CARD)
    return [charge('c1', { token: 't1', order: 'o1' }), charge('c2', { token: 't2', order: 'o1' })]
  },
  'two refunds of one charge, one delivered twice': async (world) => {
    await cardToken(world, 't1')
    await world.run(charge('c1', { token: 't1' }))
    const part = refund('r1', { charge: 'c1', amount: 600 })
    return [part, part, refund('r2', { charge: 'c1', amount: 500 })]
  },
}

/** Every order within the bounds. @returns how many there were. */
async function everyOrder(story: Story, bounds: Bounds, wrong?: Wrong): Promise<number> {
  let orders = 0
  for (let told: readonly number[] | null = []; told !== null;) {
    const order = new Order(new Choices(told), bounds)
    // An acknowledgement always gets through here: what is lost is drawn in the large worlds.
    const world = worldOf(
      1,
      () => order.fate(),
      wrong,
      () => 0.5,
    )
    try {
      world.begin(...(await story(world)))
      await runOrder(world, order)
      await checkRemote(world, world.other as OtherAuthorizer)
    } catch (error) {
      throw new Error(`order ${told.join(',')}: ${(error as Error).message}\n${world.trace.join('\n')}`, {
        cause: error,
      })
    }
    orders++
    told = order.choices.next()
  }
  return orders
}

/** Everything at once, in an order by the seed. */
async function largeWorld(seed: number, wrong?: Wrong): Promise<void> {
  const random = seeded(seed * 7_919)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  let live = false
  const world = worldOf(seed, () => (live && random() < 0.4 ? pick(FATES) : 'well'), wrong)
  const other = world.other as OtherAuthorizer
  const bodies: (Command | Inquiry)[] = []
  for (const n of [1, 2, 3]) {
    const purchase = await spending(world, `p${n}`, pick([CARD, CARD, POOR_CARD]))
    bodies.push(purchase)
    if (random() < 0.5) bodies.push(purchase)
    if (random() < 0.6) bodies.push(commands.undoing('REVERSAL', `p${n}`))
    if (random() < 0.3) bodies.push(commands.undoing('VOID', `v${n}`, { original: `p${n}` }))
    if (random() < 0.3) bodies.push({ kind: 'INQUIRY', inquiryId: `i${n}`, of: purchase.scope })
    if (random() < 0.2) bodies.push(remoteSpending(`p${n}`, { card: CARD, token: '000000' }))
  }
  for (const n of [1, 2, 3]) {
    await cardToken(world, `t${n}`, pick([CARD, CARD, POOR_CARD]))
    bodies.push(charge(`c${n}`, { token: `t${pick([1, 2, 3])}`, order: pick([undefined, 'o1', 'o2']) }))
  }
  bodies.push(refund('r1', { charge: 'c1', amount: 600 }), refund('r2', { charge: 'c1', amount: 500 }))
  bodies.push(refund('r3', { charge: pick(['c1', 'c2']) }))
  live = true
  try {
    world.onStep = () => {
      if (other.late > 0 && random() < 0.1) other.arrive(Math.floor(random() * other.late))
    }
    await world.runAll(bodies, { crashes: 4, again: 6 })
    await checkRemote(world, other)
  } catch (error) {
    throw new Error(`seed ${seed}: ${(error as Error).message}\n${world.trace.slice(-80).join('\n')}`, { cause: error })
  }
}

describe('money that another authorizer holds', () => {
  it.each(Object.keys(STORIES))(
    'is there exactly what is said here, in every order of %s',
    async (name) => {
      const orders = await everyOrder(STORIES[name] as Story, BOUNDS)
      if (process.env['SIMULATION_COUNT']) process.stdout.write(`${name}: ${orders} orders\n`)
      expect(orders).toBeGreaterThan(50)
    },
    600_000,
  )

  it(`is there exactly what is said here, in ${SEEDS} orders of a large world`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) await largeWorld(seed)
  }, 120_000)

  it.each<[Wrong, RegExp]>([
    ['asks-again-instead-of-inquiring', /asked for twice/],
    ['takes-a-reversal-for-granted', /is taken there/],
    ['takes-silence-for-a-decline', /is taken there/],
    ['takes-silence-for-an-approval', /is taken there|wants/],
    ['calls-before-pending-is-on-the-log', /before its pending event was on the log/],
    ['frees-no-order', /does not end|an order is held by/],
    ['keeps-the-keys', /is left of a spent token|store/],
    ['forgets-that-undoing-is-wanted', /is taken there| again: /],
    ['forgets-outbox', /answered before|gap|pending event/],
  ])(
    'would notice a worker that %s',
    async (wrong, complaint) => {
      let noticed = ''
      for (let seed = 1; seed <= SEEDS && noticed === ''; seed++) {
        await largeWorld(seed, wrong).catch((error: Error) => void (noticed = error.message))
      }
      expect(noticed.split('\n')[0]).toMatch(complaint)
    },
    120_000,
  )

  it.each<[Wrong, string, RegExp]>([
    ['reverses-before-it-says-so', 'a purchase, delivered twice', /: 0 is taken there, 100 is said here/],
    [
      'takes-a-refund-that-was-not-sent-for-undone',
      'two refunds of one charge, one delivered twice',
      /is taken there|wants/,
    ],
  ])(
    'would notice, in some order of two interruptions, a worker that %s in %s',
    async (wrong, story, complaint) => {
      await expect(everyOrder(STORIES[story] as Story, { preemptions: 2, faults: 1 }, wrong)).rejects.toThrow(complaint)
    },
    120_000,
  )
})
