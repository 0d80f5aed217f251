// Takes records to publish, within bounds, and hands them to the lane. Each call has its own answer.

import { LogError, type LogRecord } from '../../ports/log.ts'
import { checkRecord, closedLog, fullQueue } from '../log-limits.ts'
import type { ClusterView } from './cluster-view.ts'
import { Lane, MAX_BATCH_BYTES, MAX_BATCH_RECORDS, type Parcel } from './lane.ts'
import type { Settings } from './options.ts'
import { settled } from './waiting.ts'

const EXPIRY_CHECK_MS = 500
const FLUSH_TIMEOUT_MS = 5_000

interface Load {
  readonly topic: string
  readonly records: LogRecord[]
  bytes: number
}

export class Publisher {
  readonly #settings: Settings
  /** One for all topics: the events of one round of a worker go with the replies of an earlier one. */
  readonly #lane: Lane
  readonly #expiry: NodeJS.Timeout
  #records = 0
  #bytes = 0
  #closed = false

  constructor(cluster: ClusterView, settings: Settings) {
    this.#settings = settings
    this.#lane = new Lane(cluster, settings, () => this.#records)
    this.#expiry = setInterval(() => this.#lane.expire(performance.now()), EXPIRY_CHECK_MS).unref()
  }

  async publish(records: readonly LogRecord[]): Promise<void> {
    if (this.#closed) throw closedLog()
    const loads = pack(records)
    const bytes = loads.reduce((sum, load) => sum + load.bytes, 0)
    const { maxQueuedRecords, maxQueuedBytes } = this.#settings
    if (this.#records + records.length > maxQueuedRecords || this.#bytes + bytes > maxQueuedBytes) throw fullQueue()
    if (loads.length === 1 && loads[0]) return this.#send(loads[0])
    await Promise.all(loads.map((load) => this.#send(load)))
  }

  /** Wait a bounded time for what is queued, then refuse the rest. */
  async close(): Promise<void> {
    this.#closed = true
    await settled(FLUSH_TIMEOUT_MS, this.#lane.flushed())
    clearInterval(this.#expiry)
    await this.#lane.close()
  }

  #send({ topic, records, bytes }: Load): Promise<void> {
    this.#count(records.length, bytes)
    return new Promise((resolve, reject) => {
      let open = true
      const parcel: Parcel = {
        topic,
        records,
        bytes,
        expiresAt: performance.now() + this.#settings.requestTimeoutMs,
        settle: (error: LogError | null) => {
          if (!open) return
          open = false
          this.#count(-records.length, -bytes)
          if (error) reject(error)
          else resolve()
        },
      }
      this.#lane.add(parcel)
    })
  }

  #count(records: number, bytes: number): void {
    this.#records += records
    this.#bytes += bytes
  }
}

/** By topic, and no larger than one request may be. @throws LogError for a record that is too large. */
function pack(records: readonly LogRecord[]): readonly Load[] {
  const loads: Load[] = []
  const open = new Map<string, Load>()
  for (const record of records) {
    const bytes = checkRecord(record)
    let load = open.get(record.topic)
    if (!load || load.records.length >= MAX_BATCH_RECORDS || load.bytes + bytes > MAX_BATCH_BYTES) {
      load = { topic: record.topic, records: [], bytes: 0 }
      open.set(record.topic, load)
      loads.push(load)
    }
    load.records.push(record)
    load.bytes += bytes
  }
  return loads
}
