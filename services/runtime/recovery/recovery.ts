// Keeps a process' store true to the log. After every change of its connection the store is looked at: one that lost
// nothing is used on; else a new epoch is raised by barriers, the store is brought up to the log, and only then is
// anything decided again. The steps are those of the protocol's model; see ARCHITECTURE.md.

import { EpochHistory, FIRST_EPOCH } from '../../core/subject/epochs.ts'
import type { StoreEpoch } from '../../core/subject/event.ts'
import type { Rules } from '../../core/subject/rules.ts'
import { ENTRY_KINDS } from '../../protocol/entries.ts'
import { FoldError } from '../../protocol/fold.ts'
import type { Clock } from '../../ports/clock.ts'
import { LogError, type Log } from '../../ports/log.ts'
import { StoreError } from '../../ports/store.ts'
import type { Progress, RecoverableStore, StoreUpkeep } from '../../ports/store-upkeep.ts'
import type { Wire } from '../../ports/wire.ts'
import { readEpochsFrom } from '../epochs.ts'
import { TOPIC } from '../topics.ts'
import { boundUpkeep } from './bound-upkeep.ts'
import { catchUp, CatchUpStopped, SEIZED_MS, type CatchUpState, type CaughtUp } from './catch-up.ts'

/** While another process brings the store up to the log: how often to look. */
const POLL_MS = 100
/** After a fault: at least, and at most, longer each time. */
const RETRY_MIN_MS = 50
const RETRY_MAX_MS = 5_000
/** How often a store at rest is looked at, so that a loss is noticed without a request. */
const PULSE_MS = 1_000
/** How often the position up to which the store holds the log is noted. */
const NOTE_EVERY_MS = 5_000
/**
 * Between the beginnings of two looks at the epochs: all that was acknowledged meanwhile is confirmed by one. The first
 * is at once: what is not confirmed yet is published again by another service that comes to the same slot.
 */
const CONFIRM_EVERY_MS = 4
/** What nobody waits for is confirmed by a look that is made for something else, if one is within this time. */
const CONFIRM_WITHIN_MS = 50

/** For a step of a catch-up to end before the process does. */
const STOP_MS = 1_000

/** Under which epoch, and by which connection, a process may decide. */
export interface Term extends StoreEpoch {
  /** Of the store: another one now ends the term. */
  readonly generation: number
}

export interface RecoveryObserver {
  /** Nothing is decided from now on; `reason` is safe to print. */
  suspended(reason: string): void
  /** The epoch's barriers are up; so many records may be missing. */
  catchingUp(epoch: number, records: number): void
  progress(state: CatchUpState): void
  /** Deciding again. `records` were read for it; 0 when the store had lost nothing. */
  admitted(term: Term, records: number, ms: number): void
  /** It did not work, and is tried again. */
  failed(error: Error): void
}

export interface RecoveryDeps {
  readonly log: Log
  readonly store: RecoverableStore
  readonly wire: Wire
  readonly clock: Clock
  readonly rules: Rules
  /** Of this process, unlike any other's. */
  readonly owner: string
  readonly observer: Partial<RecoveryObserver>
}

/** What work asks before it begins, and before it counts as done. */
export interface Fence {
  /** Resolves when the store is up to the log under its present connection. Never while it is not. */
  open(): Promise<Term>
  /**
   * Whether what was acknowledged by the log before this call counts for every reader: false when a newer epoch may
   * have begun before. By a look at the log that begins after the call.
   */
  confirm(term: Term): Promise<boolean>
  /** The same for what nobody waits for: some milliseconds later, by the look of another where there is one. */
  confirmLater(term: Term): Promise<boolean>
}

export class Recovery implements Fence {
  readonly #deps: RecoveryDeps
  #term: Term | null = null
  #history = new EpochHistory()
  /** Offset of the first record of `epochs` that was not read. */
  #next = 0n
  #stopped = false
  #waiting: ((term: Term) => void)[] = []
  /** That has not begun. */
  #look: Promise<boolean> | null = null
  /** Who waits for a look that somebody else needs. */
  #joining: PromiseWithResolvers<boolean> | null = null
  #looking: Promise<unknown> = Promise.resolve()
  #lookedAt = -CONFIRM_EVERY_MS
  #wake: () => void = () => undefined
  #notedAt = 0
  #noted: readonly bigint[] = []
  #running: Promise<void> = Promise.resolve()

  constructor(deps: RecoveryDeps) {
    this.#deps = deps
  }

  /** Begins, in the background, and goes on until `stop`. */
  start(): void {
    this.#running = this.#run()
  }

  /** What waits for a term waits for ever. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#wake()
    await Promise.race([this.#running, sleep(STOP_MS)])
  }

  /** The present term, or null while nothing may be decided. */
  get term(): Term | null {
    return this.#term !== null && this.#term.generation === this.#deps.store.generation ? this.#term : null
  }

  open(): Promise<Term> {
    const { term } = this
    if (term) return Promise.resolve(term)
    this.#wake()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  async confirm(term: Term): Promise<boolean> {
    return (await this.#nextLook()) && this.#term === term
  }

  async confirmLater(term: Term): Promise<boolean> {
    return (await (this.#look ?? this.#anothersLook())) && this.#term === term
  }

  #nextLook(): Promise<boolean> {
    if (!this.#look) {
      this.#look = this.#lookSoon()
      this.#joining?.resolve(this.#look)
      this.#joining = null
    }
    return this.#look
  }

  #anothersLook(): Promise<boolean> {
    if (!this.#joining) {
      const joining = Promise.withResolvers<boolean>()
      this.#joining = joining
      setTimeout(() => {
        if (this.#joining === joining) void this.#nextLook()
      }, CONFIRM_WITHIN_MS)
    }
    return this.#joining.promise
  }

  async #lookSoon(): Promise<boolean> {
    await this.#looking
    const early = this.#lookedAt + CONFIRM_EVERY_MS - performance.now()
    if (early > 0) await sleep(early)
    this.#look = null
    this.#lookedAt = performance.now()
    const looking = this.#unchanged()
    this.#looking = looking.catch(() => undefined)
    return looking
  }

  /** Asks until the log answers: meanwhile nobody knows. */
  async #unchanged(): Promise<boolean> {
    for (let failures = 0; ; failures++) {
      const term = this.#term
      if (this.#stopped || !term) return false
      try {
        if (await this.#isLatest(term)) return true
        this.#deps.store.upkeep.renew('another epoch began')
        return false
      } catch (error) {
        if (!(error instanceof LogError)) throw error
        await sleep(backoff(failures))
      }
    }
  }

  async #isLatest({ epoch, runId }: StoreEpoch): Promise<boolean> {
    const end = await this.#deps.log.end(TOPIC.epochs, 0)
    if (end !== this.#next) await this.#readEpochs()
    const { latest } = this.#history
    return latest?.epoch === epoch && latest.runId === runId
  }

  async #readEpochs(): Promise<void> {
    const { log, wire } = this.#deps
    const end = await log.end(TOPIC.epochs, 0)
    if (end < this.#next) {
      this.#history = new EpochHistory()
      this.#next = 0n
    }
    if (end > this.#next) await readEpochsFrom(log, wire, this.#history, this.#next, end)
    this.#next = end
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#stopped;) {
      try {
        if (this.term) await this.#pulse(this.term)
        else await this.#begin()
        failures = 0
        if (this.term) await this.#pause(PULSE_MS)
      } catch (error) {
        if (this.#stopped) return
        if (!(error instanceof StoreError || error instanceof LogError || error instanceof FoldError)) throw error
        if (!this.term) this.#deps.observer.failed?.(error)
        await this.#pause(backoff(failures++))
      }
    }
  }

  /** A look at a store that is in use: was it emptied? And the note of how far it holds the log. */
  async #pulse(term: Term): Promise<void> {
    const upkeep = this.#bound(term.generation)
    const { term: admitted } = await upkeep.notes()
    if (admitted !== nameOf(term)) return upkeep.renew('another term was admitted')
    if (performance.now() - this.#notedAt < NOTE_EVERY_MS) return
    // Whatever lies before these ends was in the store before it was published, if no other epoch had begun by then.
    const ends = await this.#ends()
    this.#notedAt = performance.now()
    if (ends.every((end, partition) => end === this.#noted[partition])) return
    if (!(await this.#isLatest(term))) return upkeep.renew('another epoch began')
    const positions = ends.map((next, partition) => [partition, { next, epoch: term.epoch }] as const)
    await upkeep.advance({ term: nameOf(term) }, new Map(positions))
    this.#noted = ends
  }

  /** One attempt to come to a term. */
  async #begin(): Promise<void> {
    const { store, owner, observer } = this.#deps
    if (this.#term) observer.suspended?.('the connection to the store changed')
    this.#term = null
    const started = performance.now()
    const { generation } = store
    const upkeep = this.#bound(generation)
    const found = await this.#admitted(upkeep)
    if (found) return this.#enter({ ...found, generation }, 0, started)
    if (!(await upkeep.seize(owner, SEIZED_MS))) return this.#pause(POLL_MS)
    try {
      // Somebody else may have brought it up since it was looked at: once is enough.
      const meanwhile = await this.#admitted(upkeep)
      if (meanwhile) {
        await upkeep.release(owner)
        return this.#enter({ ...meanwhile, generation }, 0, started)
      }
      await upkeep.suspend(owner)
      const { progress, unusable } = await upkeep.notes()
      // Half of a slot would pass for all of it. The connection is made anew by this.
      if (unusable) return await upkeep.clear(owner, SEIZED_MS, ENTRY_KINDS)
      const { runId } = store
      const { latest } = this.#history
      const epoch = latest?.runId === runId ? latest : await this.#propose(runId)
      await this.#raise(epoch)
      const { barriers, records } = await this.#catchUp(epoch, progress, generation)
      await this.#publishEpoch(epoch, barriers)
      if (!(await this.#isLatest(epoch))) throw new StoreError('another epoch began meanwhile')
      await upkeep.admit(owner, nameOf(epoch))
      this.#enter({ ...epoch, generation }, records, started)
    } catch (error) {
      if (error instanceof CatchUpStopped) await upkeep.release(owner)
      throw error
    }
  }

  /** The newest epoch, if its term is admitted in this store. */
  async #admitted(upkeep: StoreUpkeep): Promise<StoreEpoch | null> {
    const { term } = await upkeep.notes()
    const { runId } = this.#deps.store
    await this.#readEpochs()
    const { latest } = this.#history
    return latest?.runId === runId && term === nameOf(latest) ? latest : null
  }

  #enter(term: Term, records: number, started: number): void {
    const { store, observer } = this.#deps
    if (store.generation !== term.generation) throw new StoreError('the connection to the store changed')
    store.upkeep.enter(nameOf(term))
    this.#term = term
    observer.admitted?.(term, records, performance.now() - started)
    for (const resolve of this.#waiting.splice(0)) resolve(term)
  }

  /** The number of a new epoch is agreed on before any of its barriers is published. */
  async #propose(runId: string): Promise<StoreEpoch> {
    await this.#publishEpoch({ epoch: (this.#history.latest?.epoch ?? FIRST_EPOCH - 1) + 1, runId }, [])
    await this.#readEpochs()
    const { latest } = this.#history
    if (latest?.runId !== runId) throw new LogError('another process raised an epoch')
    return latest
  }

  /** A key of its own for each record: none of them may go when the topic is compacted, since their order counts. */
  async #publishEpoch(epoch: StoreEpoch, barriers: readonly number[]): Promise<void> {
    const { log, wire, clock, owner } = this.#deps
    const record = wire.encodeEvent({ type: 'epoch-raised', ...epoch, now: clock.now(), barriers })
    await log.publish([{ topic: TOPIC.epochs, key: `${epoch.epoch}.${owner}.${clock.now()}`, partition: 0, ...record }])
  }

  /** In replies first: a reply before its barrier has its event before the events' barrier. */
  async #raise(epoch: StoreEpoch): Promise<void> {
    const { log, wire, clock } = this.#deps
    const record = wire.encodeEvent({ type: 'epoch-raised', ...epoch, now: clock.now(), barriers: [] })
    for (const topic of [TOPIC.replies, TOPIC.events]) {
      const partitions = Array.from({ length: await log.partitions(topic) }, (_, partition) => partition)
      await log.publish(partitions.map((partition) => ({ topic, key: nameOf(epoch), partition, ...record })))
    }
  }

  /** From the noted positions; from the beginning if the store lacks something before them. */
  async #catchUp({ epoch }: StoreEpoch, progress: Progress, generation: number): Promise<CaughtUp> {
    const { log, wire, clock, rules, owner, observer } = this.#deps
    const ends = await this.#ends()
    const run = (from: Progress) => {
      const read = ends.reduce((sum, end, partition) => sum + Number(end - (from.get(partition)?.next ?? 0n)), 0)
      observer.catchingUp?.(epoch, Math.max(read, 0))
      return catchUp({
        log,
        wire,
        upkeep: this.#bound(generation),
        rules,
        clock,
        owner,
        progress: from,
        ends,
        epoch,
        onProgress: (state) => observer.progress?.(state),
        stopped: () => this.#stopped,
      })
    }
    try {
      return await run(progress)
    } catch (error) {
      if (!(error instanceof FoldError && error.kind === 'gap' && progress.size > 0)) throw error
      observer.failed?.(error)
      return run(NOTHING_HELD)
    }
  }

  #ends(): Promise<readonly bigint[]> {
    return endsOf(this.#deps.log, TOPIC.events)
  }

  /** The store's upkeep as long as its connection is this one: what was learnt under another says nothing of it. */
  #bound(generation: number): StoreUpkeep {
    return boundUpkeep(this.#deps.store, generation)
  }

  /** Until the time is over or somebody waits. */
  async #pause(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      timer = setTimeout(resolve, ms)
      if (this.#stopped) resolve()
    })
    clearTimeout(timer)
  }
}

const NOTHING_HELD: Progress = new Map()

/** What the store is told that a term is. */
export function nameOf({ epoch, runId }: StoreEpoch): string {
  return `${epoch}.${runId}`
}

/** The present end of each partition. @throws LogError */
export async function endsOf(log: Pick<Log, 'partitions' | 'end'>, topic: string): Promise<readonly bigint[]> {
  const partitions = Array.from({ length: await log.partitions(topic) }, (_, partition) => partition)
  return Promise.all(partitions.map((partition) => log.end(topic, partition)))
}

function backoff(failures: number): number {
  return Math.min(RETRY_MIN_MS * 2 ** Math.min(failures, 10), RETRY_MAX_MS)
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
