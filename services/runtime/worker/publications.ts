// What rounds have decided, on its way out: the events of a round go to the log together, and when they are acknowledged
// its replies do. No round waits for it. Decides nothing.

import type { CallOperation, PublishOperation } from '../../protocol/operations.ts'
import { scopeKey } from '../../core/transaction/scope.ts'
import { LogError, type LogRecord } from '../../ports/log.ts'
import { hashOf } from '../event-hash.ts'
import type { Fence, Term } from '../recovery/recovery.ts'
import { TOPIC } from '../topics.ts'
import { EventLog, type EventLogDeps, type Outbox, type Publication } from './event-log.ts'
import type { Job } from './job.ts'
import { withoutSeal } from './plan-unit.ts'
import type { RoundSlots } from './round-slots.ts'
import type { RetryReason, RoundsObserver } from './rounds-observer.ts'

export interface PublicationsDeps extends EventLogDeps {
  readonly fence: Fence
  readonly observer: RoundsObserver
}

/** What becomes of a job then. */
export interface Continuation {
  /** Run a step of it. @returns whether it goes on now. */
  goOn(job: Job, step: () => void): boolean
  /** Whether its end gives room or an answer to others. */
  isAwaited(job: Job): boolean
  /** It takes part in another round. */
  again(job: Job): void
  call(job: Job, operation: CallOperation, term: Term): void
  retry(job: Job, reason: RetryReason): void
  finish(job: Job): void
}

const NONE: ReadonlySet<string> = new Set()

export class Publications {
  readonly #deps: PublicationsDeps
  readonly #then: Continuation
  #events: EventLog | null = null

  constructor(deps: PublicationsDeps, then: Continuation) {
    this.#deps = deps
    this.#then = then
  }

  /** Publish, call or reply: whatever each of these waits for. @returns those that have to load again instead. */
  publish(jobs: readonly Job[], slots: RoundSlots, term: Term): Job[] {
    const conflicting: Job[] = []
    const publishing: Job[] = []
    const replying: Job[] = []
    for (const job of jobs) {
      const { pending } = job
      if (pending?.kind === 'call') this.#then.call(job, pending, term)
      else if (pending?.kind !== 'publish') replying.push(job)
      else if (pending.outboxes.every(({ slot, version }) => slots.reaches(slot, version))) publishing.push(job)
      else if (this.#then.goOn(job, () => job.resume('conflict'))) conflicting.push(job)
    }
    void this.#reply(replying, term)
    this.#publishAll(publishing, slots, term)
    return conflicting
  }

  /** Those that wait for one publication go on together; who waits for several does so for itself. */
  #publishAll(jobs: readonly Job[], slots: RoundSlots, term: Term): void {
    const events = this.#eventsOf(term)
    const published = events.publish(pendingOf(jobs, slots))
    const together = new Map<Publication | null, Job[]>()
    for (const job of jobs) {
      const waits = new Set(outboxesOf(job).flatMap(({ slot }) => published.get(slot) ?? []))
      const refusal = job.pending?.kind === 'publish' ? job.pending.refusal : undefined
      if (refusal) waits.add(this.#publishRefusal(job, refusal, events))
      if (waits.size > 1) {
        void this.#after([job], union(waits), term)
        continue
      }
      const [wait = null] = waits
      const group = together.get(wait)
      if (group) group.push(job)
      else together.set(wait, [job])
    }
    for (const [wait, group] of together) void this.#after(group, wait ?? Promise.resolve(NONE), term)
  }

  async #after(jobs: readonly Job[], publication: Publication, term: Term): Promise<void> {
    let failed: ReadonlySet<string>
    try {
      failed = await publication
    } catch (error) {
      return this.#deps.observer.bug(error)
    }
    // What was loaded under another connection is dropped, not answered.
    const over = this.#deps.store.generation !== term.generation
    const replying: Job[] = []
    for (const job of jobs) {
      if (outboxesOf(job).some(({ slot }) => failed.has(slot))) this.#then.retry(job, 'log')
      else if (over) this.#then.retry(job, 'store')
      else if (this.#then.goOn(job, () => job.resume('done'))) {
        if (job.reply) replying.push(job)
        else if (job.pending?.kind === 'call') this.#then.call(job, job.pending, term)
        else this.#then.again(job)
      }
    }
    await this.#reply(replying, term)
  }

  /** Resolves with the slot of the claim when the refusal may not be on the log. */
  async #publishRefusal(
    job: Job,
    refusal: NonNullable<PublishOperation['refusal']>,
    events: EventLog,
  ): Promise<ReadonlySet<string>> {
    const { wire } = this.#deps
    const { epoch, runId } = events.term
    const scope = scopeKey(refusal.command.scope)
    const slots = outboxesOf(job).map(({ slot }) => slot)
    const id = hashOf(Buffer.from(`${scope}\0${refusal.command.fingerprint}`))
    const { value, headers } = wire.encodeEvent({
      ...refusal,
      command: withoutSeal(refusal.command),
      id,
      epoch,
      runId,
      traceparent: job.request.traceparent,
    })
    if (!(await events.publishLoose(scope, value, headers))) return new Set(slots)
    this.#deps.observer.decided(refusal.command.kind, '94')
    return NONE
  }

  /** In one call. When the log does not take that, each for itself, so that only the guilty is tried again. */
  async #reply(jobs: readonly Job[], term: Term): Promise<void> {
    if (jobs.length === 0) return
    const { log, fence, observer } = this.#deps
    try {
      await log.publish(jobs.map((job) => this.#replyRecord(job, term)))
    } catch (error) {
      if (!(error instanceof LogError)) return observer.bug(error)
      const [only] = jobs
      if (only && jobs.length === 1) return this.#then.retry(only, 'log')
      for (const job of jobs) void this.#reply([job], term)
      return
    }
    // A reply that may be void for its reader is none: the request must not be taken for answered.
    const counts = await (jobs.some((job) => this.#then.isAwaited(job))
      ? fence.confirm(term)
      : fence.confirmLater(term))
    for (const job of jobs) {
      if (counts) this.#then.finish(job)
      else this.#then.retry(job, 'store')
    }
  }

  #replyRecord(job: Job, { epoch, runId }: Term): LogRecord {
    const { reply, request } = job
    if (!reply) throw new Error('a job without a reply')
    const { value, headers } = this.#deps.wire.encodeReply({ ...reply, epoch, runId }, request.traceparent)
    return { topic: TOPIC.replies, key: reply.scope, partition: request.replyPartition, value, headers }
  }

  #eventsOf(term: Term): EventLog {
    if (this.#events?.term !== term) this.#events = new EventLog(this.#deps, term)
    return this.#events
  }
}

function outboxesOf({ pending }: Job): PublishOperation['outboxes'] {
  return pending?.kind === 'publish' ? pending.outboxes : []
}

/** Of each slot that one of them waits for, the events up to the highest version that does. */
function pendingOf(jobs: readonly Job[], slots: RoundSlots): readonly Outbox[] {
  const highest = new Map<string, number>()
  for (const { slot, version } of jobs.flatMap(outboxesOf)) {
    highest.set(slot, Math.max(highest.get(slot) ?? 0, version))
  }
  return [...highest].map(([slot, version]) => ({ slot, events: slots.pending(slot, version) ?? [] }))
}

async function union(publications: Iterable<Publication>): Publication {
  const all = await Promise.all(publications)
  return new Set(all.flatMap((failed) => [...failed]))
}
