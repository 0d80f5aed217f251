// A small world in which the protocol's own code runs one access at a time, in an order that a seed decides: several
// workers, redelivery, crashes at any point. The log is an array, the store is the memory adapter.

import { createAvroWire } from '../../services/adapters/avro/wire.ts'
import { createMemoryStore, type MemoryStore } from '../../services/adapters/memory/store.ts'
import type { DecisionEvent, RefusalEvent } from '../../services/core/subject/event.ts'
import { DEFAULT_RULES, type Rules } from '../../services/core/subject/rules.ts'
import type { Command, Inquiry } from '../../services/core/transaction/command.ts'
import { scopeKey } from '../../services/core/transaction/scope.ts'
import {
  ContentionError,
  UnansweredError,
  type Operation,
  type ReplyBody,
  type Shell,
} from '../../services/protocol/operations.ts'
import { begin } from '../../services/protocol/run.ts'
import type { Answered as Told } from '../../services/ports/card-authorizer.ts'
import type { SlotRead, SlotView, Unit } from '../../services/ports/store.ts'
import { Job } from '../../services/runtime/worker/job.ts'
import { hashOf } from '../../services/runtime/event-hash.ts'
import { planUnit, withoutSeal } from '../../services/runtime/worker/plan-unit.ts'
import { RoundSlots } from '../../services/runtime/worker/round-slots.ts'
import type { OtherAuthorizer } from './other-authorizer.ts'
import { plainKeys } from './plain-keys.ts'

/** A seeded generator (mulberry32): the same seed, the same run. */
export function seeded(seed: number): () => number {
  let a = seed
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

export interface Answered {
  readonly inquiry: boolean
  readonly reply: ReplyBody
  /** Events that were on the log before the reply. */
  readonly eventsBefore: number
}

/** Rules of the protocol that a test can break on purpose, to see that the invariants notice. */
export type Mistake =
  | 'claims-nothing'
  | 'commits-blindly'
  | 'publishes-own-event-only'
  | 'replies-first'
  | 'forgets-outbox'
  | 'calls-before-pending-is-on-the-log'
  | 'frees-no-order'
  | 'keeps-the-keys'
  | 'forgets-that-undoing-is-wanted'

interface Actor {
  readonly body: Command | Inquiry
  readonly job: Job
  slots: RoundSlots
  /** The answer to its call, on its way. */
  told?: Told
}

/** An actor as a scheduler sees it. */
export type OpenActor = Pick<Actor, 'body' | 'told'> & { readonly waitsFor: Operation['kind'] | 'reply' }

/** Accesses of one run: some hundred are usual. */
const MAX_ACCESSES = 20_000
const wire = createAvroWire()

export class World {
  readonly random: () => number
  readonly store: MemoryStore
  readonly events: (DecisionEvent | RefusalEvent)[] = []
  /** Hash of each event's bytes, by the event's place. */
  readonly hashes: string[] = []
  readonly replies: Answered[] = []
  readonly trace: string[] = []
  readonly shell: Shell
  now = 1_700_000_000_000
  /** Called before each access of `runAll`. */
  onStep: () => void = () => undefined
  readonly other: OtherAuthorizer | undefined
  readonly #mistake: Mistake | undefined
  #drawn = 0
  #actors: Actor[] = []

  constructor(
    seed: number,
    options: { rules?: Partial<Rules>; mistake?: Mistake; other?: OtherAuthorizer; random?: () => number } = {},
  ) {
    this.#mistake = options.mistake
    this.other = options.other
    this.random = options.random ?? seeded(seed)
    this.store = createMemoryStore({ clock: { now: () => this.now } })
    this.shell = {
      clock: { now: () => this.now },
      entropy: {
        authorizationNumber: () => String(++this.#drawn).padStart(6, '0'),
        tokenId: () => `id${++this.#drawn}`,
      },
      keys: plainKeys,
      rules: { ...DEFAULT_RULES, ...options.rules },
    }
  }

  /** One request from beginning to end with nobody else there. */
  async run(body: Command | Inquiry): Promise<ReplyBody> {
    this.#take(body)
    while (this.#actors.length > 0) await this.#step(0)
    return this.replies.at(-1)?.reply as ReplyBody
  }

  /**
   * All requests at once, in an order by the seed. Each is delivered until its offset may be recorded; some once more.
   * `crashes` workers die on the way, each with everything it held.
   */
  async runAll(
    bodies: readonly (Command | Inquiry)[],
    options: { crashes?: number; again?: number } = {},
  ): Promise<void> {
    const waiting = [...bodies]
    let { crashes = 0, again = 0 } = options
    for (let accesses = 0; waiting.length > 0 || this.#actors.length > 0; accesses++) {
      if (accesses > MAX_ACCESSES) throw new Error('this order does not end')
      this.onStep()
      const pick = this.random()
      if (waiting.length > 0 && (this.#actors.length === 0 || pick < 0.2)) {
        this.#take(...waiting.splice(Math.floor(this.random() * waiting.length), 1))
        continue
      }
      const at = Math.floor(this.random() * this.#actors.length)
      if (crashes > 0 && pick > 0.97) {
        crashes--
        const [dead] = this.#actors.splice(at, 1)
        this.trace.push(`crash ${dead?.body.kind}`)
        if (dead) waiting.push(dead.body)
        continue
      }
      const finished = await this.#step(at)
      if (finished && again > 0 && this.random() < 0.3) {
        again--
        waiting.push(finished)
      }
    }
  }

  /** For schedulers of their own: who is there, and one access of one of them. */
  get open(): readonly OpenActor[] {
    return this.#actors.map(({ body, told, job }) => ({ body, told, waitsFor: job.pending?.kind ?? 'reply' }))
  }

  begin(...bodies: (Command | Inquiry)[]): void {
    this.#take(...bodies)
  }

  async step(at: number): Promise<void> {
    await this.#step(at)
  }

  /** Dies with everything it held, and is delivered again. */
  crash(at: number): void {
    const [dead] = this.#actors.splice(at, 1)
    this.trace.push(`crash ${dead?.body.kind}`)
    if (dead) this.#take(dead.body)
  }

  #take(...bodies: (Command | Inquiry)[]): void {
    for (const body of bodies) {
      const job = new Job(
        { body, replyPartition: 0 },
        () => begin(body, this.shell),
        () => undefined,
      )
      this.#actors.push({ body, job, slots: new RoundSlots() })
    }
  }

  /** One access of one actor to the store or the log. */
  async #step(at: number): Promise<Command | Inquiry | null> {
    const actor = this.#actors[at]
    if (!actor) return null
    const { job } = actor
    try {
      if (this.#mistake === 'replies-first' && job.pending?.kind === 'publish') this.#replyEarly(actor)
      if (job.reply) return this.#answer(at, actor)
      switch (job.pending?.kind) {
        case 'load':
          await this.#load(actor)
          break
        case 'commit':
          await this.#commit(actor)
          break
        case 'publish':
          await this.#publish(actor)
          break
        case 'call':
          this.#call(actor)
          break
        case undefined:
          throw new Error('a job waits for something or has a reply')
      }
    } catch (error) {
      if (!(error instanceof ContentionError || error instanceof UnansweredError)) throw error
      job.restart()
      actor.slots = new RoundSlots()
    }
    return null
  }

  /** Two accesses: what it asks for gets there or not, and later the answer comes or not. */
  #call(actor: Actor): void {
    const { job, told } = actor
    if (job.pending?.kind !== 'call') return
    if (!this.other) throw new Error('nothing here asks another authorizer')
    if (!told) {
      actor.told = this.other.ask(job.pending, this.events)
      return this.#note(actor, `${job.pending.call}: ${this.other.trace.at(-1)}`)
    }
    this.#note(actor, `${job.pending.call} answered ${told.kind}`)
    actor.told = undefined
    actor.slots = new RoundSlots()
    job.resume(told)
  }

  async #load(actor: Actor): Promise<void> {
    const { job } = actor
    if (job.pending?.kind !== 'load') return
    const { reads, counters } = actor.slots.missing([job.pending], this.now, this.shell.rules)
    if (reads.length > 0) actor.slots.merge(reads, await this.#read(reads))
    actor.slots.mergeCounts(counters, await this.store.counts(counters))
    const loaded = actor.slots.answer(job.pending)
    if (!loaded) throw new Error('what was read answers the load')
    this.#note(actor, `load ${reads.map((read) => read.slot).join(' ')}`)
    job.resume(loaded)
  }

  async #commit(actor: Actor): Promise<void> {
    const { job } = actor
    if (job.pending?.kind !== 'commit') return
    const { count, decision } = job.pending
    if (this.#mistake === 'frees-no-order' && decision.type === 'order-freed') return job.resume('done')
    if (this.#mistake === 'forgets-that-undoing-is-wanted' && decision.type === 'transaction-decided') {
      const facts = decision.facts.filter(({ kind }) => kind !== 'undo-wanted')
      Object.assign(job.pending, { decision: { ...decision, facts } })
    }
    const unit = planUnit(job.pending, actor.slots, {
      wire,
      rules: this.shell.rules,
      rulesId: 'r',
      term: { epoch: 1, runId: 'run', generation: this.store.generation },
    })
    if (this.#mistake === 'keeps-the-keys') {
      const writes = unit.writes.filter(({ name }) => !/^(cardkey|securitycode):/.test(name))
      Object.assign(unit, { writes })
    }
    const [result] = await this.store.commit([this.#mistake === 'commits-blindly' ? await this.#blind(unit) : unit])
    actor.slots.settle()
    if (result === 'conflict') actor.slots.forget(unit.slot)
    else if (count) await this.store.count([{ ...count, by: 1 }])
    this.#note(actor, `commit ${unit.slot} v${unit.event.version} ${result}`)
    job.resume(result === 'committed' ? 'done' : 'conflict')
  }

  async #read(reads: readonly SlotRead[]): Promise<readonly SlotView[]> {
    if (this.#mistake !== 'claims-nothing') return this.store.load(reads)
    const views = await this.store.load(reads.map(({ slot, names }) => ({ slot, names })))
    return views.map((view, i) => {
      const value = reads[i]?.claim?.value
      return value ? { ...view, entries: new Map(view.entries).set('claim', view.entries.get('claim') ?? value) } : view
    })
  }

  async #blind(unit: Unit): Promise<Unit> {
    const [view] = await this.store.load([{ slot: unit.slot, names: [] }])
    return { ...unit, expectedTag: view?.tag ?? '', absent: [] }
  }

  async #publish(actor: Actor): Promise<void> {
    const { job } = actor
    if (job.pending?.kind !== 'publish') return
    const { outboxes, refusal } = job.pending
    const pending = outboxes.map(({ slot, version }) => ({ slot, events: actor.slots.pending(slot, version) }))
    if (pending.some(({ events }) => events === null)) return job.resume('conflict')
    const last = pending.at(-1)?.events?.at(-1)
    const isPending = last !== undefined && wire.decodeEvent(last.event).type === 'transaction-pending'
    if (isPending && this.#mistake === 'calls-before-pending-is-on-the-log') {
      actor.slots = new RoundSlots()
      return job.resume('done')
    }
    for (const { slot, events } of pending) {
      const own = this.#mistake === 'publishes-own-event-only' ? (events ?? []).slice(-1) : (events ?? [])
      if (this.#mistake !== 'forgets-outbox' || this.random() < 0.9) for (const { event } of own) this.#append(event)
      // An acknowledgement can be lost: then the events are published again, equal.
      const lost = this.random() < 0.2
      if (!lost) await this.store.acknowledge([{ slot, versions: (events ?? []).map(({ version }) => version) }])
    }
    if (refusal) {
      const { value } = wire.encodeEvent({
        ...refusal,
        command: withoutSeal(refusal.command),
        id: 'x',
        epoch: 1,
        runId: 'run',
      })
      this.#append(value)
    }
    this.#note(
      actor,
      `publish ${pending.map(({ slot, events }) => `${slot} v${(events ?? []).map(({ version }) => version)}`).join(' ')}`,
    )
    actor.slots = new RoundSlots()
    job.resume('done')
  }

  #append(value: Uint8Array): void {
    this.events.push(wire.decodeEvent(value) as DecisionEvent | RefusalEvent)
    this.hashes.push(hashOf(value))
  }

  #replyEarly(actor: Actor): void {
    const { body } = actor
    if (body.kind === 'INQUIRY') return
    const scope = scopeKey(body.scope)
    const reply: ReplyBody = {
      scope,
      fingerprint: body.fingerprint,
      inquiryId: '',
      found: true,
      responseCode: '00',
      tokenShown: false,
    }
    this.replies.push({ inquiry: false, reply, eventsBefore: this.events.length })
  }

  #answer(at: number, actor: Actor): Command | Inquiry {
    const { reply } = actor.job
    if (!reply) throw new Error('no reply')
    this.replies.push({ inquiry: actor.body.kind === 'INQUIRY', reply, eventsBefore: this.events.length })
    this.#note(actor, `reply ${reply.responseCode ?? 'not found'}`)
    this.#actors.splice(at, 1)
    return actor.body
  }

  #note(actor: Actor, what: string): void {
    const name = actor.body.kind === 'INQUIRY' ? actor.body.inquiryId : actor.body.scope.consecutive
    this.trace.push(`${actor.body.kind} ${name}: ${what}`)
  }
}
