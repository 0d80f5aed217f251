// Rounds: many transactions at once through load, decide and commit, one round trip to the store for each step of all of
// them. While the events of one round wait for the log, the next round decides.

import {
  ContentionError,
  UnansweredError,
  type CallOperation,
  type CommitOperation,
  type LoadOperation,
  type PublishOperation,
  type Shell,
} from '../../protocol/operations.ts'
import type { CardAuthorizer } from '../../ports/card-authorizer.ts'
import { LogError, type Log } from '../../ports/log.ts'
import { StoreError, type Store, type Unit } from '../../ports/store.ts'
import type { Wire } from '../../ports/wire.ts'
import { FIRST_EPOCH } from '../../core/subject/epochs.ts'
import { scopeKey } from '../../core/transaction/scope.ts'
import { TOPIC } from '../topics.ts'
import { EventLog } from './event-log.ts'
import type { Job } from './job.ts'
import { hashOf, planUnit, withoutSeal } from './plan-unit.ts'
import { DEFAULT_MAX_OPEN, NO_AUTHORIZER, RemoteCalls } from './remote-calls.ts'
import { RoundSlots } from './round-slots.ts'

/** Waits before a transaction that met a fault begins again. */
const RETRY_MIN_MS = 50
const RETRY_MAX_MS = 1_000

/** What a transaction met before it began again. */
export const RETRY_REASONS = ['store', 'log', 'contention', 'authorizer'] as const
export type RetryReason = (typeof RETRY_REASONS)[number]

export interface RoundsObserver {
  round(transactions: number, seconds: number): void
  decided(transactionCode: string, responseCode: string): void
  conflict(): void
  retried(reason: RetryReason): void
  /** A mistake in the program: the process must stop, offsets stay. */
  bug(error: unknown): void
}

export interface RoundsDeps {
  readonly log: Log
  readonly store: Store
  readonly wire: Wire
  readonly shell: Shell
  readonly rulesId: string
  readonly maxRound: number
  /** Asked for cards whose funds are elsewhere. Absent: there is none, and what needs one is declined. */
  readonly authorizer?: CardAuthorizer
  /** Transactions open there at one time. */
  readonly maxOpenCalls?: number
  readonly observer: RoundsObserver
}

interface PlannedUnit {
  readonly job: Job
  readonly operation: CommitOperation
  readonly unit: Unit
}

export class Rounds {
  readonly #deps: RoundsDeps
  readonly #events: EventLog
  readonly #calls: RemoteCalls
  #ready: Job[] = []
  #running = false
  #stopped = false
  #retryTimers = new Set<NodeJS.Timeout>()
  #onTaken: (() => void)[] = []

  constructor(deps: RoundsDeps) {
    this.#deps = deps
    this.#events = new EventLog(deps.log, deps.store, deps.wire)
    this.#calls = new RemoteCalls(deps.authorizer ?? NO_AUTHORIZER, deps.maxOpenCalls ?? DEFAULT_MAX_OPEN)
  }

  /** Take a job up. It ends with `job.finish`, after its reply is on the log. Callers bound how many are in flight. */
  add(job: Job): void {
    this.#ready.push(job)
    if (this.#running || this.#stopped) return
    this.#running = true
    setImmediate(() => void this.#run())
  }

  /**
   * Resolves when every job so far is in a round. Whoever reads for the next round waits for it: records gather in the
   * log meanwhile, and come together.
   */
  async taken(): Promise<void> {
    if (this.#ready.length > 0 && !this.#stopped) await new Promise<void>((resolve) => this.#onTaken.push(resolve))
  }

  /** Begin no further round. Jobs that are not finished keep their offsets and are delivered again. */
  stop(): void {
    this.#stopped = true
    for (const timer of this.#retryTimers) clearTimeout(timer)
    this.#tellTaken()
  }

  async #run(): Promise<void> {
    try {
      while (this.#ready.length > 0 && !this.#stopped) {
        const jobs = this.#ready.splice(0, this.#deps.maxRound)
        if (this.#ready.length === 0) this.#tellTaken()
        const started = performance.now()
        await this.#round(jobs)
        this.#deps.observer.round(jobs.length, (performance.now() - started) / 1_000)
      }
    } catch (error) {
      this.#deps.observer.bug(error)
    } finally {
      this.#running = false
    }
  }

  #tellTaken(): void {
    for (const resolve of this.#onTaken.splice(0)) resolve()
  }

  async #round(jobs: readonly Job[]): Promise<void> {
    const slots = new RoundSlots()
    const { generation } = this.#deps.store
    let active = jobs
    while (active.length > 0) {
      try {
        active = await this.#wave(active, slots, generation)
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
        for (const job of active) this.#retry(job, 'store')
        return
      }
      if (this.#deps.store.generation !== generation) {
        for (const job of active) this.#retry(job, 'store')
        return
      }
    }
  }

  /** One step of all: read what is missing, decide, commit. Returns those that go on in this round. */
  async #wave(active: readonly Job[], slots: RoundSlots, generation: number): Promise<Job[]> {
    await this.#load(active, slots)
    const planned: PlannedUnit[] = []
    const publishing: Job[] = []
    const next: Job[] = []
    for (const job of active) {
      if (!this.#guarded(job, () => this.#decide(job, slots))) continue
      if (job.pending?.kind === 'commit') planned.push(this.#plan(job, job.pending, slots, generation))
      else if (job.pending?.kind === 'load') next.push(job)
      else publishing.push(job)
    }
    await this.#commit(planned, slots, next)
    slots.settle()
    // Under another connection nothing of this round may be published: the caller begins all of it again.
    if (this.#deps.store.generation !== generation) return [...next, ...publishing]
    for (const job of publishing) this.#publish(job, slots, next)
    return next
  }

  async #load(active: readonly Job[], slots: RoundSlots): Promise<void> {
    const { store, shell } = this.#deps
    const loads = active
      .map((job) => job.pending)
      .filter((pending): pending is LoadOperation => pending?.kind === 'load')
    const { reads, counters } = slots.missing(loads, shell.clock.now(), shell.rules)
    const [views, counts] = await Promise.all([
      reads.length > 0 ? store.load(reads) : [],
      counters.length > 0 ? store.counts(counters) : [],
    ])
    slots.merge(reads, views)
    slots.mergeCounts(counters, counts)
  }

  /** Let a job go on as far as what is loaded takes it. */
  #decide(job: Job, slots: RoundSlots): void {
    while (job.pending?.kind === 'load') {
      const loaded = slots.answer(job.pending)
      if (!loaded) return
      job.resume(loaded)
    }
  }

  #plan(job: Job, operation: CommitOperation, slots: RoundSlots, generation: number): PlannedUnit {
    const { wire, shell, rulesId, store } = this.#deps
    const { traceparent } = job.request
    const unit = planUnit(operation, slots, {
      wire,
      rules: shell.rules,
      rulesId,
      runId: store.runId,
      generation,
      traceparent,
    })
    if (operation.count) slots.addCount(operation.count.key)
    return { job, operation, unit }
  }

  async #commit(planned: readonly PlannedUnit[], slots: RoundSlots, next: Job[]): Promise<void> {
    if (planned.length === 0) return
    const { store, observer } = this.#deps
    const results = await store.commit(planned.map(({ unit }) => unit))
    const increments: { key: string; by: number; expiresAt: number }[] = []
    planned.forEach(({ job, operation, unit }, i) => {
      if (results[i] === 'committed') {
        if (operation.count) increments.push({ ...operation.count, by: 1 })
        if (operation.decision.responseCode) observer.decided(operation.command.kind, operation.decision.responseCode)
      } else {
        observer.conflict()
        slots.forget(unit.slot)
      }
      const answer = results[i] === 'committed' ? 'done' : 'conflict'
      if (this.#guarded(job, () => job.resume(answer))) next.push(job)
    })
    if (increments.length > 0) await store.count(increments)
  }

  /** Publish or call, or reply when there is nothing left to do. The round does not wait for it. */
  #publish(job: Job, slots: RoundSlots, next: Job[]): void {
    const { pending } = job
    if (pending?.kind === 'call') return void this.#call(job, pending)
    if (pending?.kind !== 'publish') {
      if (job.reply) void this.#reply(job)
      return
    }
    const outboxes = pending.outboxes.map(({ slot, version }) => ({ slot, events: slots.pending(slot, version) }))
    if (outboxes.some(({ events }) => events === null)) {
      if (this.#guarded(job, () => job.resume('conflict'))) next.push(job)
      return
    }
    const sent = outboxes.map(({ slot, events }) => this.#events.publish(slot, events ?? []))
    if (pending.refusal) sent.push(this.#publishRefusal(job, pending.refusal))
    void this.#afterPublication(job, Promise.all(sent))
  }

  async #call(job: Job, operation: CallOperation): Promise<void> {
    try {
      const answer = await this.#calls.run(job, operation)
      if (this.#guarded(job, () => job.resume(answer))) this.add(job)
    } catch (error) {
      this.#deps.observer.bug(error)
    }
  }

  async #afterPublication(job: Job, sent: Promise<unknown>): Promise<void> {
    try {
      await sent
    } catch (error) {
      if (!(error instanceof LogError)) return this.#deps.observer.bug(error)
      return this.#retry(job, 'log')
    }
    if (!this.#guarded(job, () => job.resume('done'))) return
    if (job.reply) return this.#reply(job)
    if (job.pending?.kind === 'call') return this.#call(job, job.pending)
    this.add(job)
  }

  async #publishRefusal(job: Job, refusal: NonNullable<PublishOperation['refusal']>): Promise<void> {
    const { wire, store } = this.#deps
    const scope = scopeKey(refusal.command.scope)
    const id = hashOf(Buffer.from(`${scope}\0${refusal.command.fingerprint}`))
    const { value, headers } = wire.encodeEvent({
      ...refusal,
      command: withoutSeal(refusal.command),
      id,
      epoch: FIRST_EPOCH,
      runId: store.runId,
      traceparent: job.request.traceparent,
    })
    await this.#events.publishLoose(scope, value, headers)
    this.#deps.observer.decided(refusal.command.kind, '94')
  }

  async #reply(job: Job): Promise<void> {
    const { log, wire, store } = this.#deps
    if (!job.reply) throw new Error('a job without a reply')
    const { value, headers } = wire.encodeReply(
      { ...job.reply, epoch: FIRST_EPOCH, runId: store.runId },
      job.request.traceparent,
    )
    try {
      await log.publish([
        { topic: TOPIC.replies, key: job.reply.scope, partition: job.request.replyPartition, value, headers },
      ])
    } catch (error) {
      if (!(error instanceof LogError)) return this.#deps.observer.bug(error)
      return this.#retry(job, 'log')
    }
    this.#calls.close(job)
    job.finish()
  }

  /** Run a step of a job; one that lost too many races begins again later. @returns whether it goes on now. */
  #guarded(job: Job, step: () => void): boolean {
    try {
      step()
      return true
    } catch (error) {
      if (error instanceof UnansweredError) this.#retry(job, 'authorizer')
      else if (error instanceof ContentionError) this.#retry(job, 'contention')
      else throw error
      return false
    }
  }

  #retry(job: Job, reason: RetryReason): void {
    if (this.#stopped) return
    this.#deps.observer.retried(reason)
    const delayMs = Math.min(RETRY_MIN_MS * 2 ** Math.min(job.restarts, 10), RETRY_MAX_MS)
    job.restart()
    const timer = setTimeout(() => {
      this.#retryTimers.delete(timer)
      this.add(job)
    }, delayMs)
    this.#retryTimers.add(timer)
  }
}
