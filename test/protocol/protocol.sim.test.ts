import { describe, expect, it } from 'vitest'
import type { Command, Inquiry } from '../../services/core/transaction/command.ts'
import { commands } from './commands.ts'
import { checkInvariants, checkReplay, fold } from './invariants.ts'
import { plainKeys } from './plain-keys.ts'
import { World, type Mistake } from './world.ts'

const SEEDS = Number(process.env['SIMULATION_SEEDS'] ?? 400)
const CARD = '6039591000000018'
const OTHER_CARD = '6039591000000026'
const HOLDER = 'CC:1'

/** A holder with two cards and money for two of the purchases, three tokens, one of them a terminal's. */
async function prepared(seed: number, mistake?: Mistake): Promise<{ world: World; tokens: string[] }> {
  const world = new World(seed, { mistake })
  await world.run(commands.registration('r1', { card: CARD, document: HOLDER }))
  await world.run(commands.opening('o1', { document: HOLDER, amount: 250 }))
  const tokens: string[] = []
  for (const [consecutive, ask] of [
    ['g1', { document: HOLDER }],
    ['g2', { card: CARD }],
    ['g3', {}],
  ] as const) {
    const { token } = await world.run(commands.generation(consecutive, ask))
    if (!token) throw new Error('a generation gives a token')
    tokens.push(plainKeys.reveal(token))
  }
  return { world, tokens }
}

function mixed(world: World, tokens: readonly string[]): (Command | Inquiry)[] {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(world.random() * items.length)] as T
  const spend = (consecutive: string) =>
    commands.spending(consecutive, {
      card: pick([CARD, CARD, OTHER_CARD]),
      token: pick([...tokens, '999999', '999999999999']),
      amount: pick([100, 100, 200]),
    })
  const undoing = (consecutive: string) =>
    commands.undoing(pick(['REVERSAL', 'VOID']), pick([consecutive, `u${consecutive}`]), {
      original: consecutive,
      code: consecutive.startsWith('g') ? 'TOKEN_GENERATION' : 'TOKEN_PURCHASE',
      amount: pick([undefined, undefined, 100]),
    })
  const bodies: (Command | Inquiry)[] = [
    commands.registration('r2', { card: OTHER_CARD, document: HOLDER }),
    commands.generation('g4', { card: OTHER_CARD }),
    commands.credit('c1', { document: HOLDER, amount: 50 }),
    commands.stateChange('s1', { card: CARD, state: pick(['active', 'blocked']) }),
  ]
  for (const consecutive of ['p1', 'p2', 'p3']) {
    const purchase = spend(consecutive)
    bodies.push(purchase, pick([purchase, spend(consecutive)]))
    if (world.random() < 0.7) bodies.push(undoing(consecutive))
    if (world.random() < 0.3) bodies.push(undoing(consecutive))
    if (world.random() < 0.4) bodies.push({ kind: 'INQUIRY', inquiryId: `i${consecutive}`, of: purchase.scope })
  }
  if (world.random() < 0.5) bodies.push(undoing('g1'))
  return bodies
}

describe('the protocol in any order', () => {
  it(`keeps every invariant through redelivery and crashes, in ${SEEDS} orders`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { world, tokens } = await prepared(seed)
      try {
        await world.runAll(mixed(world, tokens), { crashes: 3, again: 4 })
        await checkInvariants(world)
        await checkReplay(world)
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}\n${world.trace.slice(-60).join('\n')}`, {
          cause: error,
        })
      }
    }
  }, 60_000)

  it('gives the same trace, byte for byte, when a seed is run twice', async () => {
    const traces = []
    for (let run = 0; run < 2; run++) {
      const { world, tokens } = await prepared(7)
      await world.runAll(mixed(world, tokens), { crashes: 3, again: 4 })
      traces.push(world.trace.join('\n'))
    }
    expect(traces[0]).toBe(traces[1])
  })

  it('leaves the same balance whether a reversal comes before, during or after its original', async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { world, tokens } = await prepared(seed)
      const purchase = commands.spending('p1', { card: CARD, token: tokens[seed % 3] as string, amount: 100 })
      await world.runAll([purchase, commands.undoing('REVERSAL', 'p1')], { crashes: 2, again: 2 })
      await checkInvariants(world)
      const balance = fold(world)
        .get(`D.${plainKeys.hash('document', HOLDER)}`)
        ?.accounts.get('10')?.balanceMinor
      expect(balance, `seed ${seed}\n${world.trace.join('\n')}`).toBe(250)
    }
  }, 60_000)

  it.each<[Mistake, RegExp]>([
    ['claims-nothing', /two contents|debits|disagree|store|token/],
    ['commits-blindly', /fork|broken chain|gap|debits|store/],
    ['publishes-own-event-only', /gap/],
    ['replies-first', /disagree|answered before/],
    ['forgets-outbox', /answered before|gap/],
  ])(
    'would notice a worker that %s',
    async (mistake, complaint) => {
      const complaints: string[] = []
      for (let seed = 1; seed <= SEEDS && complaints.length === 0; seed++) {
        try {
          const { world, tokens } = await prepared(seed, mistake)
          await world.runAll(mixed(world, tokens), { crashes: 3, again: 4 })
          await checkInvariants(world)
        } catch (error) {
          complaints.push((error as Error).message)
        }
      }
      expect(complaints[0]).toMatch(complaint)
    },
    60_000,
  )
})
