// A worker: takes requests of its topic from the log and leads each to its one outcome. The issuer and the authorizer
// are workers on different topics. Records that are no request go to `dead.letters` and never block a partition.

import { createHash, randomUUID } from 'node:crypto'
import { RULE_VERSION } from '../../core/subject/rules.ts'
import { begin } from '../../protocol/run.ts'
import type { Shell } from '../../protocol/operations.ts'
import type { Batch, Log, LogRecord, StoredRecord, Subscription } from '../../ports/log.ts'
import { SealError } from '../../ports/keys.ts'
import type { CardAuthorizer } from '../../ports/card-authorizer.ts'
import type { RecoverableStore } from '../../ports/store-upkeep.ts'
import { MalformedRecordError, type Wire } from '../../ports/wire.ts'
import { deadLetterOf, untilPublished } from '../dead-letters.ts'
import { Recovery, type RecoveryObserver } from '../recovery/recovery.ts'
import { TOPIC } from '../topics.ts'
import { Job } from './job.ts'
import { Offsets } from './offsets.ts'
import type { RoundsObserver } from './rounds-observer.ts'
import { Rounds } from './rounds.ts'

const DRAIN_POLL_MS = 10

export interface WorkerObserver extends RoundsObserver, Partial<RecoveryObserver> {
  deadLetter(reason: string): void
  inFlight(count: number): void
}

export interface WorkerDeps {
  readonly log: Log
  readonly store: RecoverableStore
  readonly wire: Wire
  readonly shell: Shell
  readonly observer: WorkerObserver
  /** Consumer group, one for all instances of a service. */
  readonly group: string
  readonly topic: string
  /** Transactions decided in one round. */
  readonly maxRound: number
  /** Requests taken up and not finished, but for those that ask another authorizer: beyond it the reader is held back. */
  readonly maxInFlight: number
  /** Asked for cards whose funds are elsewhere. Absent: there is none, and what needs one is declined. */
  readonly authorizer?: CardAuthorizer
  /** Transactions open there at one time. */
  readonly maxOpenCalls?: number
  readonly callRetry?: { readonly firstMs: number; readonly maxMs: number }
  readonly putBackAfterMs?: number
}

export interface Worker {
  /**
   * Stop taking requests, finish what is under way within `timeoutMs`, leave the group. What is left is delivered
   * again.
   */
  stop(timeoutMs: number): Promise<void>
  /** Whether the store is up to the log: nothing is decided while it is not. */
  deciding(): boolean
  /** Rejects when the subscription ended by itself. */
  readonly failed: Promise<never>
}

/**
 * Publish the rules, then join the group. Resolves when requests are being taken; waits for the log as long as it
 * takes.
 */
export async function startWorker(deps: WorkerDeps): Promise<Worker> {
  const { log, wire, shell } = deps
  const rulesId = createHash('sha256').update(JSON.stringify(shell.rules)).digest('base64url')
  const rules = wire.encodeEvent({
    type: 'rules-published',
    id: rulesId,
    ruleVersion: RULE_VERSION,
    rules: shell.rules,
    now: shell.clock.now(),
  })
  await untilPublished(
    () => log.publish([{ topic: TOPIC.events, key: rulesId, ...rules }]),
    () => false,
  )
  const fence = new Recovery({ ...deps, clock: shell.clock, rules: shell.rules, owner: randomUUID() })
  fence.start()
  const intake = new Intake(deps, fence, rulesId)
  const subscription = await log.consume(deps.group, [deps.topic], (batch) => intake.take(batch))
  return {
    failed: subscription.failed,
    deciding: () => fence.term !== null,
    stop: async (timeoutMs) => {
      await intake.stop(subscription, timeoutMs)
      await fence.stop()
    },
  }
}

/** Where records become jobs. Bounded: the reader waits while too many are in flight. */
class Intake {
  readonly #deps: WorkerDeps
  readonly #rounds: Rounds
  readonly #shell: Shell
  readonly #offsets = new Offsets()
  #inFlight = 0
  #stopped = false
  #waiting: (() => void)[] = []

  constructor(deps: WorkerDeps, fence: Recovery, rulesId: string) {
    const observer: WorkerObserver = {
      ...deps.observer,
      away: (count) => {
        deps.observer.away?.(count)
        this.#wake()
      },
    }
    this.#deps = deps
    this.#rounds = new Rounds({ ...deps, observer, fence, rulesId })
    this.#shell = { ...deps.shell, unaskable: () => this.#rounds.unaskable() }
  }

  /** What asks another authorizer takes no room from all others, until that is far too much as well. */
  #full(): boolean {
    const { away, awayFull } = this.#rounds
    return awayFull || this.#inFlight - away >= this.#deps.maxInFlight
  }

  async take(batch: Batch): Promise<void> {
    for (const record of batch.records) {
      while (this.#full() && !this.#stopped) {
        await new Promise<void>((resolve) => this.#waiting.push(resolve))
      }
      if (this.#stopped) return
      this.#begin(record, this.#offsets.take(batch, record.offset))
    }
    await this.#rounds.taken()
  }

  async stop(subscription: Subscription, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs
    this.#stopped = true
    this.#wake()
    while (this.#inFlight > this.#rounds.idle && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS))
    }
    this.#rounds.stop()
    await subscription.stop()
  }

  #begin(record: StoredRecord, finished: () => void): void {
    const { wire, log, observer } = this.#deps
    const finish = () => {
      this.#inFlight--
      observer.inFlight(this.#inFlight)
      finished()
      this.#wake()
    }
    this.#inFlight++
    try {
      const request = wire.decodeRequest(record)
      const putBack = () => log.publish([again(record)])
      this.#rounds.add(new Job(request, () => begin(request.body, this.#shell), finish, putBack))
    } catch (error) {
      if (!(error instanceof MalformedRecordError || error instanceof SealError)) {
        observer.bug(error)
        return
      }
      const reason = error instanceof SealError ? 'sealed token does not open' : error.message
      void this.#bury(record, reason, finish)
    }
  }

  async #bury(record: StoredRecord, reason: string, finish: () => void): Promise<void> {
    const { wire, log, observer } = this.#deps
    const letter = deadLetterOf(wire, record, reason)
    const published = await untilPublished(
      () => log.publish([letter]),
      () => this.#stopped,
    )
    if (!published) return
    observer.deadLetter(reason)
    finish()
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}

/** The same record, behind all others of its partition. */
function again({ topic, partition, key, value, headers }: StoredRecord): LogRecord {
  return { topic, partition, key: key ?? '', value: value ?? new Uint8Array(), headers }
}
