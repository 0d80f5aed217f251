// The mistakes of the protocol's model that concern a store's losses, made on purpose at the seams of the real code: the
// log, the wire and the store's notes. Without a mistake these only take their time.

import type { MemoryStore } from '../../../services/adapters/memory/store.ts'
import type { AuthorizationEvent, StoreEpoch } from '../../../services/core/subject/event.ts'
import type { Log, LogRecord } from '../../../services/ports/log.ts'
import type { Position } from '../../../services/ports/store-upkeep.ts'
import type { Wire } from '../../../services/ports/wire.ts'
import { SEIZED_MS } from '../../../services/runtime/recovery/catch-up.ts'
import { nameOf } from '../../../services/runtime/recovery/recovery.ts'
import { TOPIC } from '../../../services/runtime/topics.ts'

export const MISTAKES = [
  'reads-no-log',
  'raises-no-barrier',
  'raises-its-barriers-in-events-before-replies',
  'raises-its-barriers-before-the-epoch-is-agreed',
  'notes-that-it-caught-up-when-it-begins',
  'notes-positions-before-their-events-are-applied',
  'takes-the-acknowledged-for-valid',
  'names-the-epoch-when-it-sends',
  'commits-what-was-loaded-before-the-loss',
  'leaves-claims-out-of-events',
  'leaves-markers-out-of-events',
  'refuses-without-a-trace',
  'sends-replies-beside-their-events',
  'sends-the-terminals-event-beside-the-accounts',
] as const
/** Of those who ask another authorizer. */
export const REMOTE_MISTAKES = [
  'calls-before-pending-is-sure-to-count',
  'leaves-keys-that-came-back',
  'asks-again-instead-of-inquiring',
] as const
export type Mistake = (typeof MISTAKES)[number] | (typeof REMOTE_MISTAKES)[number]

/** Between two steps in the wrong order: long enough for an event and its reply of somebody else. */
const BETWEEN_TURNS = 12

export interface Seams {
  readonly base: MemoryStore
  readonly wire: Wire
  readonly turn: (what: string) => Promise<void>
  /** The newest epoch that any process raised, as its records name it. */
  readonly latest: { epoch: string }
  /** As which this process brings the store up to the log. */
  readonly owner: () => string
  readonly mistake?: Mistake
}

const isBarrier = ({ topic, headers }: LogRecord) => headers['ce_type'] === 'epoch-raised' && topic !== TOPIC.epochs
const isProposal = (record: LogRecord, wire: Wire) => {
  if (record.topic !== TOPIC.epochs) return false
  const event = wire.decodeEvent(record.value)
  return event.type === 'epoch-raised' && event.barriers.length === 0
}

/**
 * What is published arrives in its order, but for barriers and epochs: these wait for nothing that was sent before.
 * @param log one process' own
 */
export function mistakenLog(log: Log, seams: Seams): Log {
  const slow = new SlowLog(log, seams)
  const read = (topic: string, partition: number, from?: bigint, to?: bigint) =>
    seams.mistake === 'reads-no-log' && topic === TOPIC.events ? nothing() : log.read(topic, partition, from, to)
  return Object.assign(Object.create(log) as Log, {
    publish: (records: readonly LogRecord[]) => slow.publish(records),
    partitions: (topic: string) => log.partitions(topic),
    end: async (topic: string, partition: number) => {
      await seams.turn(`end of ${topic} ${partition}`)
      return log.end(topic, partition)
    },
    consume: (...args: Parameters<Log['consume']>) => log.consume(...args),
    read,
  })
}

async function* nothing() {}

class SlowLog {
  readonly #log: Log
  readonly #seams: Seams
  #last: Promise<unknown> = Promise.resolve()
  #beside: Promise<unknown> = Promise.resolve()
  #heldBack: readonly LogRecord[] = []

  constructor(log: Log, seams: Seams) {
    this.#log = log
    this.#seams = seams
  }

  publish(records: readonly LogRecord[]): Promise<void> {
    const [first] = records
    if (!first) return Promise.resolve()
    if (first.topic === TOPIC.epochs) return this.#propose(first)
    if (isBarrier(first)) return this.#raise(records)
    const { mistake } = this.#seams
    if (mistake === 'refuses-without-a-trace' && first.headers['ce_type'] === 'transaction-refused')
      return Promise.resolve()
    const beside =
      (mistake === 'sends-replies-beside-their-events' && first.topic === TOPIC.events) ||
      (mistake === 'sends-the-terminals-event-beside-the-accounts' && first.key.startsWith('T.'))
    if (!beside) return this.#queue(records)
    this.#beside = this.#beside.then(() => this.#send(records)).catch(() => undefined)
    return Promise.resolve()
  }

  #queue(records: readonly LogRecord[]): Promise<void> {
    const sent = this.#last.then(() => this.#send(records))
    this.#last = sent.catch(() => undefined)
    return sent
  }

  async #send(records: readonly LogRecord[]): Promise<void> {
    const { turn, mistake, latest } = this.#seams
    const what = records.map(({ topic, key }) => `${topic} ${key}`).join(', ')
    await turn(`publish ${what}`)
    const wrong = mistake === 'names-the-epoch-when-it-sends'
    await this.#log.publish(wrong ? records.map((record) => withEpoch(record, latest.epoch)) : records)
    await turn(`acknowledged ${what}`)
  }

  async #wait(): Promise<void> {
    for (let n = 0; n < BETWEEN_TURNS; n++) await this.#seams.turn('between two steps')
  }

  async #propose(record: LogRecord): Promise<void> {
    const { mistake, wire } = this.#seams
    if (mistake === 'raises-its-barriers-before-the-epoch-is-agreed' && isProposal(record, wire)) {
      for (const topic of [TOPIC.replies, TOPIC.events]) {
        const partitions = Array.from({ length: await this.#log.partitions(topic) }, (_, partition) => partition)
        await this.#send(partitions.map((partition) => ({ ...record, topic, partition })))
      }
      await this.#wait()
    }
    await this.#send([record])
  }

  async #raise(records: readonly LogRecord[]): Promise<void> {
    const { mistake, wire, latest } = this.#seams
    const [first] = records
    const event = wire.decodeEvent(first?.value ?? null)
    latest.epoch = first?.headers['epoch'] ?? latest.epoch
    if (mistake === 'raises-no-barrier') return
    if (mistake === 'raises-its-barriers-in-events-before-replies') {
      if (first?.topic === TOPIC.replies) this.#heldBack = records
      else {
        await this.#send(records)
        await this.#wait()
        await this.#send(this.#heldBack)
      }
      return
    }
    await this.#send(records)
    if (event.type === 'epoch-raised' && first?.topic === TOPIC.events) await this.#noteTooEarly(event)
  }

  /** What a catch-up may only say at its end, said when its barriers are up. */
  async #noteTooEarly(raised: StoreEpoch): Promise<void> {
    const { base, mistake, owner } = this.#seams
    if (mistake === 'notes-that-it-caught-up-when-it-begins') {
      const done = base.upkeep.admit(owner(), nameOf(raised))
      await Promise.all([done, base.upkeep.seize(owner(), SEIZED_MS)])
    }
    if (mistake === 'notes-positions-before-their-events-are-applied') {
      const ends = new Map<number, Position>()
      for (let partition = 0; partition < (await this.#log.partitions(TOPIC.events)); partition++) {
        const end = await this.#log.end(TOPIC.events, partition)
        ends.set(partition, { next: end, epoch: raised.epoch })
      }
      await base.upkeep.advance({ owner: owner() }, ends)
    }
  }
}

function withEpoch(record: LogRecord, epoch: string): LogRecord {
  return record.topic === TOPIC.events && epoch !== '' ? { ...record, headers: { ...record.headers, epoch } } : record
}

export function mistakenWire(wire: Wire, mistake?: Mistake): Wire {
  const wrong = (event: AuthorizationEvent): AuthorizationEvent => {
    if (event.type === 'rules-published' || event.type === 'epoch-raised') return event
    if (mistake === 'leaves-claims-out-of-events') return { ...event, claims: [] }
    if (mistake !== 'leaves-markers-out-of-events' || event.type === 'transaction-refused') return event
    return { ...event, facts: event.facts.filter(({ kind }) => kind !== 'marker-set') }
  }
  return { ...wire, encodeEvent: (event) => wire.encodeEvent(wrong(event)) }
}
