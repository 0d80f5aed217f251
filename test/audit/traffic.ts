// Everything in one process on memory, with random traffic of every kind of command, for tests of what reads the events.
// The random choices are by a seed; the order in which the workers take them up is theirs.

import { createAvroWire } from '../../services/adapters/avro/wire.ts'
import { createDemoAuthorizer } from '../../services/adapters/card-authorizer/demo.ts'
import { systemEntropy } from '../../services/adapters/keys/entropy.ts'
import { createKeyRing } from '../../services/adapters/keys/key-ring.ts'
import { createMemoryLog, type MemoryLog } from '../../services/adapters/memory/log.ts'
import { createMemoryStore } from '../../services/adapters/memory/store.ts'
import { createRequester } from '../../services/cli/requester.ts'
import { secretName } from '../../services/core/card-token/card-token.ts'
import { amountMinor } from '../../services/core/money/amount.ts'
import { DEFAULT_RULES, type Rules } from '../../services/core/subject/rules.ts'
import type {
  CardCharge,
  CardTokenization,
  ChargeRefund,
  Command,
  Inquiry,
  SubjectUnlock,
  TokenUse,
} from '../../services/core/transaction/command.ts'
import type { Reply } from '../../services/core/transaction/reply.ts'
import { cardTokenSlot, scopeKey } from '../../services/core/transaction/scope.ts'
import { TOPIC, TOPICS } from '../../services/runtime/topics.ts'
import { startWorker } from '../../services/runtime/worker/worker.ts'
import { commandsWith } from '../protocol/commands.ts'
import { seeded } from '../protocol/world.ts'

const key = Buffer.alloc(32, 7).toString('base64')
/** As the environment variable KEYS has it. */
export const keyRing = {
  identity: { id: 'i1', key },
  token: [{ id: 't1', key }],
  seal: [{ id: 's1', key }],
}
export const keys = createKeyRing(keyRing)
export const wire = createAvroWire()
export const commands = commandsWith(keys)
const silent = {
  round: () => undefined,
  decided: () => undefined,
  conflict: () => undefined,
  retried: () => undefined,
  deadLetter: () => undefined,
  inFlight: () => undefined,
}

export const CARDS = ['6039591000000018', '6039591000000026', '6039591000000034']
export const HOLDERS = ['CC:1', 'CC:2']
const CHARGED = ['4111111111111111', '4444444444444448']
const REPLY_WITHIN_MS = 20_000
const WAVE = 24
/** Nothing of a long run is forgotten. */
const MAX_PARTITION_BYTES = 1_000_000_000

export interface System {
  readonly log: MemoryLog
  readonly rules: Rules
  /** Milliseconds that the clock of everything is ahead. */
  ahead: number
  now(): number
  ask(body: Command | Inquiry): Promise<Reply>
  /** A card's data key, as the edge puts it beside the slot. */
  stash(slot: string, name: string, value: string, ttlMs: number): Promise<void>
  /** Ends the workers. The log can still be read. */
  stop(): Promise<void>
}

export async function startSystem(options: { readonly rules?: Partial<Rules> } = {}): Promise<System> {
  const rules = { ...DEFAULT_RULES, ...options.rules }
  const system = { ahead: 0 }
  const clock = { now: () => Date.now() + system.ahead }
  const log = createMemoryLog({ topics: TOPICS, clock, maxPartitionBytes: MAX_PARTITION_BYTES })
  const store = createMemoryStore({ clock })
  const bugs: unknown[] = []
  const authorizer = createDemoAuthorizer(new Map([['4444444444444448', '51']]))
  const workers = await Promise.all(
    (
      [
        ['issuer', TOPIC.tokenRequests],
        ['authorizer', TOPIC.purchaseRequests],
      ] as const
    ).map(([group, topic]) =>
      startWorker({
        log,
        store,
        wire,
        shell: { clock, entropy: systemEntropy, keys, rules },
        observer: { ...silent, bug: (error) => void bugs.push(error) },
        group,
        topic,
        maxRound: 100,
        maxInFlight: 1_000,
        authorizer,
        maxOpenCalls: 100,
      }),
    ),
  )
  const requester = await createRequester(log, wire, REPLY_WITHIN_MS)
  return Object.assign(system, {
    log,
    rules,
    now: clock.now,
    ask: async (command: Command | Inquiry) => {
      const reply = await requester.ask(command)
      if (bugs.length > 0) throw bugs[0] as Error
      if (typeof reply === 'string') throw new Error(`${command.kind}: ${reply}`)
      return reply
    },
    stash: (slot: string, name: string, value: string, ttlMs: number) =>
      store.stash(slot, [{ name, value, expiresAt: clock.now() + ttlMs }]),
    stop: async () => {
      await requester.close()
      await Promise.all(workers.map((worker) => worker.stop(1_000)))
    },
  })
}

/** Commands that tests of the protocol have no words for. */
export function furtherCommands(system: Pick<System, 'now' | 'stash'>) {
  const base = (kind: Command['kind'], consecutive: string, content: unknown, acquirerId = 'A1') => ({
    scope: { acquirerId, transactionCode: kind, consecutive } as const,
    fingerprint: keys.hash('fingerprint', JSON.stringify([kind, consecutive, content])),
    clientId: 'demo',
    appKey: 'app',
    requestedAt: system.now(),
  })
  const document = (text: string) => ({ hash: keys.hash('document', text), mask: '******' })
  return {
    use(kind: TokenUse['kind'], consecutive: string, ask: { document: string; token: string }): TokenUse {
      const own = base(kind, consecutive, ask)
      const scope = { ...own.scope, transactionCode: kind }
      const sealedToken = keys.seal(ask.token, scopeKey(scope))
      return { ...own, kind, scope, document: document(ask.document), sealedToken }
    },
    unlock(consecutive: string, holder: string): SubjectUnlock {
      const own = base('SUBJECT_UNLOCK', consecutive, holder, 'operator')
      return {
        ...own,
        kind: 'SUBJECT_UNLOCK',
        scope: { ...own.scope, transactionCode: 'SUBJECT_UNLOCK' },
        document: document(holder),
      }
    },
    async tokenization(id: string, cardNumber: string, ttlSeconds = 3_600): Promise<CardTokenization> {
      const tokenHash = keys.hash('card-token', `merchant:${id}`)
      const own = base('CARD_TOKENIZATION', tokenHash, cardNumber, 'merchant')
      const { sealedNumber, wrappedKey } = keys.sealCard(cardNumber, tokenHash)
      await system.stash(cardTokenSlot(tokenHash), secretName('cardkey', tokenHash), wrappedKey, ttlSeconds * 1_000)
      return {
        ...own,
        kind: 'CARD_TOKENIZATION',
        scope: { ...own.scope, transactionCode: 'CARD_TOKENIZATION' },
        tokenHash,
        mask: '411111******1111',
        brand: 'visa',
        details: 'ZGV0YWlscw',
        sealedNumber,
        cardExpiresAt: 4_102_444_800_000,
        ttlSeconds,
      }
    },
    charge(consecutive: string, ask: { id: string; amount: number; order?: string }): CardCharge {
      const own = base('CARD_CHARGE', consecutive, ask, 'merchant')
      return {
        ...own,
        kind: 'CARD_CHARGE',
        scope: { ...own.scope, transactionCode: 'CARD_CHARGE' },
        tokenHash: keys.hash('card-token', `merchant:${ask.id}`),
        amountMinor: amountMinor(ask.amount),
        description: 'a charge',
        ...(ask.order ? { order: { hash: keys.hash('order', `merchant:${ask.order}`), id: ask.order } } : {}),
      }
    },
    refund(consecutive: string, ask: { charge: string; amount?: number }): ChargeRefund {
      const own = base('CHARGE_REFUND', consecutive, ask, 'merchant')
      return {
        ...own,
        kind: 'CHARGE_REFUND',
        scope: { ...own.scope, transactionCode: 'CHARGE_REFUND' },
        original: { acquirerId: 'merchant', transactionCode: 'CARD_CHARGE', consecutive: ask.charge },
        ...(ask.amount === undefined ? {} : { amountMinor: amountMinor(ask.amount) }),
      }
    },
    /** Of a card whose funds another authorizer has. */
    async remote(spending: Extract<Command, { kind: 'TOKEN_PURCHASE' | 'TOKEN_WITHDRAWAL' }>, cardNumber: string) {
      const scope = scopeKey(spending.scope)
      const { sealedNumber, wrappedKey } = keys.sealCard(cardNumber, scope)
      await system.stash(`@${scope}`, secretName('cardkey', scope), wrappedKey, 60_000)
      return { ...spending, remote: true, sealedNumber }
    },
  }
}

/** Cards, accounts, then random waves of commands. Each wave is under way at once. */
export async function randomTraffic(system: System, seed: number, waves: number): Promise<void> {
  const random = seeded(seed)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const further = furtherCommands(system)
  const id = (letter: string, n: number) => `${letter}${seed}-${Math.floor(n)}`
  for (const [i, card] of CARDS.entries()) {
    if (i < 2) await system.ask(commands.registration(id('r', i), { card, document: HOLDERS[i] as string }))
  }
  for (const [i, document] of HOLDERS.entries())
    await system.ask(commands.opening(id('o', i), { document, amount: 3_000 }))
  const tokens = ['999999', '999999999999']
  /** Each with the card of its holder. */
  const good: { card: string; token: string }[] = []
  const cardTokens = ['none']
  const charges = ['none']
  let count = 0
  const next = async (): Promise<Command> => {
    const n = ++count
    const [card, holder, earlier] = [pick(CARDS), pick(HOLDERS), Math.ceil(random() * n)]
    switch (Math.floor(random() * 13)) {
      case 0:
      case 1:
        return commands.generation(id('g', n), pick([{ document: holder }, { card }, {}, { card, amount: 100 }]))
      case 2:
        return further.use(pick(['TOKEN_CLAIM', 'TOKEN_CANCELLATION']), id('c', n), {
          document: holder,
          token: pick(tokens),
        })
      case 3:
        return commands.undoing(pick(['REVERSAL', 'VOID']), id('u', n), {
          original: id(pick(['g', 'p']), earlier + 2),
          code: pick(['TOKEN_GENERATION', 'TOKEN_PURCHASE'] as const),
        })
      case 4:
        cardTokens.push(id('t', n))
        return further.tokenization(id('t', n), pick(CHARGED), pick([3_600, 60]))
      case 5:
      case 6:
        charges.push(id('h', n))
        return further.charge(id('h', n), {
          id: pick(cardTokens.slice(-8)),
          amount: 500,
          ...(random() < 0.5 ? { order: pick(['one', 'two', 'three', id('o', n)]) } : {}),
        })
      case 7:
        return further.refund(id('f', n), {
          charge: pick(charges.slice(-8)),
          ...(random() < 0.5 ? { amount: 200 } : {}),
        })
      case 8:
        return pick([
          commands.stateChange(id('s', n), { card, state: pick(['active', 'active', 'blocked']) }),
          commands.credit(id('k', n), { document: holder, amount: 300 }),
          further.unlock(id('l', n), holder),
        ])
      case 9:
        return further.remote(commands.spending(id('p', n), { card, token: pick(tokens) }), pick(CHARGED))
      default:
        return commands.spending(id('p', n), {
          ...(good.length > 0 && random() < 0.8 ? pick(good) : { card, token: pick(tokens) }),
          amount: pick([100, 100, 700]),
          withdrawal: random() < 0.1,
          ...(random() < 0.1 ? { deadline: 1 } : {}),
        })
    }
  }
  for (let wave = 0; wave < waves; wave++) {
    const asked: Promise<Reply>[] = []
    for (let i = 0; i < WAVE; i++) {
      const command = await next()
      asked.push(system.ask(command))
      // Once more the same, and once other content under the same consecutive.
      if (random() < 0.1) asked.push(system.ask(command))
      if (random() < 0.05) asked.push(system.ask({ ...command, fingerprint: keys.hash('fingerprint', `other ${i}`) }))
    }
    for (const { token } of await Promise.all(asked)) if (token) tokens.push(keys.reveal(token))
    if (tokens.length > 12) tokens.splice(2, tokens.length - 12)
    good.length = 0
    for (const i of [0, 1]) {
      const [n, holder, card] = [wave * 2 + i, HOLDERS[i] as string, CARDS[i] as string]
      await system.ask(further.unlock(id('x', n), holder))
      await system.ask(commands.stateChange(id('y', n), { card, state: 'active' }))
      await system.ask(commands.credit(id('z', n), { document: holder, amount: 400 }))
      const { token } = await system.ask(commands.generation(id('w', n), { document: holder }))
      if (token) good.push({ card, token: keys.reveal(token) })
    }
    // Ten minutes, a day, eight days: tokens, then outcomes are forgotten.
    system.ahead += pick([0, 0, 200_000, 600_000, 86_400_000, 8 * 86_400_000])
  }
}
