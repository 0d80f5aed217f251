// The notary: follows the events and signs what it saw. Holds no state of its own: where it goes on stands in the last
// checkpoint, so that a restart, or a second notary at the same time, changes nothing but who signs.

import { setTimeout as sleep } from 'node:timers/promises'
import { advance, signedText, standingOf, statementOf, type Tip } from '../audit/checkpoint.ts'
import { judgeCheckpoint, type CheckpointRecord } from '../audit/signed-checkpoint.ts'
import type { Clock } from '../ports/clock.ts'
import type { SignatureVerifier, Signer } from '../ports/keys.ts'
import { LogError, type Log, type StoredRecord, type Subscription } from '../ports/log.ts'
import { MalformedRecordError, type Checkpoint, type Wire } from '../ports/wire.ts'
import { TOPIC } from '../runtime/topics.ts'
import { findTip } from './find-tip.ts'
import { Pending } from './pending.ts'

/** What a notary tells of itself. */
export interface NotaryObserver {
  /** One that stands, of this notary or another: how many records it covers. */
  checkpoint(checkpoint: Checkpoint): void
  /** Another one came first: harmless. */
  superseded(): void
  pending(records: number): void
  /** A record of the events that is none: it is covered as it is, and somebody should look at it. */
  foreign(record: StoredRecord): void
  /** A record of the checkpoints that is none, or of a key that is not known. It is passed over. */
  strange(kind: Exclude<CheckpointRecord['kind'], 'signed'>): void
  failed(error: unknown): void
  /** A rightly signed checkpoint does not agree with what was read: two logs, or a changed one. */
  contradiction(checkpoint: Checkpoint): void
}

export interface NotaryDeps {
  readonly log: Log
  readonly wire: Wire
  readonly signer: Signer
  /** Knows the signer's key, and older ones. */
  readonly verifier: SignatureVerifier
  readonly clock: Clock
  /** How old a record may get before it is covered, ms. */
  readonly intervalMs: number
  /** Records of one checkpoint. */
  readonly maxRecords: number
  readonly observer: NotaryObserver
}

export interface Notary {
  readonly tip: Tip
  /** Signs once more, then leaves. */
  stop(): Promise<void>
  /** Rejects when it can go on no more. */
  readonly failed: Promise<never>
}

/** Readers wait when so many times a checkpoint's records are not covered. */
const PENDING_CHECKPOINTS = 2
/** For a checkpoint to come back from the log, before another one is tried. */
const READ_BACK_MS = 5_000
/** The same when its publication failed. */
const RETRY_MS = 1_000

/** @throws LogError; NotaryError when the checkpoints are of other keys or another log. */
export async function startNotary(deps: NotaryDeps): Promise<Notary> {
  const { tip, next, covered } = await findTip(deps)
  const running = new Running(deps, tip, covered)
  await running.start(next, covered)
  return running
}

class Running implements Notary {
  tip: Tip
  readonly failed: Promise<never>
  readonly #deps: NotaryDeps
  readonly #pending: Pending
  readonly #fail: (error: unknown) => void
  readonly #subscriptions: Subscription[] = []
  /** Since when something waits to be covered; null when nothing does. */
  #waitingSince: number | null = null
  #changed = Promise.withResolvers<void>()
  #stopping = false
  #loop: Promise<void> = Promise.resolve()

  constructor(deps: NotaryDeps, tip: Tip, covered: readonly bigint[]) {
    this.#deps = deps
    this.tip = tip
    this.#pending = new Pending(covered)
    const { promise, reject } = Promise.withResolvers<never>()
    this.failed = promise
    this.#fail = reject
    promise.catch(() => undefined)
  }

  async start(next: bigint, covered: readonly bigint[]): Promise<void> {
    const { log } = this.#deps
    const follow = async (
      topic: string,
      partition: number,
      from: bigint,
      onRecords: (records: readonly StoredRecord[]) => unknown,
    ) => {
      const subscription = await log.follow({
        topic,
        partition,
        from,
        onRecords: async (records) => void (await onRecords(records)),
      })
      subscription.failed.catch(this.#fail)
      this.#subscriptions.push(subscription)
    }
    // Checkpoints first: what another notary signs while events are read is known then.
    await follow(TOPIC.checkpoints, 0, next, (records) => records.forEach((record) => this.#onCheckpoint(record)))
    await Promise.all(
      covered.map((from, partition) => follow(TOPIC.events, partition, from, (records) => this.#onEvents(records))),
    )
    this.#loop = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping = true
    this.#wake()
    await this.#loop
    if (this.#pending.count > 0) await this.#sign()
    await Promise.all(this.#subscriptions.map((subscription) => subscription.stop()))
  }

  /** Resolves when there is room again: the reader is held back until then. */
  async #onEvents(records: readonly StoredRecord[]): Promise<void> {
    for (const record of records) {
      this.#pending.add(record)
      if (!isEvent(this.#deps.wire, record)) this.#deps.observer.foreign(record)
    }
    this.#pendingChanged()
    const room = PENDING_CHECKPOINTS * this.#deps.maxRecords
    while (this.#pending.count > room && !this.#stopping) await this.#changed.promise
  }

  #onCheckpoint(record: StoredRecord): void {
    const { wire, verifier, observer } = this.#deps
    const judged = judgeCheckpoint(wire, verifier, record)
    if (judged.kind !== 'signed') return observer.strange(judged.kind)
    const { checkpoint } = judged
    if (standingOf(checkpoint, this.tip) !== 'next') return observer.superseded()
    this.tip = advance(this.tip, checkpoint)
    if (!this.#pending.cover(checkpoint)) observer.contradiction(checkpoint)
    this.#waitingSince = null
    observer.checkpoint(checkpoint)
    this.#pendingChanged()
  }

  #pendingChanged(): void {
    const { observer, clock } = this.#deps
    observer.pending(this.#pending.count)
    if (this.#pending.count === 0) this.#waitingSince = null
    else this.#waitingSince ??= clock.now()
    this.#wake()
  }

  #wake(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const waitMs = this.#dueInMs()
      if (waitMs <= 0) await this.#sign()
      else await Promise.race([this.#changed.promise, sleep(waitMs, undefined, { ref: false })])
    }
  }

  /** Milliseconds until something must be signed; 0 when it is due. */
  #dueInMs(): number {
    const { clock, intervalMs, maxRecords } = this.#deps
    if (this.#waitingSince === null) return intervalMs
    if (this.#pending.count >= maxRecords) return 0
    return Math.max(this.#waitingSince + intervalMs - clock.now(), 0)
  }

  /** One checkpoint on the log, and until it, or one that came before it, was read back. Never throws. */
  async #sign(): Promise<void> {
    const { log, wire, signer, clock, maxRecords, observer } = this.#deps
    const { ranges, marks } = this.#pending.take(maxRecords)
    const parts = { topic: TOPIC.events, keyId: signer.keyId, signedAt: clock.now() }
    const statement = statementOf(this.tip, parts, ranges, marks)
    const { value, headers } = wire.encodeCheckpoint({ ...statement, signature: signer.sign(signedText(statement)) })
    let patienceMs = READ_BACK_MS
    try {
      await log.publish([{ topic: TOPIC.checkpoints, key: TOPIC.events, partition: 0, value, headers }])
    } catch (error) {
      if (!(error instanceof LogError)) throw error
      // It may be on the log all the same.
      patienceMs = RETRY_MS
      observer.failed(error)
    }
    const deadline = performance.now() + patienceMs
    while (this.tip.sequence < statement.sequence && performance.now() < deadline) {
      await Promise.race([this.#changed.promise, sleep(deadline - performance.now(), undefined, { ref: false })])
    }
  }
}

function isEvent(wire: Wire, { value }: StoredRecord): boolean {
  try {
    wire.eventHead(value)
    return true
  } catch (error) {
    if (error instanceof MalformedRecordError) return false
    throw error
  }
}
