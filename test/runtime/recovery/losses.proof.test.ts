// Workers with their recoveries while the store is emptied, rewound and reconnected under them, and while what they have
// published arrives late: every invariant holds on what is valid, and every request has a valid answer. Each mistake
// that is made on purpose is noticed.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { DEFAULT_RULES } from '../../../services/core/subject/rules.ts'
import type { Command, Inquiry } from '../../../services/core/transaction/command.ts'
import { differences, dumpLog, dumpStore } from '../../../services/runtime/recovery/dump.ts'
import { Recovery } from '../../../services/runtime/recovery/recovery.ts'
import { commands } from '../../protocol/commands.ts'
import { FATES } from '../../protocol/other-authorizer.ts'
import { plainKeys } from '../../protocol/plain-keys.ts'
import { charge, refund, remoteSpending, stashFor, tokenization } from '../../protocol/remote-commands.ts'
import { checkRemote } from '../../protocol/remote-invariants.ts'
import type { MemorySnapshot } from '../../../services/adapters/memory/store.ts'
import { LossyWorld, LOSSES, POOR_CARD, type Loss } from './lossy-world.ts'
import { MISTAKES, type Mistake } from './mistakes.ts'

const SEEDS = Number(process.env['LOSS_SEEDS'] ?? 25)
const MISTAKE_SEEDS = Number(process.env['MISTAKE_SEEDS'] ?? 400)
const [CARD, OTHER_CARD, REMOTE_CARD, HOLDER] = ['6039591000000018', '6039591000000026', '4111111111111111', 'CC:1']

async function token(world: LossyWorld, consecutive: string, ask: Parameters<typeof commands.generation>[1]) {
  const { token: issued } = await world.run(commands.generation(consecutive, ask))
  if (!issued) throw new Error('a generation gives a token')
  return plainKeys.reveal(issued)
}

/** A holder with money for some of the purchases, tokens of every kind; one card's funds are elsewhere. */
async function prepared(world: LossyWorld): Promise<readonly string[]> {
  await world.run(commands.registration('r1', { card: CARD, document: HOLDER }))
  await world.run(commands.opening('o1', { document: HOLDER, amount: 1_000 }))
  const tokens = [await token(world, 'g1', { document: HOLDER }), await token(world, 'g2', { card: CARD })]
  return [...tokens, await token(world, 'g3', {}), await token(world, 'g4', {})]
}

function local(world: LossyWorld, tokens: readonly string[], round: number): (Command | Inquiry)[] {
  const { pick } = world
  const spend = (consecutive: string) =>
    commands.spending(consecutive, {
      card: pick([CARD, CARD, OTHER_CARD]),
      token: pick(tokens),
      amount: pick([100, 200]),
    })
  const bodies: (Command | Inquiry)[] = [
    commands.credit(`c${round}`, { document: HOLDER, amount: 50 }),
    commands.credit(`d${round}`, { document: HOLDER, amount: 1 }),
  ]
  if (round === 1) bodies.push(commands.registration('r2', { card: OTHER_CARD, document: HOLDER }))
  for (const consecutive of [`p${round}`, `q${round}`]) {
    const purchase = spend(consecutive)
    bodies.push(purchase, pick([purchase, spend(consecutive)]))
    if (world.random() < 0.7) bodies.push(commands.undoing(pick(['REVERSAL', 'REVERSAL', 'VOID']), consecutive))
    if (world.random() < 0.2) bodies.push({ kind: 'INQUIRY', inquiryId: `i${consecutive}`, of: purchase.scope })
  }
  return bodies
}

/** Money that is elsewhere: what it takes to ask for it lies in the store only. */
async function remote(world: LossyWorld, round: number): Promise<(Command | Inquiry)[]> {
  const { pick } = world
  const card = pick([REMOTE_CARD, REMOTE_CARD, POOR_CARD])
  const purchase = remoteSpending(`x${round}`, { card, token: await token(world, `gx${round}`, { card }) })
  const issued = tokenization(`t${round}`, pick([REMOTE_CARD, REMOTE_CARD, POOR_CARD]))
  await stashFor(world.store, issued)
  await world.run(issued)
  await stashFor(world.store, purchase)
  const charged = charge(`y${round}`, { token: `t${round}`, order: pick([undefined, 'o1']) })
  const bodies: (Command | Inquiry)[] = [purchase, pick([purchase, charged]), charged]
  if (world.random() < 0.6) bodies.push(commands.undoing(pick(['REVERSAL', 'VOID']), `x${round}`))
  if (world.random() < 0.6) bodies.push(refund(`z${round}`, { charge: `y${Math.max(1, round - 1)}`, amount: 600 }))
  return bodies
}

/** What the invariants say. */
const COMPLAINT =
  /fork|gap|chain|: store|no valid reply|disagree|won by|two contents|again: |no event tells|deeply equal|to rest/

/** The event that has to be on the log before a purchase asks for money that is elsewhere. */
const ABOUT_TO_ASK = /^publish authorization.events C\.card-4/

interface Story {
  readonly rounds: number
  readonly losses: readonly Loss[]
  /** Money that is here, and times as much that is elsewhere, in every round. */
  readonly here: boolean
  readonly elsewhere: number
  /** What a worker is about to do that sleeps through the loss. */
  readonly sleeps?: RegExp
  readonly mistake?: Mistake
}

const SLEPT_THROUGH = { losses: ['wipe'], sleeps: ABOUT_TO_ASK } as const

/** Whoever is about to do this sleeps through a loss of the store, until others have brought it up to the log. */
async function sleepThrough(world: LossyWorld, what: RegExp, loss: Loss, snapshot: MemorySnapshot): Promise<void> {
  const wake = await world.sleeper(what)
  world.lose(loss, snapshot)
  await world.admitted()
  wake()
}

async function runStory(
  seed: number,
  { rounds, losses, here, elsewhere, sleeps, mistake }: Story,
): Promise<readonly string[]> {
  const world = await LossyWorld.start(seed, mistake)
  const { random, pick } = world
  try {
    const tokens = await prepared(world)
    for (let round = 1; round <= rounds; round++) {
      const bodies = here ? local(world, tokens, round) : []
      for (let n = 0; n < elsewhere; n++) bodies.push(...(await remote(world, round + n * rounds)))
      world.fate = () => (random() < 0.3 ? pick(FATES) : 'well')
      const early = world.store.snapshot()
      await world.ask(...bodies.toSorted(() => random() - 0.5))
      await world.turns(Math.floor(random() * 60))
      const late = world.store.snapshot()
      await world.turns(Math.floor(random() * 60))
      if (sleeps) await sleepThrough(world, sleeps, pick(losses), early)
      else
        for (let n = random() < 0.4 ? 2 : 1; n > 0; n--) {
          world.lose(pick(losses), pick([early, late]))
          await world.turns(Math.floor(random() * 60))
          if (random() < 0.3) world.kill()
        }
      await world.ask(...bodies.filter(() => random() < 0.2))
      world.fate = () => 'well'
      await world.quiet()
    }
    await checkWorld(world)
    return world.trace
  } catch (error) {
    throw new Error(`${(error as Error).message}\nseed ${seed}\n${world.trace.slice(-200).join('\n')}`, {
      cause: error,
    })
  } finally {
    await world.stop()
  }
}

function confirmAll(): void {
  for (const confirm of ['confirm', 'confirmLater'] as const)
    vi.spyOn(Recovery.prototype, confirm).mockResolvedValue(true)
}

/** '' when nothing is wrong. */
function complaintOf(seed: number, story: Story): Promise<string> {
  return runStory(seed, story).then(
    () => '',
    (error: Error) => error.message,
  )
}

async function checkWorld(world: LossyWorld): Promise<void> {
  expect(world.bugs).toEqual([])
  await checkRemote(await world.left(), world.other)
  const log = await dumpLog(world.log, world.wire, DEFAULT_RULES)
  const store = await dumpStore(world.store.upkeep)
  expect(differences(log, store, Date.now())).toEqual([])
  expect([...store.keys()].filter((name) => /cardkey|securitycode/.test(name))).toEqual([])
  const untold = [...store.keys()].filter((name) => name.endsWith(' claim') && !log.has(name))
  if (untold.length > 0) throw new Error(`no event tells of ${untold.join(', ')}`)
}

describe('workers whose store loses what it had', () => {
  afterEach(() => void vi.restoreAllMocks())

  it(`keep every invariant and answer every request, in ${SEEDS} stories of losses`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++)
      await runStory(seed, { rounds: 3, losses: LOSSES, here: true, elsewhere: 0 })
  }, 120_000)

  it(`take there exactly what they say here, in ${SEEDS} stories of losses with calls, charges and reversals under way`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++)
      await runStory(seed, { rounds: 3, losses: LOSSES, here: true, elsewhere: 1 })
    for (let seed = 1; seed <= SEEDS / 2; seed++)
      await runStory(seed, { rounds: 3, losses: LOSSES, here: false, elsewhere: 2, sleeps: ABOUT_TO_ASK })
  }, 120_000)

  it('gives the same trace when a seed is run twice, but for the names of the workers', async () => {
    const traces = []
    for (let run = 0; run < 2; run++) {
      const trace = await runStory(3, { rounds: 3, losses: LOSSES, here: true, elsewhere: 1 })
      traces.push(trace.join('\n').replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'worker'))
    }
    expect(traces[0]).toBe(traces[1])
    expect(traces[0]).toContain('THE STORE')
  })

  it.each<[Mistake, RegExp, Partial<Story>?]>([
    ['calls-before-pending-is-sure-to-count', /before its pending event was on the log/, SLEPT_THROUGH],
    ['leaves-keys-that-came-back', /is left of a spent token/],
    ['asks-again-instead-of-inquiring', /was asked for twice/],
  ])(
    'would be noticed to be wrong with one that %s',
    async (mistake, complaint, story = {}) => {
      if (mistake === 'calls-before-pending-is-sure-to-count') confirmAll()
      let noticed = ''
      for (let seed = 1; seed <= MISTAKE_SEEDS && !complaint.test(noticed); seed++) {
        noticed = await complaintOf(seed, { rounds: 4, losses: LOSSES, here: false, elsewhere: 2, mistake, ...story })
      }
      expect(noticed).toMatch(complaint)
    },
    180_000,
  )

  it.each(MISTAKES)(
    'would be noticed to be wrong with one that %s',
    async (mistake) => {
      if (mistake === 'takes-the-acknowledged-for-valid') confirmAll()
      let noticed = ''
      let seed = 1
      for (; seed <= MISTAKE_SEEDS && noticed === ''; seed++) {
        noticed = await complaintOf(seed, { rounds: 5, losses: LOSSES, here: true, elsewhere: 0, mistake })
      }
      if (process.env['SIMULATION_COUNT'])
        process.stdout.write(`${mistake}: seed ${seed - 1}: ${noticed.split('\n')[0]}\n`)
      expect(noticed).toMatch(COMPLAINT)
    },
    180_000,
  )
})
