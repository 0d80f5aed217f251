// Workers as they are, with their recoveries, on a store that loses what it had: every access to the store, the log and
// the other authorizer waits for its turn, in an order that a seed decides. Time is the test's (fake timers); it passes
// when nobody has anything else to do, and a little now and then.

import { vi, type MockInstance } from 'vitest'
import { createAvroWire } from '../../../services/adapters/avro/wire.ts'
import { createMemoryLog, type MemoryLog } from '../../../services/adapters/memory/log.ts'
import { createMemoryStore, type MemorySnapshot } from '../../../services/adapters/memory/store.ts'
import { Barriers } from '../../../services/core/subject/epochs.ts'
import type { DecisionEvent, RefusalEvent } from '../../../services/core/subject/event.ts'
import { DEFAULT_RULES } from '../../../services/core/subject/rules.ts'
import type { Command, Inquiry, Request } from '../../../services/core/transaction/command.ts'
import type { Reply } from '../../../services/core/transaction/reply.ts'
import { scopeKey } from '../../../services/core/transaction/scope.ts'
import { replyIn } from '../../../services/ingress/replies/decode.ts'
import type { CardAuthorizer } from '../../../services/ports/card-authorizer.ts'
import type { RemoteCall } from '../../../services/protocol/operations.ts'
import { TOPIC, TOPICS } from '../../../services/runtime/topics.ts'
import { hashOf } from '../../../services/runtime/event-hash.ts'
import { startWorker } from '../../../services/runtime/worker/worker.ts'
import type { Run } from '../../protocol/invariants.ts'
import { authorizerThat, OtherAuthorizer, type Fate } from '../../protocol/other-authorizer.ts'
import { plainKeys } from '../../protocol/plain-keys.ts'
import { seeded } from '../../protocol/world.ts'
import { Connection } from './connection.ts'
import { mistakenLog, mistakenWire, type Mistake } from './mistakes.ts'

export type Loss = 'wipe' | 'flush' | 'rewind' | 'restart' | 'cut'
export const LOSSES: readonly Loss[] = ['wipe', 'flush', 'rewind', 'restart', 'cut']

const WORKERS = 3
const BEGIN = 1_700_000_000_000
/** Of the test's time: a seizure of somebody who died is over after 15 seconds. */
const ANSWERED_WITHIN_MS = 120_000
/** Declined by the other authorizer. */
export const POOR_CARD = '4444444444444448'
/** How much slower than others a worker may be for a while, and for how many turns. */
const SLOWEST = 0.02
const MAX_WHILE_TURNS = 100
/** Event loop rounds that a record takes to its readers. */
const DELIVERY_STEPS = 6
/** What a recovery does, after which it may be stalled. */
const RECOVERY_STEP = /^(suspend|admit|restore|advance|acknowledged epochs|acknowledged \S+ \d+\.memory)/
const MAX_HELD_TURNS = 300
/** Looks at workers that have nothing to do, before they are believed. */
const IDLE_LOOKS = 5
const FILLER = 'filler'
const FILLER_RECORDS = 1_100
/** Partition of the events of the holder and the terminal. */
const FILLED = 2

interface Turn {
  readonly worker: number
  readonly what: string
  resolve(): void
}

interface Instance {
  readonly log: MemoryLog
  readonly store: Connection
}

const none = () => undefined

export class LossyWorld {
  readonly random: () => number
  readonly pick = <T>(items: readonly T[]): T => items[Math.floor(this.random() * items.length)] as T
  readonly clock = { now: () => Date.now() }
  readonly log = createMemoryLog({ topics: TOPICS })
  readonly store = createMemoryStore({ clock: this.clock })
  readonly wire = createAvroWire()
  readonly bugs: unknown[] = []
  readonly trace: string[] = []
  readonly replies: Reply[] = []
  /** What the way to the other authorizer does. */
  fate: () => Fate = () => 'well'
  readonly other: OtherAuthorizer
  readonly #mistake: Mistake | undefined
  readonly #asked: Command[] = []
  /** Named by their places in the log: readable hashes are none that a request's shape allows. */
  readonly #requests: Request[] = []
  readonly #latest = { epoch: '' }
  #instances: Instance[] = []
  #waiting: Turn[] = []
  readonly #asleep = new Set<number>()
  #speeds: number[] = []
  /** How often a recovery is stalled at a step, and how often a loss overtakes what is being published. */
  readonly #stalls: number
  readonly #holds: number
  #draws: MockInstance | undefined
  #inFlight = Array.from({ length: WORKERS }, () => 0)
  #hurried = false
  #turns = 0
  #whileUntil = 0
  #late = 1
  #drawn = 0
  #over = false
  #running: Promise<void> = Promise.resolve()

  private constructor(seed: number, mistake?: Mistake) {
    this.random = seeded(seed)
    this.#mistake = mistake
    this.other = new OtherAuthorizer(() => this.fate(), {
      declined: (cardNumber) => (cardNumber === POOR_CARD ? '51' : undefined),
      mistake: mistake === 'asks-again-instead-of-inquiring' ? mistake : undefined,
    })
    this.#stalls = this.random() < 0.5 ? 0 : 0.1
    this.#holds = this.random() < 0.5 ? 0 : 0.6
  }

  /** Takes the clock and the timers until `stop`. */
  static async start(seed: number, mistake?: Mistake): Promise<LossyWorld> {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'], now: BEGIN })
    const world = new LossyWorld(seed, mistake)
    world.#draws = vi.spyOn(Math, 'random').mockImplementation(world.random)
    const barriers = new Barriers()
    await world.log.follow({
      topic: TOPIC.replies,
      partition: 0,
      from: 'beginning',
      onRecords: (records) => {
        for (const record of records) {
          const reply = replyIn(record, world.wire, barriers)
          if (typeof reply !== 'string') world.replies.push(reply)
        }
      },
    })
    for (let n = 0; n < WORKERS; n++) world.#instances.push(world.#instance(n))
    world.#running = world.#schedule()
    return world
  }

  async stop(): Promise<void> {
    this.#over = true
    await this.#running
    for (const { log } of this.#instances) log.crash()
    vi.useRealTimers()
    this.#draws?.mockRestore()
  }

  /** Publishes requests as an ingress does. */
  async ask(...bodies: readonly (Command | Inquiry)[]): Promise<void> {
    for (const body of bodies) {
      if (body.kind !== 'INQUIRY') this.#asked.push(body)
      const value = Buffer.from(`${this.#requests.push({ body, replyPartition: 0 }) - 1}`)
      await this.log.publish([{ topic: TOPIC.purchaseRequests, key: `${this.random()}`, value, headers: {} }])
    }
  }

  /** @throws Error when a request that was asked has no valid reply in time. */
  async answered(): Promise<void> {
    const deadline = Date.now() + ANSWERED_WITHIN_MS
    for (;;) {
      if (this.bugs.length > 0) throw this.bugs[0]
      const replied = new Set(this.replies.map(({ scope, fingerprint }) => `${scope} ${fingerprint}`))
      const open = this.#asked.filter(({ scope, fingerprint }) => !replied.has(`${scopeKey(scope)} ${fingerprint}`))
      if (open.length === 0) return
      if (Date.now() > deadline) throw new Error(`${open.length} requests have no valid reply`)
      await this.turns(20)
    }
  }

  /** Resolves when everything has arrived, also what was delivered twice. @throws Error when that takes too long. */
  async quiet(): Promise<void> {
    const deadline = Date.now() + ANSWERED_WITHIN_MS
    this.#hurried = true
    await this.answered()
    for (let idle = 0; idle < IDLE_LOOKS; idle++) {
      await this.turns(20)
      if (this.#inFlight.some((count) => count > 0)) idle = 0
      if (Date.now() > deadline) throw new Error('this does not come to rest')
    }
    this.#hurried = false
  }

  /** One request from beginning to end; its reply. */
  async run(body: Command): Promise<Reply> {
    await this.ask(body)
    await this.answered()
    return this.replies.findLast(({ scope }) => scope === scopeKey(body.scope)) as Reply
  }

  /** So many accesses later. */
  async turns(count: number): Promise<void> {
    const until = this.#turns + count
    while (this.#turns < until) await immediate()
  }

  lose(loss: Loss, snapshot: MemorySnapshot): void {
    this.trace.push(`THE STORE: ${loss}`)
    if (this.random() < this.#holds) {
      this.#whileUntil = this.#turns + MAX_HELD_TURNS
      this.#speeds = []
      this.#late = SLOWEST
    }
    if (this.#mistake === 'notes-positions-before-their-events-are-applied') this.#fill()
    if (loss === 'rewind') this.store.rewind(snapshot)
    else if (loss === 'cut') for (const { store } of this.#instances) store.cut()
    else this.store[loss]()
  }

  /** Puts the worker to sleep that is about to do this. The result wakes it. Nobody sleeps if nobody does it soon. */
  async sleeper(what: RegExp): Promise<() => void> {
    for (let looked = 0; looked < MAX_HELD_TURNS; looked++) {
      const found = this.#waiting.find((turn) => what.test(turn.what))
      if (found) {
        this.trace.push(`worker ${found.worker} SLEEPS`)
        this.#asleep.add(found.worker)
        return () => void this.#asleep.delete(found.worker)
      }
      await this.turns(1)
    }
    return none
  }

  /** Resolves when a term was admitted after this call, or after a while. */
  async admitted(): Promise<void> {
    const from = this.trace.length
    for (let looked = 0; looked < MAX_HELD_TURNS; looked++) {
      if (this.trace.slice(from).some((line) => /^\d admit .* answered$/.test(line))) return
      await this.turns(1)
    }
  }

  /** One of them dies with everything it held, and another one comes. */
  kill(): void {
    const n = Math.floor(this.random() * WORKERS)
    this.trace.push(`worker ${n} DIES`)
    this.#instances[n]?.log.crash()
    this.#inFlight[n] = 0
    this.#asleep.delete(n)
    this.#waiting = this.#waiting.filter(({ worker }) => worker !== n)
    this.#instances[n] = this.#instance(n)
  }

  /** What every reader takes for valid. */
  async left(): Promise<Run> {
    const { events, hashes } = await this.#validEvents()
    const replies = this.replies.map((reply) => ({
      inquiry: reply.inquiryId !== '',
      reply,
      eventsBefore: events.length,
    }))
    return { events, hashes, replies, store: this.store }
  }

  /** More records than a catch-up reads again before the position that it finds noted. */
  #fill(): void {
    for (let n = 0; n < FILLER_RECORDS; n++) this.log.inject(TOPIC.events, FILLED, { key: FILLER })
  }

  async #validEvents(): Promise<Pick<Run, 'events' | 'hashes'>> {
    const valid: Pick<Run, 'events' | 'hashes'> = { events: [], hashes: [] }
    const barriers = new Barriers()
    for (let partition = 0; partition < (await this.log.partitions(TOPIC.events)); partition++) {
      for await (const record of this.log.read(TOPIC.events, partition)) {
        if (barriers.judge(record) !== 'valid' || record.key === FILLER) continue
        const event = this.wire.decodeEvent(record.value)
        if (event.type === 'rules-published') continue
        valid.events.push(event as DecisionEvent | RefusalEvent)
        valid.hashes.push(hashOf(record.value ?? new Uint8Array()))
      }
    }
    return valid
  }

  #instance(n: number): Instance {
    const turn = (what: string) => this.#turn(n, what)
    const log = this.log.client()
    const mistake = this.#mistake ? { mistake: this.#mistake } : {}
    const store = new Connection({
      base: this.store,
      turn,
      commitsWhatItHad: this.#mistake === 'commits-what-was-loaded-before-the-loss',
      leavesSecrets: this.#mistake === 'leaves-keys-that-came-back',
    })
    const owner = () => store.owner
    const seams = { base: this.store, wire: this.wire, turn, latest: this.#latest, owner, ...mistake }
    startWorker({
      log: mistakenLog(log, seams),
      store,
      wire: {
        ...mistakenWire(this.wire, this.#mistake),
        decodeRequest: ({ value }) => this.#requests[Number(Buffer.from(value ?? []).toString())] as Request,
      },
      shell: {
        clock: this.clock,
        keys: plainKeys,
        rules: DEFAULT_RULES,
        entropy: {
          authorizationNumber: () => String(++this.#drawn).padStart(6, '0'),
          tokenId: () => `id${++this.#drawn}`,
        },
      },
      observer: {
        round: none,
        decided: none,
        conflict: none,
        retried: none,
        deadLetter: none,
        inFlight: (count) => void (this.#inFlight[n] = count),
        bug: (error) => void this.bugs.push(error),
      },
      group: 'authorizer',
      topic: TOPIC.purchaseRequests,
      maxRound: 5,
      maxInFlight: 100,
      authorizer: this.#authorizer(turn),
      callRetry: { firstMs: 1, maxMs: 4 },
    }).catch((error: unknown) => void this.bugs.push(error))
    return { log, store }
  }

  #authorizer(turn: (what: string) => Promise<void>): CardAuthorizer {
    const asked = async (call: RemoteCall) => {
      await turn(call.call)
      const { events } = await this.#validEvents()
      const told = this.other.ask(call, events)
      this.trace.push(`  ${this.other.trace.at(-1)}: ${told.kind}`)
      await turn(`${call.call} answered`)
      if (this.other.late > 0 && this.random() < 0.3) this.other.arrive()
      return told
    }
    return authorizerThat(asked)
  }

  #turn(worker: number, what: string): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ worker, what, resolve }))
  }

  /** Events and replies are late for all workers at times: then a loss and its barriers overtake them. */
  #speed({ worker, what }: Turn): number {
    if (this.#hurried) return 1
    return (
      (this.#speeds[worker] ?? 1) *
      (what.startsWith('publish authorization.events') || what.startsWith('publish replies') ? this.#late : 1)
    )
  }

  #awake(): readonly Turn[] {
    return this.#asleep.size === 0 ? this.#waiting : this.#waiting.filter(({ worker }) => !this.#asleep.has(worker))
  }

  /** In the middle of its recovery it is slow, and all others go on. */
  #stall(worker: number): void {
    this.#whileUntil = this.#turns + Math.floor(this.random() * MAX_WHILE_TURNS)
    this.#speeds = Array.from({ length: WORKERS }, (_, n) => (n === worker ? SLOWEST : 1))
    this.#late = 1
  }

  async #schedule(): Promise<void> {
    while (!this.#over) {
      if (this.#turns++ >= this.#whileUntil) {
        this.#whileUntil = this.#turns + Math.floor(this.random() * MAX_WHILE_TURNS)
        this.#speeds = Array.from({ length: WORKERS }, () => (this.random() < 0.4 ? SLOWEST : 1))
        this.#late = this.random() < 0.7 ? SLOWEST : 1
      }
      const awake = this.#awake()
      const next = awake[Math.floor(this.random() * awake.length)]
      if (!next) {
        // What the log in memory has to deliver comes first.
        for (let n = 0; n < DELIVERY_STEPS && this.#awake().length === 0; n++) await immediate()
        if (this.#awake().length === 0) vi.advanceTimersToNextTimer()
      } else if (this.random() < 0.03) vi.advanceTimersByTime(Math.floor(this.random() * 20))
      else if (this.random() < this.#speed(next)) {
        this.#waiting.splice(this.#waiting.indexOf(next), 1)
        this.trace.push(`${next.worker} ${next.what}`)
        if (RECOVERY_STEP.test(next.what) && this.random() < this.#stalls) this.#stall(next.worker)
        next.resolve()
      }
      await immediate()
    }
  }
}

function immediate(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
