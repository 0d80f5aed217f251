// Rounds: many transactions at once through load, decide and commit, one round trip to the store for each step of all of
// them. While the events of one round wait for the log, the next round decides.

import {
  ContentionError,
  UnansweredError,
  type CallOperation,
  type CommitOperation,
  type LoadOperation,
  type Shell,
} from '../../protocol/operations.ts'
import type { CardAuthorizer } from '../../ports/card-authorizer.ts'
import type { NotAsked } from '../../core/transaction/authorizer-answer.ts'
import { backoffMs } from '../backoff.ts'
import { LogError, type Log } from '../../ports/log.ts'
import { StoreError, type Store, type Unit } from '../../ports/store.ts'
import type { Wire } from '../../ports/wire.ts'
import { scopeKey } from '../../core/transaction/scope.ts'
import type { Fence, Term } from '../recovery/recovery.ts'
import { Askers } from './askers.ts'
import { isSameRequest, type Job } from './job.ts'
import { planUnit } from './plan-unit.ts'
import { Publications } from './publications.ts'
import { RemoteCalls } from './remote-calls.ts'
import { RoundSlots } from './round-slots.ts'
import type { RetryReason, RoundsObserver } from './rounds-observer.ts'

/** Waits before a transaction that met a fault begins again. */
const RETRY = { minMs: 50, maxMs: 1_000 } as const
/** Waits between attempts to settle what another authorizer was asked, if nothing else is configured. */
export const DEFAULT_CALL_RETRY = { firstMs: 500, maxMs: 30_000 } as const
/** How long it is tried before the request goes back to its topic, so that the offsets before it can be recorded. */
const PUT_BACK_AFTER_MS = 60_000

export interface RoundsDeps {
  readonly log: Log
  readonly store: Store
  readonly wire: Wire
  readonly shell: Shell
  readonly fence: Fence
  readonly rulesId: string
  readonly maxRound: number
  /** Asked for cards whose funds are elsewhere. Absent: there is none, and what needs one is declined. */
  readonly authorizer?: CardAuthorizer
  /** Transactions open there at one time. */
  readonly maxOpenCalls?: number
  /** Waits between attempts to settle, half of each drawn at random. */
  readonly callRetry?: { readonly firstMs: number; readonly maxMs: number }
  readonly putBackAfterMs?: number
  readonly observer: RoundsObserver
}

interface PlannedUnit {
  readonly job: Job
  readonly operation: CommitOperation
  readonly unit: Unit
}

export class Rounds {
  readonly #deps: RoundsDeps
  readonly #publications: Publications
  readonly #calls: RemoteCalls
  readonly #askers = new Askers()
  #ready: Job[] = []
  #running = false
  #stopped = false
  #retryTimers = new Set<NodeJS.Timeout>()
  readonly #idle = new Set<Job>()
  #onTaken: (() => void)[] = []

  constructor(deps: RoundsDeps) {
    this.#deps = deps
    const { authorizer, maxOpenCalls: maxOpen, observer } = deps
    this.#calls = new RemoteCalls({ authorizer, maxOpen, observer })
    this.#publications = new Publications(deps, {
      goOn: (job, step) => this.#guarded(job, step),
      isAwaited: (job) => this.#calls.isAway(job),
      again: (job) => this.add(job),
      call: (job, operation, term) => void this.#call(job, operation, term),
      retry: (job, reason) => this.#retry(job, reason),
      finish: (job) => this.#finish(job),
    })
  }

  /** Why nothing new can be asked of another authorizer. */
  unaskable(): NotAsked | undefined {
    return this.#calls.unaskable()
  }

  /** Transactions that have asked another authorizer, and are bounded of their own. */
  get away(): number {
    return this.#calls.away
  }

  /** Too many of them: nothing more should be taken up. */
  get awayFull(): boolean {
    return this.#calls.full
  }

  /** Of those, the ones that only wait to ask again: nothing is lost when they are dropped. */
  get idle(): number {
    return this.#idle.size
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
        const term = await this.#deps.fence.open()
        if (this.#stopped) return
        const jobs = this.#ready.splice(0, this.#deps.maxRound)
        if (this.#ready.length === 0) this.#tellTaken()
        const started = performance.now()
        await this.#round(jobs, term)
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

  async #round(jobs: readonly Job[], term: Term): Promise<void> {
    const slots = new RoundSlots()
    for (const job of jobs) job.enter(term)
    let active = jobs
    while (active.length > 0) {
      try {
        active = await this.#wave(active, slots, term)
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
        for (const job of active) this.#retry(job, 'store')
        return
      }
      if (this.#isOver(term)) {
        for (const job of active) this.#retry(job, 'store')
        return
      }
    }
  }

  /** One step of all: read what is missing, decide, commit. Returns those that go on in this round. */
  async #wave(active: readonly Job[], slots: RoundSlots, term: Term): Promise<Job[]> {
    await this.#load(active, slots)
    const planned: PlannedUnit[] = []
    const publishing: Job[] = []
    const next: Job[] = []
    for (const job of active) {
      if (!this.#guarded(job, () => this.#decide(job, slots))) continue
      if (job.pending?.kind === 'commit') planned.push(this.#plan(job, job.pending, slots, term))
      else if (job.pending?.kind === 'load') next.push(job)
      else publishing.push(job)
    }
    await this.#commit(planned, slots, next)
    slots.settle()
    // Under another connection nothing of this round may be published: the caller begins all of it again.
    if (this.#isOver(term)) return [...next, ...publishing]
    next.push(...this.#publications.publish(publishing, slots, term))
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

  #plan(job: Job, operation: CommitOperation, slots: RoundSlots, term: Term): PlannedUnit {
    const { wire, shell, rulesId } = this.#deps
    const { traceparent } = job.request
    const unit = planUnit(operation, slots, { wire, rules: shell.rules, rulesId, term, traceparent })
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
        const { decision, command } = operation
        if (decision.responseCode) observer.decided(command.kind, decision.responseCode)
        if (decision.type === 'transaction-pending') this.#askers.began(scopeKey(command.scope), job)
      } else {
        observer.conflict()
        slots.forget(unit.slot)
      }
      const answer = results[i] === 'committed' ? 'done' : 'conflict'
      if (this.#guarded(job, () => job.resume(answer))) next.push(job)
    })
    if (increments.length > 0) await store.count(increments)
  }

  async #call(job: Job, operation: CallOperation, term: Term): Promise<void> {
    if (operation.call === 'inquire' && this.#askers.follows(operation.key, job)) return this.#calls.follow(job)
    // Nobody is asked for money before it is sure to be on the log that somebody is.
    if (!(await this.#deps.fence.confirm(term))) return this.#retry(job, 'store')
    try {
      const answer = await this.#calls.run(job, operation)
      if (this.#guarded(job, () => job.resume(answer))) this.add(job)
    } catch (error) {
      this.#deps.observer.bug(error)
    }
  }

  #finish(job: Job): void {
    this.#calls.close(job)
    job.finish()
    this.#release(job)
  }

  /** What waited for its answer begins again: it finds the outcome, or a question that it has to settle itself. */
  #release(job: Job): void {
    for (const follower of this.#askers.ended(job)) {
      follower.restart()
      this.add(follower)
    }
  }

  #isOver(term: Term): boolean {
    return this.#deps.store.generation !== term.generation
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
    this.#release(job)
    if (reason === 'authorizer') return this.#settleLater(job)
    const delayMs = Math.min(RETRY.minMs * 2 ** Math.min(job.restarts, 10), RETRY.maxMs)
    job.restart()
    const timer = setTimeout(() => {
      this.#retryTimers.delete(timer)
      this.add(job)
    }, delayMs)
    this.#retryTimers.add(timer)
  }

  /** Nobody can say what became of it: again after a while, and after a longer while behind all others. */
  #settleLater(job: Job): void {
    job.unansweredSince ??= performance.now()
    const { putBackAfterMs = PUT_BACK_AFTER_MS, callRetry = DEFAULT_CALL_RETRY } = this.#deps
    if (job.putBack && performance.now() - job.unansweredSince >= putBackAfterMs) return void this.#putBack(job)
    job.restart()
    this.#idle.add(job)
    const delayMs = backoffMs({ ...callRetry, attempts: Infinity }, ++job.unanswered, Math.random()) ?? callRetry.maxMs
    const timer = setTimeout(() => {
      this.#retryTimers.delete(timer)
      this.#idle.delete(job)
      this.add(job)
    }, delayMs)
    this.#retryTimers.add(timer)
  }

  /** Of several that are one request, one is enough: nobody waits for a reply any more. */
  async #putBack(job: Job): Promise<void> {
    if (![...this.#idle].some((other) => isSameRequest(other, job))) {
      try {
        await job.putBack?.()
      } catch (error) {
        if (!(error instanceof LogError)) return this.#deps.observer.bug(error)
        return this.#retry(job, 'log')
      }
    }
    this.#finish(job)
  }
}
