// Events on their way to the log. One event is sent once by this process however many transactions wait for it, and is
// forgotten by the store only after the log has acknowledged it and it is sure to count.

import { EPOCH_HEADER } from '../../core/subject/epochs.ts'
import { LogError, type Headers, type Log } from '../../ports/log.ts'
import type { Store } from '../../ports/store.ts'
import { MalformedRecordError, type Wire } from '../../ports/wire.ts'
import type { Fence, Term } from '../recovery/recovery.ts'
import { TOPIC } from '../topics.ts'
import type { PendingEvent } from './round-slots.ts'

/** Events that are remembered as published: seconds of the highest load, against milliseconds that are needed. */
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
  /** By slot and version: the acknowledgement. Bounded by the transactions in flight. */
  readonly #underway = new Map<string, Promise<void>>()
  /** On the log, lately: a round may have read them from the store before they were forgotten there. Oldest first. */
  readonly #published = new Set<string>()
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
    const unpublished = events.filter((event) => !this.#published.has(key(slot, event.version)))
    const earlier = unpublished.flatMap((event) => this.#underway.get(key(slot, event.version)) ?? [])
    const fresh = unpublished.filter((event) => !this.#underway.has(key(slot, event.version)))
    if (fresh.length > 0) {
      const sent = this.#send(slot, fresh, [...earlier])
      for (const event of fresh) this.#underway.set(key(slot, event.version), sent)
      earlier.push(sent)
    }
    await Promise.all(earlier)
  }

  /** An event outside the chains. */
  async publishLoose(recordKey: string, value: Uint8Array, headers: Headers): Promise<void> {
    await this.#log.publish([{ topic: TOPIC.events, key: recordKey, value, headers: this.#fenced(headers) }])
  }

  async #send(slot: string, events: readonly PendingEvent[], earlier: readonly Promise<void>[]): Promise<void> {
    const versions = events.map((event) => event.version)
    try {
      if (earlier.length > 0) await Promise.all(earlier)
      await this.#log.publish(
        events.map(({ event: value, headers }) => ({
          topic: TOPIC.events,
          key: slot,
          value,
          headers: this.#fenced(headers ?? headersOf(this.#wire, value)),
        })),
      )
    } finally {
      for (const version of versions) this.#underway.delete(key(slot, version))
    }
    for (const version of versions) this.#remember(key(slot, version))
    this.#acknowledge(slot, versions)
  }

  /** The epoch goes into the headers, since an event that another process had committed is published under one's own. */
  #fenced(headers: Headers): Headers {
    return { ...headers, ...this.#headers }
  }

  #remember(published: string): void {
    this.#published.add(published)
    if (this.#published.size <= MAX_REMEMBERED) return
    for (const oldest of this.#published) {
      this.#published.delete(oldest)
      return
    }
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

function key(slot: string, version: number): string {
  return `${slot}#${version}`
}
