// What the contract suite of the log watches a log with.

import { randomUUID } from 'node:crypto'
import type { Batch, Log, LogRecord, StoredRecord } from '../../services/ports/log.ts'

export interface LogHarness {
  /** A client of the one log, as another process would have it. */
  createLog(options?: { readonly maxQueuedRecords?: number }): Promise<Log>
  /** A new topic, empty. */
  createTopic(partitions: number): Promise<string>
  /**
   * Append a record with neither key nor value, and with the headers `odd`: bytes that are no text, `twice`: `a`, `b`.
   */
  injectForeign(topic: string, partition: number): Promise<void>
  close(): Promise<void>
}

/** What a part of the suite needs: the log under test, as soon as there is one. */
export interface UnderTest {
  readonly harness: LogHarness
  readonly log: Log
}

/** Until something holds, at the longest. Generous: a rebalance on a busy machine takes seconds. */
const PATIENCE_MS = 20_000
/** How long to look whether something forbidden comes. */
export const QUIET_MS = 300

export interface Joined {
  readonly records: StoredRecord[]
  readonly batches: Batch[]
  readonly entered: number
  values(): string[]
  stop(): Promise<void>
}

export interface JoinOptions {
  readonly group?: string
  /** Say that everything is done. */
  readonly done?: boolean
  /** Say that what is up to here is done. */
  readonly doneUpTo?: bigint
  readonly before?: () => void | Promise<void>
  /** Where a new group begins, by partition. */
  readonly start?: readonly bigint[]
}

export async function join(log: Log, topic: string, options: JoinOptions = {}): Promise<Joined> {
  const { group = randomUUID(), done, doneUpTo, before, start } = options
  const joined = { records: [] as StoredRecord[], batches: [] as Batch[], entered: 0 }
  const eachBatch = async (batch: Batch) => {
    joined.entered++
    await before?.()
    joined.batches.push(batch)
    joined.records.push(...batch.records)
    for (const { offset } of batch.records) {
      if (done || (doneUpTo !== undefined && offset <= doneUpTo)) batch.done(offset)
    }
  }
  const subscription = await log.consume(group, [topic], eachBatch, start && { start: new Map([[topic, start]]) })
  return Object.assign(joined, { values: () => joined.records.map(text), stop: () => subscription.stop() })
}

export function recordOf(topic: string, key: string, value: string): LogRecord {
  return { topic, key, value: Buffer.from(value), headers: {} }
}

export function onPartition(partition: number, topic: string, value: string): LogRecord {
  return { ...recordOf(topic, 'k', value), partition }
}

export function into(values: string[]): (records: readonly StoredRecord[]) => void {
  return (records) => void values.push(...records.map(text))
}

export function text(record: StoredRecord | undefined): string {
  return Buffer.from(record?.value ?? []).toString()
}

export async function all(records: AsyncIterable<StoredRecord>): Promise<StoredRecord[]> {
  const collected: StoredRecord[] = []
  for await (const record of records) collected.push(record)
  return collected
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error('it did not come to be in time')
    await sleep(10)
  }
}
