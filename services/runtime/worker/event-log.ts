// Events on their way to the log. One event is sent once by this process however many transactions wait for it, and is
// forgotten by the store only after the log has acknowledged it and it is sure to count.

import { EPOCH_HEADER } from '../../core/subject/epochs.ts'
import { LogError, type Headers, type Log, type LogRecord } from '../../ports/log.ts'
import type { Store } from '../../ports/store.ts'
import { MalformedRecordError, type Wire } from '../../ports/wire.ts'
import type { Fence, Term } from '../recovery/recovery.ts'
import { TOPIC } from '../topics.ts'
import type { PendingEvent } from './round-slots.ts'

/** Slots whose published events are remembered: seconds of the highest load, against milliseconds that are needed. */
const MAX_REMEMBERED = 20_000
/**
 * Events of one slot that go at once: the log takes all of these or none, since they fit in one request and have one key.
 * More go one portion after another, so that no later one is ever on the log without an earlier one.
 */
const PORTION = { events: 100, bytes: 128 * 1024 } as const

export interface EventLogDeps {
  readonly log: Log
  readonly store: Store
  readonly wire: Wire
  readonly fence: Pick<Fence, 'confirm'>
}

/** Events of a slot, by version. */
export interface Outbox {
  readonly slot: string
  readonly events: readonly PendingEvent[]
}

/** Resolves when the log has answered, with the slots whose events may not be on it. */
export type Publication = Promise<ReadonlySet<string>>

/** Of one term: under another, a slot's version can be another event. */
export class EventLog {
  readonly #log: Log
  readonly #store: Store
  readonly #wire: Wire
  readonly #fence: Pick<Fence, 'confirm'>
  readonly #headers: Headers
  readonly term: Term
  /** By slot, and by version. Each waits for those before it. Bounded by the transactions in flight. */
  readonly #underway = new Map<string, Map<number, Publication>>()
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
   * Publish events of slots, each slot named once; gives what to wait for, by slot: nothing where all is on the log.
   * An event is sent only after those before it are acknowledged or together with them, so that the log has them in the
   * order of their versions through every failure. Slots with one event go together.
   */
  publish(outboxes: readonly Outbox[]): ReadonlyMap<string, Publication> {
    const waits = new Map<string, Publication>()
    const single: Outbox[] = []
    for (const { slot, events } of outboxes) {
      const last = events.at(-1)?.version ?? 0
      const known = this.#published.get(slot) ?? 0
      if (last <= known) continue
      const underway = this.#underway.get(slot)
      const fresh = events.filter(({ version }) => version > known && !underway?.has(version))
      const earlier = underway && [...underway.values()].at(-1)
      const outbox = { slot, events: fresh }
      const sent = fresh.length === 0 ? underway?.get(last) : undefined
      if (sent) waits.set(slot, sent)
      else if (fresh.length === 1 && !earlier) single.push(outbox)
      else waits.set(slot, this.#begin([outbox], this.#inPortions(outbox, earlier)))
    }
    if (single.length > 0) {
      const sent = this.#begin(single, this.#together(single))
      for (const { slot } of single) waits.set(slot, sent)
    }
    return waits
  }

  /** An event outside the chains. @returns whether it is on the log. */
  async publishLoose(recordKey: string, value: Uint8Array, headers: Headers): Promise<boolean> {
    return this.#isPublished([{ topic: TOPIC.events, key: recordKey, value, headers: this.#fenced(headers) }])
  }

  /** Under way from now on, so that nobody else of this process sends them too. */
  #begin(outboxes: readonly Outbox[], sending: Publication): Publication {
    const sent = sending.then(
      (failed) => {
        for (const outbox of outboxes) this.#end(outbox, failed.has(outbox.slot))
        return failed
      },
      (error: unknown) => {
        for (const outbox of outboxes) this.#end(outbox, true)
        throw error
      },
    )
    for (const { slot, events } of outboxes) {
      const underway = this.#underway.get(slot) ?? new Map<number, Publication>()
      this.#underway.set(slot, underway)
      for (const { version } of events) underway.set(version, sent)
    }
    return sent
  }

  #end({ slot, events }: Outbox, failed: boolean): void {
    const underway = this.#underway.get(slot)
    const versions = events.map(({ version }) => version)
    for (const version of versions) underway?.delete(version)
    if (underway?.size === 0) this.#underway.delete(slot)
    if (failed) return
    this.#remember(slot, Math.max(...versions))
    this.#acknowledge(slot, versions)
  }

  /** In one call. When the log does not take that, each for itself, so that only the guilty fails. */
  async #together(outboxes: readonly Outbox[]): Publication {
    const failed = new Set<string>()
    const sendable = new Map<string, readonly LogRecord[]>()
    for (const outbox of outboxes) {
      const records = this.#records(outbox)
      if (records) sendable.set(outbox.slot, records)
      else failed.add(outbox.slot)
    }
    if (sendable.size === 0 || (await this.#isPublished([...sendable.values()].flat()))) return failed
    await Promise.all(
      [...sendable].map(async ([slot, records]) => {
        if (sendable.size === 1 || !(await this.#isPublished(records))) failed.add(slot)
      }),
    )
    return failed
  }

  async #inPortions({ slot, events }: Outbox, earlier: Publication | undefined): Publication {
    const gone = new Set([slot])
    if (earlier && (await earlier).has(slot)) return gone
    for (const portion of portions(events)) {
      const records = this.#records({ slot, events: portion })
      if (!records || !(await this.#isPublished(records))) return gone
    }
    return new Set()
  }

  async #isPublished(records: readonly LogRecord[]): Promise<boolean> {
    try {
      await this.#log.publish(records)
      return true
    } catch (error) {
      if (error instanceof LogError) return false
      throw error
    }
  }

  /** Undefined when one of another process cannot be published here. */
  #records({ slot, events }: Outbox): readonly LogRecord[] | undefined {
    const records: LogRecord[] = []
    for (const { event: value, headers } of events) {
      const own = headers ?? headersOf(this.#wire, value)
      if (!own) return undefined
      records.push({ topic: TOPIC.events, key: slot, value, headers: this.#fenced(own) })
    }
    return records
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
 * Of an event that another process had committed; undefined when a newer release did, whose schema is not known here: one
 * of its instances has to publish it.
 */
function headersOf(wire: Wire, value: Uint8Array): Headers | undefined {
  try {
    return wire.eventHeaders(wire.decodeEvent(value))
  } catch (error) {
    if (error instanceof MalformedRecordError) return undefined
    throw error
  }
}

function portions(events: readonly PendingEvent[]): readonly (readonly PendingEvent[])[] {
  const all: PendingEvent[][] = []
  let open: PendingEvent[] = []
  let bytes = 0
  for (const event of events) {
    if (open.length >= PORTION.events || (open.length > 0 && bytes + event.event.length > PORTION.bytes)) {
      all.push(open)
      open = []
      bytes = 0
    }
    open.push(event)
    bytes += event.event.length
  }
  if (open.length > 0) all.push(open)
  return all
}
