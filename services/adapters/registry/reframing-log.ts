// A log whose records stand in Confluent's wire format on the topics, while everything inside the service, hashes and
// exports among it, has them in single-object encoding. Reads both, so that topics can be migrated. Changes framing only.

import {
  LogError,
  LogOverloadedError,
  type Batch,
  type ConsumeOptions,
  type FollowOptions,
  type Log,
  type LogRecord,
  type StoredRecord,
} from '../../ports/log.ts'
import { confluentId, singleObjectFingerprint, toConfluent, toSingleObject } from '../avro/single-object.ts'
import { RegistryError } from './client.ts'
import type { SchemaIds } from './schema-ids.ts'

export interface ReframingOptions {
  readonly ids: SchemaIds
  /** Whether to write in Confluent's wire format. It is read in any case. */
  readonly write: boolean
}

/** Publications that wait for the id of a schema, beyond which they are refused. */
const MAX_WAITING = 1_000

export function reframingLog(log: Log, { ids, write }: ReframingOptions): Log {
  const writer = new Writer(log, ids)
  const reader = new Reader(ids)
  return {
    publish: (records) => (write ? writer.publish(records) : log.publish(records)),
    consume: (
      group: string,
      topics: readonly string[],
      eachBatch: (batch: Batch) => Promise<void>,
      options?: ConsumeOptions,
    ) =>
      log.consume(
        group,
        topics,
        (batch) =>
          reader.hand(batch.records, (records) =>
            eachBatch(records === batch.records ? batch : withRecords(batch, records)),
          ),
        options,
      ),
    follow: (options: FollowOptions) =>
      log.follow({ ...options, onRecords: (records) => reader.hand(records, (read) => options.onRecords(read)) }),
    async *read(topic, partition, from, to) {
      for await (const record of log.read(topic, partition, from, to)) {
        yield reader.framed(record) ?? (await reader.learned(record))
      }
    },
    extent: (topic, partition) => log.extent(topic, partition),
    end: (topic, partition) => log.end(topic, partition),
    offsetAt: (topic, partition, timestamp) => log.offsetAt(topic, partition, timestamp),
    partitions: (topic) => log.partitions(topic),
    ping: () => log.ping(),
    close: () => log.close(),
  }
}

function withRecords(batch: Batch, records: readonly StoredRecord[]): Batch {
  return { topic: batch.topic, partition: batch.partition, records, done: (offset) => batch.done(offset) }
}

class Writer {
  readonly #log: Log
  readonly #ids: SchemaIds
  #waiting = 0
  #last: Promise<unknown> = Promise.resolve()

  constructor(log: Log, ids: SchemaIds) {
    this.#log = log
    this.#ids = ids
  }

  publish(records: readonly LogRecord[]): Promise<void> {
    const framed = this.#waiting === 0 ? this.#framed(records) : null
    return framed ? this.#log.publish(framed) : this.#publishLater(records)
  }

  /** Null while the id of one is not known. */
  #framed(records: readonly LogRecord[]): readonly LogRecord[] | null {
    const framed: LogRecord[] = []
    for (const record of records) {
      const fingerprint = singleObjectFingerprint(record.value)
      const id = fingerprint === null ? null : this.#ids.idOf(fingerprint)
      if (id === undefined) return null
      framed.push(id === null ? record : { ...record, value: toConfluent(record.value, id) })
    }
    return framed
  }

  /** In the order of the calls, as the log promises. */
  async #publishLater(records: readonly LogRecord[]): Promise<void> {
    if (this.#waiting >= MAX_WAITING) {
      throw new LogOverloadedError(`more than ${MAX_WAITING} publications wait for the schema registry`)
    }
    this.#waiting++
    const turn = this.#inTurn(records, this.#last, this.#known(records))
    this.#last = turn.catch(() => undefined)
    const { published } = await turn
    await published
  }

  /** Hands over to the log in one step with leaving the queue, so that no later call can be first. */
  async #inTurn(records: readonly LogRecord[], before: Promise<unknown>, known: Promise<LogError | null>) {
    await before
    const failure = await known
    this.#waiting--
    const framed = failure ? null : this.#framed(records)
    if (!framed) throw failure ?? new LogError('the schema registry has no id for a record')
    return { published: this.#log.publish(framed) }
  }

  /** Null when all ids are known, else why not. */
  async #known(records: readonly LogRecord[]): Promise<LogError | null> {
    const fingerprints = new Set(records.flatMap(({ value }) => singleObjectFingerprint(value) ?? []))
    try {
      await Promise.all([...fingerprints].map((fingerprint) => this.#ids.ensure(fingerprint)))
      return null
    } catch (error) {
      return asLogError(error)
    }
  }
}

class Reader {
  readonly #ids: SchemaIds

  constructor(ids: SchemaIds) {
    this.#ids = ids
  }

  /** Hand records over in single-object encoding, at once where nothing has to be asked. The same array if all are. */
  hand<T>(records: readonly StoredRecord[], over: (records: readonly StoredRecord[]) => T): T | Promise<Awaited<T>> {
    if (records.every(({ value }) => !value || confluentId(value) === null)) return over(records)
    const framed = records.map((record) => this.framed(record))
    if (framed.every((record) => record !== undefined)) return over(framed)
    return this.#handLearned(records, over)
  }

  /** Undefined when the registry has to be asked first. What is no schema of ours stays as it is. */
  framed(record: StoredRecord): StoredRecord | undefined {
    const { value } = record
    const id = value ? confluentId(value) : null
    if (!value || id === null) return record
    const fingerprint = this.#ids.fingerprintOf(id)
    if (fingerprint === undefined) return undefined
    return fingerprint === null ? record : { ...record, value: toSingleObject(value, fingerprint) }
  }

  /** @throws LogError when the registry does not answer: the record comes again. */
  async learned(record: StoredRecord): Promise<StoredRecord> {
    const id = record.value ? confluentId(record.value) : null
    if (id === null) return record
    try {
      await this.#ids.learn(id)
    } catch (error) {
      throw asLogError(error)
    }
    return this.framed(record) ?? record
  }

  async #handLearned<T>(
    records: readonly StoredRecord[],
    over: (records: readonly StoredRecord[]) => T,
  ): Promise<Awaited<T>> {
    const read: StoredRecord[] = []
    for (const record of records) read.push(this.framed(record) ?? (await this.learned(record)))
    return await over(read)
  }
}

/** Surely not published, or not handed over: both may be tried again. @throws what is no fault of the registry */
function asLogError(error: unknown): LogError {
  if (error instanceof RegistryError) return new LogError(error.message)
  throw error
}
