// The way to the broker, by group commit: what comes while a request is under way goes with the next one, whatever its
// topic. One request at a time, so that records of one key keep their order. Counts nothing: the publisher bounds what
// is queued.

import { LogError, LogOverloadedError, type LogRecord } from '../../ports/log.ts'
import { unknownPartition } from '../log-limits.ts'
import { partitionOf } from '../partitioning.ts'
import { reasonOf } from './client.ts'
import type { ClusterView } from './cluster-view.ts'
import type { Settings } from './options.ts'
import { RefusedError, Sender, UnreachableError, type Outgoing } from './sender.ts'

/** Of one request. Above 1,000 records of a partition kafkajs' grouping costs more than the round trips it saves. */
export const MAX_BATCH_RECORDS = 500
/** Of one request, unless one record alone is larger. A broker refuses more than 1 MB a partition. */
export const MAX_BATCH_BYTES = 256 * 1024

/** Records that go in one request, and whoever waits for them. */
export interface Parcel {
  readonly topic: string
  readonly records: readonly LogRecord[]
  readonly bytes: number
  /** `performance.now()` after which it is refused if it is still queued, ms. */
  readonly expiresAt: number
  settle(error: LogError | null): void
}

type Placed = { readonly parcel: Parcel; readonly outgoing: readonly Outgoing[] }

export class Lane {
  readonly #cluster: ClusterView
  readonly #settings: Settings
  readonly #queued: () => number
  readonly #sender: Sender
  #queue: Parcel[] = []
  #sending: readonly Parcel[] = []
  #running = false
  #idle: (() => void)[] = []

  /** `queued` tells how many records are not acknowledged, for the metric. */
  constructor(cluster: ClusterView, settings: Settings, queued: () => number) {
    this.#queued = queued
    this.#cluster = cluster
    this.#settings = settings
    this.#sender = new Sender(settings)
  }

  add(parcel: Parcel): void {
    this.#queue.push(parcel)
    if (this.#running) return
    this.#running = true
    // Not within the call: what is published in the same breath goes along.
    queueMicrotask(() => void this.#run())
  }

  /** Refuse what has waited too long to be of use. */
  expire(now: number): void {
    const first = this.#queue[0]
    if (!first || first.expiresAt > now) return
    this.#refuse(
      this.#queue.filter((parcel) => parcel.expiresAt <= now),
      'the log takes no records at present',
    )
    this.#queue = this.#queue.filter((parcel) => parcel.expiresAt > now)
  }

  /** Resolves when nothing is queued or under way. */
  async flushed(): Promise<void> {
    if (this.#running) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  /** Give up on what is left, and disconnect. */
  async close(): Promise<void> {
    this.#refuse(this.#queue.splice(0), 'the log is closed')
    for (const parcel of this.#sending) parcel.settle(new LogError('the log was closed before the answer came'))
    await this.#sender.close()
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      this.#sending = this.#take()
      const placed = await this.#place(this.#sending)
      if (placed.length > 0) await this.#send(placed)
    }
    this.#sending = []
    this.#running = false
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  #take(): readonly Parcel[] {
    let count = 0
    let records = 0
    let bytes = 0
    for (const parcel of this.#queue) {
      records += parcel.records.length
      bytes += parcel.bytes
      if (count > 0 && (records > MAX_BATCH_RECORDS || bytes > MAX_BATCH_BYTES)) break
      count++
    }
    return this.#queue.splice(0, count)
  }

  /** kafkajs drops records of partitions it does not know without a word: they are refused here. */
  async #place(parcels: readonly Parcel[]): Promise<readonly Placed[]> {
    const placed: Placed[] = []
    for (const parcel of parcels) {
      try {
        const { topic, records } = parcel
        const count = this.#cluster.knownPartitions(topic) ?? (await this.#cluster.partitions(topic))
        const stray = records.find(({ partition = 0 }) => !(partition >= 0 && partition < count))
        if (stray) throw unknownPartition(topic, stray.partition ?? -1)
        placed.push({ parcel, outgoing: records.map((record) => toOutgoing(record, count)) })
      } catch (error) {
        parcel.settle(error instanceof LogError ? error : new LogError('the topic was not found'))
      }
    }
    return placed
  }

  async #send(placed: readonly Placed[]): Promise<void> {
    const begin = performance.now()
    const late = setTimeout(() => fail(placed, 'no answer in time'), this.#settings.requestTimeoutMs)
    try {
      await this.#sender.send(placed.flatMap((entry) => entry.outgoing))
      this.#tell(placed, (performance.now() - begin) / 1_000)
      for (const { parcel } of placed) parcel.settle(null)
    } catch (error) {
      const reason = reasonOf(error)
      for (const topic of new Set(placed.map(({ parcel }) => parcel.topic))) {
        this.#settings.onMetric({ kind: 'publish-failed', topic, reason })
      }
      if (error instanceof UnreachableError) {
        this.#refuse(
          placed.map(({ parcel }) => parcel),
          `no broker can be reached: ${reason}`,
        )
        return
      }
      // The broker said no, for good, to something in the batch: they go again one by one, and only the guilty fails.
      if (placed.length === 1 || !(error instanceof RefusedError)) fail(placed, reason)
      else for (const entry of placed) await this.#send([entry])
    } finally {
      clearTimeout(late)
    }
  }

  /** One metric for each topic of a request. */
  #tell(placed: readonly Placed[], seconds: number): void {
    const sums = new Map<string, { records: number; bytes: number }>()
    for (const {
      parcel: { topic, records, bytes },
    } of placed) {
      const sum = sums.get(topic) ?? { records: 0, bytes: 0 }
      sums.set(topic, { records: sum.records + records.length, bytes: sum.bytes + bytes })
    }
    for (const [topic, sum] of sums)
      this.#settings.onMetric({ kind: 'batch', topic, ...sum, seconds, queued: this.#queued() })
  }

  #refuse(parcels: readonly Parcel[], why: string): void {
    for (const parcel of parcels) parcel.settle(new LogOverloadedError(why))
  }
}

function fail(placed: readonly Placed[], reason: string): void {
  for (const { parcel } of placed) parcel.settle(new LogError(`records may not have been published: ${reason}`))
}

function toOutgoing({ topic, key, partition, value, headers }: LogRecord, count: number): Outgoing {
  return { topic, key, partition: partition ?? partitionOf(key, count), value: asBuffer(value), headers }
}

function asBuffer(value: Uint8Array): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}
