// The log in memory, with the promises of Kafka: partitions by key, offsets, groups, redelivery, bounded queue. It
// carries the embedded mode and the simulation, whose hooks make it fail, stall and lose a process. It survives no
// process itself.

import type { Clock } from '../../ports/clock.ts'
import {
  LogError,
  type Batch,
  type ConsumeOptions,
  type Extent,
  type FollowOptions,
  type Headers,
  type Log,
  type LogRecord,
  type StoredRecord,
  type Subscription,
} from '../../ports/log.ts'
import type { TopicSpec } from '../../runtime/topics.ts'
import {
  checkRecord,
  closedLog,
  DEFAULT_MAX_QUEUED_RECORDS,
  fullQueue,
  unknownPartition,
  unknownTopic,
} from '../log-limits.ts'
import { partitionOf } from '../partitioning.ts'
import { Group, type Member } from './log-groups.ts'
import { Partition, type NewRecord } from './log-partition.ts'
import { Reader, type Delivery, type Schedule } from './log-reader.ts'

/** Kept in each partition, bytes: a process that runs for months must not grow without end. */
const DEFAULT_MAX_PARTITION_BYTES = 8 * 1024 * 1024
/** For what is queued when the client is closed, ms. */
const FLUSH_TIMEOUT_MS = 5_000
/** Records of one step of `read`. */
const READ_CHUNK = 500

export interface MemoryLogOptions {
  readonly topics: readonly TopicSpec[]
  /** Stamps the records and ages them. The system's by default. */
  readonly clock?: Clock
  /** Records that are not acknowledged, beyond which `publish` refuses. */
  readonly maxQueuedRecords?: number
  /** Bytes kept in each partition; the oldest records go first. */
  readonly maxPartitionBytes?: number
  /** When appending and delivering happen; `setImmediate` by default. */
  readonly schedule?: Schedule
}

/** A record as some other program may have written it. */
export interface ForeignRecord {
  readonly key?: string | null
  readonly value?: Uint8Array | null
  readonly headers?: Headers
}

export interface MemoryLog extends Log {
  /** The same log as another process sees it: its own queue, its own subscriptions, its own end. */
  client(options?: { readonly maxQueuedRecords?: number }): MemoryLog
  /**
   * This client's process dies: its subscriptions are gone, what it had queued is lost, and no call of it settles any
   * more.
   */
  crash(): void
  /**
   * Let the next `calls` publications of any client fail; 'after' lets them take effect first, as when an answer is
   * lost.
   */
  failPublishes(calls: number, when?: 'before' | 'after'): void
  /** Take and deliver nothing, for any client, until `resume`. */
  pause(): void
  resume(): void
  /** Append a record that is not one of ours. */
  inject(topic: string, partition: number, record: ForeignRecord): void
}

export function createMemoryLog(options: MemoryLogOptions): MemoryLog {
  return new Client(new Broker(options), options.maxQueuedRecords ?? DEFAULT_MAX_QUEUED_RECORDS)
}

interface Publication {
  readonly owner: Client
  readonly records: readonly { readonly partition: Partition; readonly record: NewRecord }[]
  readonly lost: boolean
  resolve(): void
  reject(error: LogError): void
}

/** What all clients share. */
class Broker {
  readonly delivery: Delivery
  readonly #clock: Clock
  readonly #topics = new Map<string, readonly Partition[]>()
  readonly #groups = new Map<string, Group>()
  readonly #readers = new Map<Partition, Set<Reader>>()
  #queue: Publication[] = []
  #scheduled = false
  #failing: { calls: number; readonly when: 'before' | 'after' } = { calls: 0, when: 'before' }

  constructor({ topics, clock, maxPartitionBytes, schedule }: MemoryLogOptions) {
    this.#clock = clock ?? { now: () => Date.now() }
    this.delivery = { schedule: schedule ?? ((task) => void setImmediate(task)), paused: false }
    const maxBytes = maxPartitionBytes ?? DEFAULT_MAX_PARTITION_BYTES
    for (const { name, partitions, retentionMs } of topics) {
      const retention = { ms: retentionMs, maxBytes }
      this.#topics.set(
        name,
        Array.from({ length: partitions }, (_, i) => new Partition(name, i, retention)),
      )
    }
  }

  fail(calls: number, when: 'before' | 'after'): void {
    this.#failing = { calls, when }
  }

  pause(paused: boolean): void {
    this.delivery.paused = paused
    if (paused) return
    this.#scheduleFlush()
    for (const readers of this.#readers.values()) {
      for (const reader of readers) this.delivery.schedule(() => reader.wake())
    }
  }

  group(name: string): Group {
    let group = this.#groups.get(name)
    if (!group) {
      group = new Group(
        this.delivery,
        (reader) => this.watch(reader),
        (reader) => this.unwatch(reader),
      )
      this.#groups.set(name, group)
    }
    return group
  }

  watch(reader: Reader): void {
    const readers = this.#readers.get(reader.partition)
    if (readers) readers.add(reader)
    else this.#readers.set(reader.partition, new Set([reader]))
    this.delivery.schedule(() => reader.wake())
  }

  unwatch(reader: Reader): void {
    this.#readers.get(reader.partition)?.delete(reader)
  }

  /** @throws LogError when there is no such topic. */
  topic(name: string): readonly Partition[] {
    const partitions = this.#topics.get(name)
    if (!partitions) throw unknownTopic(name)
    return partitions
  }

  /** @throws LogError when there is no such topic or partition. */
  partition(topic: string, index: number): Partition {
    const partition = this.topic(topic)[index]
    if (!partition) throw unknownPartition(topic, index)
    return partition
  }

  append(partition: Partition, record: NewRecord): void {
    partition.append(record, this.#clock.now())
    this.#wake(partition)
  }

  publish(owner: Client, records: readonly LogRecord[]): Promise<void> {
    const placed = records.map((record) => {
      const { key, value, headers } = record
      return { partition: this.#place(record), record: { key, value, headers, bytes: checkRecord(record) } }
    })
    const failing = this.#failing.calls > 0
    if (failing) this.#failing.calls--
    if (failing && this.#failing.when === 'before') throw new LogError('the log did not take the records')
    return new Promise((resolve, reject) => {
      this.#queue.push({ owner, records: placed, lost: failing, resolve, reject })
      this.#scheduleFlush()
    })
  }

  /** What a dead process had queued is never taken, and its calls never settle. */
  forget(owner: Client): void {
    this.#queue = this.#queue.filter((publication) => publication.owner !== owner)
  }

  #place(record: LogRecord): Partition {
    if (record.partition !== undefined) return this.partition(record.topic, record.partition)
    return this.partition(record.topic, partitionOf(record.key, this.topic(record.topic).length))
  }

  #scheduleFlush(): void {
    if (this.#scheduled || this.delivery.paused || this.#queue.length === 0) return
    this.#scheduled = true
    this.delivery.schedule(() => this.#flush())
  }

  #flush(): void {
    this.#scheduled = false
    if (this.delivery.paused) return
    const publications = this.#queue
    const now = this.#clock.now()
    const grown = new Set<Partition>()
    this.#queue = []
    for (const { owner, records, lost, resolve, reject } of publications) {
      for (const { partition, record } of records) {
        partition.append(record, now)
        grown.add(partition)
      }
      owner.taken(records.length)
      if (lost) reject(new LogError('the answer of the log was lost'))
      else resolve()
    }
    for (const partition of grown) this.#wake(partition)
  }

  #wake(partition: Partition): void {
    for (const reader of this.#readers.get(partition) ?? []) reader.wake()
  }
}

/** What one process sees and owns. */
class Client implements MemoryLog {
  readonly #broker: Broker
  /** Open subscriptions by their ends: how they stop, how they vanish. */
  readonly #open = new Map<Subscription, () => void>()
  readonly #published = new Set<Promise<void>>()
  readonly #maxQueued: number
  #queued = 0
  #state: 'open' | 'closed' | 'dead' = 'open'

  constructor(broker: Broker, maxQueued: number) {
    this.#broker = broker
    this.#maxQueued = maxQueued
  }

  client({ maxQueuedRecords = this.#maxQueued }: { readonly maxQueuedRecords?: number } = {}): MemoryLog {
    return new Client(this.#broker, maxQueuedRecords)
  }

  /** The log has taken this many of the queued records. */
  taken(records: number): void {
    this.#queued -= records
  }

  crash(): void {
    this.#state = 'dead'
    this.#broker.forget(this)
    for (const vanish of this.#open.values()) vanish()
    this.#open.clear()
  }

  failPublishes(calls: number, when: 'before' | 'after' = 'before'): void {
    this.#broker.fail(calls, when)
  }

  pause(): void {
    this.#broker.pause(true)
  }

  resume(): void {
    this.#broker.pause(false)
  }

  inject(topic: string, partition: number, { key = null, value = null, headers = {} }: ForeignRecord): void {
    const bytes = (value?.byteLength ?? 0) + (key?.length ?? 0)
    this.#broker.append(this.#broker.partition(topic, partition), { key, value, headers, bytes })
  }

  publish(records: readonly LogRecord[]): Promise<void> {
    return this.#call(() => {
      if (records.length === 0) return Promise.resolve()
      if (this.#queued + records.length > this.#maxQueued) throw fullQueue()
      const published = this.#broker.publish(this, records)
      this.#queued += records.length
      this.#published.add(published)
      const forget = () => this.#published.delete(published)
      published.then(forget, forget)
      return published
    })
  }

  consume(
    group: string,
    topics: readonly string[],
    eachBatch: (batch: Batch) => Promise<void>,
    { start: begin = new Map() }: ConsumeOptions = {},
  ): Promise<Subscription> {
    return this.#call(async () => {
      const joined = this.#broker.group(group)
      const partitions = topics.flatMap((topic) => this.#broker.topic(topic))
      const start = new Map(
        partitions.flatMap((partition) => {
          const offset = begin.get(partition.topic)?.[partition.index]
          return offset === undefined ? [] : [[partition, offset] as const]
        }),
      )
      const member: Member = { partitions, eachBatch, start }
      joined.join(member)
      return this.#subscription(
        () => joined.leave(member),
        () => joined.drop(member),
      )
    })
  }

  follow({ topic, partition: index, from, onRecords }: FollowOptions): Promise<Subscription> {
    return this.#call(async () => {
      const partition = this.#broker.partition(topic, index)
      const at = from === 'end' ? partition.end : from === 'beginning' ? partition.start : from
      const reader = new Reader({ partition, from: at, delivery: this.#broker.delivery, deliver: onRecords })
      this.#broker.watch(reader)
      const stop = () => {
        this.#broker.unwatch(reader)
        return reader.stop()
      }
      return this.#subscription(stop, () => void stop())
    })
  }

  async *read(topic: string, index: number, from = 0n, to?: bigint): AsyncGenerator<StoredRecord> {
    const partition = await this.#call(async () => this.#broker.partition(topic, index))
    const end = to === undefined || to > partition.end ? partition.end : to
    for (let next = from; next < end;) {
      const records = partition.slice(next, end, READ_CHUNK)
      const last = records.at(-1)
      if (!last) return
      yield* records
      next = last.offset + 1n
      await new Promise<void>(this.#broker.delivery.schedule)
    }
  }

  extent(topic: string, index: number): Promise<Extent> {
    return this.#call(async () => {
      const { start, end } = this.#broker.partition(topic, index)
      return { start, end }
    })
  }

  end(topic: string, index: number): Promise<bigint> {
    return this.#call(async () => this.#broker.partition(topic, index).end)
  }

  offsetAt(topic: string, index: number, timestamp: number): Promise<bigint> {
    return this.#call(async () => this.#broker.partition(topic, index).offsetAt(timestamp))
  }

  partitions(topic: string): Promise<number> {
    return this.#call(async () => this.#broker.topic(topic).length)
  }

  ping(): Promise<void> {
    return this.#call(async () => {
      if (this.#broker.delivery.paused) throw new LogError('the log does not answer')
    })
  }

  async close(): Promise<void> {
    if (this.#state !== 'open') return
    this.#state = 'closed'
    await Promise.all([...this.#open.keys()].map((subscription) => subscription.stop()))
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, FLUSH_TIMEOUT_MS)
    })
    await Promise.race([Promise.allSettled(this.#published), late])
    clearTimeout(timer)
  }

  /** A dead process gets no answers, a closed client none but refusals. */
  #call<T>(work: () => Promise<T>): Promise<T> {
    if (this.#state === 'dead') return new Promise(() => {})
    try {
      if (this.#state === 'closed') throw closedLog()
      return work()
    } catch (error) {
      return Promise.reject(error as LogError)
    }
  }

  #subscription(stop: () => Promise<void>, vanish: () => void): Subscription {
    let stopped: Promise<void> | null = null
    const subscription: Subscription = {
      failed: new Promise(() => {}),
      stop: () => {
        this.#open.delete(subscription)
        return (stopped ??= stop())
      },
    }
    this.#open.set(subscription, vanish)
    return subscription
  }
}
