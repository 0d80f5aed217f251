// Events on their way to the log. One event is sent once by this process however many transactions wait for it, and is
// forgotten by the store only after the log has acknowledged it and it is sure to count.

import { EPOCH_HEADER } from '../../core/subject/epochs.ts'
import { LogError, type Headers, type Log } from '../../ports/log.ts'
import type { Store } from '../../ports/store.ts'
import { MalformedRecordError, type Wire } from '../../ports/wire.ts'
import type { Fence, Term } from '../recovery/recovery.ts'
import { TOPIC } from '../topics.ts'
import type { PendingEvent } from './round-slots.ts'

/** Slots whose published events are remembered: seconds of the highest load, against milliseconds that are needed. */
const MAX_REMEMBERED = 20_000

export interface EventLogDeps {
  readonly log: Log
  readonly store: Store
  readonly wire: Wire
  readonly fence: Fence
}

/** Of one term: under another, a slot's version can be another event. */
export class EventLog {
  readonly #log: Log
  readonly #store: Store
  readonly #wire: Wire
  readonly #fence: Fence
  readonly #headers: Headers
  readonly term: Term
  /** By slot, and by version the acknowledgement. Bounded by the transactions in flight. */
  readonly #underway = new Map<string, Map<number, Promise<void>>>()
  /**
   * Up to which version a slot's events are on the log: a round may have read them from the store before they were
   * forgotten there. The oldest slot first.
   */
  readonly #published = new Map<string, number>()
  #acknowledged = new Map<string, number[]>()
  #flushing = false

  constructor({ log, store, wire, fence }: EventLogDeps, term: Term) {
    this.#log = log
    this.#store = store
    this.#wire = wire
    this.#fence = fence
    this.term = term
    this.#headers = { [EPOCH_HEADER]: String(term.epoch) }
  }

  /**
   * Resolves when all of a slot's events are acknowledged. Each is sent only after those before it are acknowledged, so
   * that the log has them in the order of their versions through every failure. Rejects with LogError.
   */
  async publish(slot: string, events: readonly PendingEvent[]): Promise<void> {
    const published = this.#published.get(slot) ?? 0
    const underway = this.#underway.get(slot)
    const earlier: Promise<void>[] = []
    const fresh: PendingEvent[] = []
    for (const event of events) {
      if (event.version <= published) continue
      const sent = underway?.get(event.version)
      if (sent) earlier.push(sent)
      else fresh.push(event)
    }
    if (fresh.length > 0) earlier.push(this.#begin(slot, fresh, [...earlier]))
    await Promise.all(earlier)
  }

  /** An event outside the chains. */
  async publishLoose(recordKey: string, value: Uint8Array, headers: Headers): Promise<void> {
    await this.#log.publish([{ topic: TOPIC.events, key: recordKey, value, headers: this.#fenced(headers) }])
  }

  /** Under way from now on, so that nobody else of this process sends them too. */
  #begin(slot: string, events: readonly PendingEvent[], earlier: readonly Promise<void>[]): Promise<void> {
    const underway = this.#underway.get(slot) ?? new Map<number, Promise<void>>()
    this.#underway.set(slot, underway)
    const sent = this.#send(slot, events, earlier).finally(() => {
      for (const { version } of events) underway.delete(version)
      if (underway.size === 0) this.#underway.delete(slot)
    })
    for (const { version } of events) underway.set(version, sent)
    return sent
  }

  async #send(slot: string, events: readonly PendingEvent[], earlier: readonly Promise<void>[]): Promise<void> {
    if (earlier.length > 0) await Promise.all(earlier)
    await this.#log.publish(
      events.map(({ event: value, headers }) => ({
        topic: TOPIC.events,
        key: slot,
        value,
        headers: this.#fenced(headers ?? headersOf(this.#wire, value)),
      })),
    )
    const versions = events.map(({ version }) => version)
    this.#remember(slot, Math.max(...versions))
    this.#acknowledge(slot, versions)
  }

  /** The epoch goes into the headers, since an event that another process had committed is published under one's own. */
  #fenced(headers: Headers): Headers {
    return { ...headers, ...this.#headers }
  }

  #remember(slot: string, version: number): void {
    const known = this.#published.get(slot) ?? 0
    this.#published.delete(slot)
    this.#published.set(slot, Math.max(known, version))
    if (this.#published.size <= MAX_REMEMBERED) return
    const [oldest] = this.#published.keys()
    if (oldest !== undefined) this.#published.delete(oldest)
  }

  /** Collected until the running acknowledgement returns: one round trip for many. */
  #acknowledge(slot: string, versions: readonly number[]): void {
    const waiting = this.#acknowledged.get(slot)
    if (waiting) waiting.push(...versions)
    else this.#acknowledged.set(slot, [...versions])
    if (!this.#flushing) void this.#flush()
  }

  async #flush(): Promise<void> {
    this.#flushing = true
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#acknowledged.size > 0) {
      const batch = this.#acknowledged
      this.#acknowledged = new Map()
      // What may be void must stay in its outbox: it is published again.
      if (!(await this.#fence.confirm(this.term))) continue
      try {
        await this.#store.acknowledge([...batch].map(([slot, versions]) => ({ slot, versions })))
      } catch {
        // The outbox keeps them: whoever loads the slot next publishes them again, as equal duplicates.
      }
    }
    this.#flushing = false
  }
}

/**
 * Of an event that another process had committed.
 * @throws LogError when a newer release did, whose schema is not known here: one of its instances has to publish it
 */
function headersOf(wire: Wire, value: Uint8Array): Headers {
  try {
    return wire.eventHeaders(wire.decodeEvent(value))
  } catch (error) {
    if (error instanceof MalformedRecordError) throw new LogError(error.message)
    throw error
  }
}
