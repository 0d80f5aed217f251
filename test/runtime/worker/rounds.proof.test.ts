import { describe, expect, it } from 'vitest'
import { createAvroWire } from '../../../services/adapters/avro/wire.ts'
import { createMemoryStore } from '../../../services/adapters/memory/store.ts'
import type { DecisionEvent, RefusalEvent } from '../../../services/core/subject/event.ts'
import { DEFAULT_RULES } from '../../../services/core/subject/rules.ts'
import type { Command, Inquiry } from '../../../services/core/transaction/command.ts'
import type { Answered as Told, CardAuthorizer } from '../../../services/ports/card-authorizer.ts'
import { LogError, type Log, type LogRecord } from '../../../services/ports/log.ts'
import { StoreError, type Store } from '../../../services/ports/store.ts'
import type { RemoteCall } from '../../../services/protocol/operations.ts'
import { begin } from '../../../services/protocol/run.ts'
import { TOPIC } from '../../../services/runtime/topics.ts'
import { Job } from '../../../services/runtime/worker/job.ts'
import { hashOf } from '../../../services/runtime/event-hash.ts'
import { Rounds } from '../../../services/runtime/worker/rounds.ts'
import { commands } from '../../protocol/commands.ts'
import { checkInvariants, fold, type Run } from '../../protocol/invariants.ts'
import { authorizerThat, FATES, OtherAuthorizer, type Fate } from '../../protocol/other-authorizer.ts'
import { plainKeys } from '../../protocol/plain-keys.ts'
import { charge, refund, remoteSpending, stashFor, tokenization } from '../../protocol/remote-commands.ts'
import { checkRemote } from '../../protocol/remote-invariants.ts'
import { seeded } from '../../protocol/world.ts'

const SEEDS = Number(process.env['ROUND_SEEDS'] ?? 40)
const [CARD, OTHER_CARD, HOLDER] = ['6039591000000018', '6039591000000026', 'CC:1']
const POOR_CARD = '4444444444444448'
const WORKERS = 3
const wire = createAvroWire()

/** Several workers' real rounds on one store and one log, whose answers come in an order that a seed decides. */
class Cluster {
  readonly random: () => number
  readonly store = createMemoryStore({ clock: { now: () => Date.now() } })
  readonly run: Run = { events: [], hashes: [], replies: [], store: this.store }
  readonly bugs: unknown[] = []
  readonly #shell = {
    clock: { now: () => Date.now() },
    keys: plainKeys,
    rules: DEFAULT_RULES,
    entropy: {
      authorizationNumber: () => String(++this.#drawn).padStart(6, '0'),
      tokenId: () => `id${++this.#drawn}`,
    },
  }
  /** The way to the other authorizer is as bad as `fate` says. */
  fate: () => Fate = () => 'well'
  readonly other = new OtherAuthorizer(() => this.fate(), {
    declined: (cardNumber) => (cardNumber === POOR_CARD ? '51' : undefined),
  })
  readonly #term = { epoch: 1, runId: 'run', generation: this.store.generation }
  #waiting: (() => void)[] = []
  #drawn = 0
  #workers: Rounds[] = []
  #open = new Map<Job, Command | Inquiry>()
  #over = false

  constructor(seed: number) {
    this.random = seeded(seed)
    for (let n = 0; n < WORKERS; n++) this.#workers.push(this.#worker())
    void this.#schedule()
  }

  /** Hands requests to workers in groups, some twice; kills workers on the way; resolves when all are answered. */
  async decide(bodies: readonly (Command | Inquiry)[], kills = 0): Promise<void> {
    for (const body of bodies) {
      this.#give(body)
      if (this.random() < 0.3) this.#give(body)
      if (this.random() < 0.3) await this.#turn()
    }
    for (let left = kills; this.#open.size > 0;) {
      await this.#turn()
      if (left > 0 && this.random() < 0.1) this.#kill(left--)
    }
  }

  stop(): void {
    this.#over = true
    for (const worker of this.#workers) worker.stop()
  }

  #give(body: Command | Inquiry): void {
    const worker = this.#workers[Math.floor(this.random() * WORKERS)] as Rounds
    const job: Job = new Job(
      { body, replyPartition: 0 },
      () => begin(body, this.#shell),
      () => this.#open.delete(job),
    )
    this.#open.set(job, body)
    worker.add(job)
  }

  /** Its jobs are delivered again, to whoever is there. */
  #kill(at: number): void {
    const index = at % WORKERS
    this.#workers[index]?.stop()
    this.#workers[index] = this.#worker()
    const again = [...this.#open.values()]
    this.#open.clear()
    for (const body of again) this.#give(body)
  }

  #worker(): Rounds {
    return new Rounds({
      log: this.#log(),
      store: this.#slow(),
      fence: { open: async () => this.#term, confirm: async () => true, confirmLater: async () => true },
      wire,
      rulesId: 'r',
      maxRound: 5,
      authorizer: this.#authorizer(),
      callRetry: { firstMs: 1, maxMs: 4 },
      shell: this.#shell,
      observer: {
        round: () => undefined,
        decided: () => undefined,
        conflict: () => undefined,
        retried: () => undefined,
        bug: (error) => void this.bugs.push(error),
      },
    })
  }

  #authorizer(): CardAuthorizer {
    const asked = async (call: RemoteCall): Promise<Told> => {
      await this.#turn()
      const told = this.other.ask(call, this.run.events)
      await this.#turn()
      if (this.other.late > 0 && this.random() < 0.3) this.other.arrive()
      return told
    }
    return authorizerThat(asked)
  }

  #slow(): Store {
    const { store } = this
    const slowly = async <T>(call: () => Promise<T>): Promise<T> => {
      await this.#turn()
      if (this.random() < 0.01) throw new StoreError('no answer')
      const result = await call()
      await this.#turn()
      if (this.random() < 0.01) throw new StoreError('the answer was lost')
      return result
    }
    return {
      generation: store.generation,
      runId: store.runId,
      load: (reads) => slowly(() => store.load(reads)),
      commit: (units) => slowly(() => store.commit(units)),
      acknowledge: (acks) => slowly(() => store.acknowledge(acks)),
      counts: (keys) => slowly(() => store.counts(keys)),
      count: (increments) => slowly(() => store.count(increments)),
      stash: (slot, secrets) => store.stash(slot, secrets),
      ping: () => store.ping(),
      close: () => store.close(),
    }
  }

  /** One request at a time for each worker, as the Kafka adapter sends them: what gathers goes together, in its order. */
  #log(): Log {
    let last: Promise<unknown> = Promise.resolve()
    const send = async (records: readonly LogRecord[]): Promise<void> => {
      await this.#turn()
      if (this.random() < 0.02) throw new LogError('not sent')
      for (const record of records) this.#append(record)
      await this.#turn()
      if (this.random() < 0.02) throw new LogError('no answer')
    }
    const publish = (records: readonly LogRecord[]): Promise<void> => {
      const sent = last.then(() => send(records))
      last = sent.catch(() => undefined)
      return sent
    }
    return { publish } as Pick<Log, 'publish'> as Log
  }

  #append({ topic, value, headers }: LogRecord): void {
    if (topic === TOPIC.events) {
      this.run.events.push(wire.decodeEvent(value) as DecisionEvent | RefusalEvent)
      this.run.hashes.push(hashOf(value))
      return
    }
    const reply = wire.decodeReply({ value, headers })
    this.run.replies.push({ inquiry: reply.inquiryId !== '', reply, eventsBefore: this.run.events.length })
  }

  /** Until the schedule lets it go on. */
  #turn(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  async #schedule(): Promise<void> {
    while (!this.#over) {
      const [next] = this.#waiting.splice(Math.floor(this.random() * this.#waiting.length), 1)
      next?.()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

async function prepared(seed: number): Promise<{ cluster: Cluster; tokens: string[] }> {
  const cluster = new Cluster(seed)
  await cluster.decide([commands.registration('r1', { card: CARD, document: HOLDER })])
  await cluster.decide([commands.opening('o1', { document: HOLDER, amount: 450 })])
  await cluster.decide(['g1', 'g2', 'g3', 'g4'].map((consecutive) => commands.generation(consecutive, { card: CARD })))
  await cluster.decide([commands.generation('g5', {})])
  const issued = new Map(cluster.run.replies.flatMap(({ reply }) => (reply.token ? [[reply.scope, reply.token]] : [])))
  return { cluster, tokens: [...issued.values()].map((token) => plainKeys.reveal(token)) }
}

function mixed({ random }: Cluster, tokens: readonly string[]): (Command | Inquiry)[] {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const bodies: (Command | Inquiry)[] = [
    commands.registration('r2', { card: OTHER_CARD, document: HOLDER }),
    commands.credit('c1', { document: HOLDER, amount: 50 }),
  ]
  for (let n = 0; n < 8; n++) {
    const ask = { card: pick([CARD, CARD, OTHER_CARD]), token: pick([...tokens, '999999']), amount: pick([100, 200]) }
    const purchase = commands.spending(`p${n}`, ask)
    bodies.push(purchase)
    if (random() < 0.3) bodies.push(commands.spending(`p${n}`, { ...ask, amount: 1 }))
    if (random() < 0.4) bodies.push(commands.undoing(pick(['REVERSAL', 'VOID']), `p${n}`))
    if (random() < 0.3) bodies.push({ kind: 'INQUIRY', inquiryId: `i${n}`, of: purchase.scope })
  }
  return bodies
}

/** Purchases, charges and refunds of money that is elsewhere, and their undoings; all that they need is there. */
async function remote(cluster: Cluster): Promise<(Command | Inquiry)[]> {
  const { random, store } = cluster
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const bodies: (Command | Inquiry)[] = []
  for (const n of [1, 2, 3]) {
    const card = pick(['4111111111111111', '4111111111111111', POOR_CARD])
    await cluster.decide([commands.generation(`gr${n}`, { card })])
    const issued = cluster.run.replies.findLast(({ reply }) => reply.scope.endsWith(`:gr${n}`))?.reply.token
    if (!issued) throw new Error('a generation gives a token')
    const purchase = remoteSpending(`r${n}`, { card, token: plainKeys.reveal(issued) })
    const tokenized = tokenization(`t${n}`, pick(['4111111111111111', POOR_CARD]))
    await stashFor(store, purchase)
    await stashFor(store, tokenized)
    await cluster.decide([tokenized])
    bodies.push(purchase, charge(`c${n}`, { token: `t${pick([1, n])}`, order: pick([undefined, 'o1']) }))
    if (random() < 0.5) bodies.push(commands.undoing(pick(['REVERSAL', 'VOID']), `r${n}`))
    if (random() < 0.5) bodies.push(refund(`b${n}`, { charge: 'c1', amount: pick([600, 1_000]) }))
  }
  return bodies
}

describe('the rounds of several workers', () => {
  it(`take there exactly what they say here, in ${SEEDS} orders of calls, faults and deaths`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { cluster } = await prepared(seed)
      try {
        const bodies = await remote(cluster)
        cluster.fate = () =>
          cluster.random() < 0.3 ? (FATES[Math.floor(cluster.random() * FATES.length)] as Fate) : 'well'
        await cluster.decide(bodies, 2)
        expect(cluster.bugs).toEqual([])
        await checkRemote(cluster.run, cluster.other)
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}\n${cluster.other.trace.join('\n')}`, {
          cause: error,
        })
      } finally {
        cluster.stop()
      }
    }
  }, 120_000)

  it(`keep every invariant while the store and the log answer in ${SEEDS} orders, fail, and workers die`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { cluster, tokens } = await prepared(seed)
      try {
        await cluster.decide(mixed(cluster, tokens), 2)
        expect(cluster.bugs).toEqual([])
        await checkInvariants(cluster.run)
        expect(fold(cluster.run).size).toBeGreaterThan(0)
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error })
      } finally {
        cluster.stop()
      }
    }
  }, 120_000)
})
