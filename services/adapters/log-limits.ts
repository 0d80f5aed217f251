// What every log refuses, so that what passes in memory passes on Kafka too. No input or output here.

import { LogError, LogOverloadedError, type LogRecord } from '../ports/log.ts'

/**
 * Largest record, key and headers included, bytes. A broker refuses batches over 1,048,588 bytes (`message.max.bytes`,
 * Kafka 4.1); the rest is for the framing of the batch and the record.
 */
export const MAX_RECORD_BYTES = 1_000_000
/** Framing of a record and each of its headers, bytes: an upper bound. */
const RECORD_FRAME_BYTES = 36
const HEADER_FRAME_BYTES = 10

/** Records handed to `publish` that are not acknowledged, beyond which it refuses. */
export const DEFAULT_MAX_QUEUED_RECORDS = 20_000

/** Bytes of a record on the wire, never less than the true number. */
export function sizeOf(record: LogRecord): number {
  let bytes = RECORD_FRAME_BYTES + Buffer.byteLength(record.key) + record.value.byteLength
  // A UTF-16 unit takes at most three bytes in UTF-8: cheaper than counting them.
  for (const name in record.headers) {
    bytes += HEADER_FRAME_BYTES + name.length * 3 + (record.headers[name]?.length ?? 0) * 3
  }
  return bytes
}

/** @throws LogError for a record that no log takes. @returns its bytes. */
export function checkRecord(record: LogRecord): number {
  const bytes = sizeOf(record)
  if (bytes > MAX_RECORD_BYTES) throw new LogError(`a record for ${record.topic} has over ${MAX_RECORD_BYTES} bytes`)
  return bytes
}

export function unknownTopic(topic: string): LogError {
  return new LogError(`the log has no topic ${topic}`)
}

export function unknownPartition(topic: string, partition: number): LogError {
  return new LogError(`topic ${topic} has no partition ${partition}`)
}

export function closedLog(): LogOverloadedError {
  return new LogOverloadedError('the log is closed')
}

export function fullQueue(): LogOverloadedError {
  return new LogOverloadedError('too many records wait for the log')
}
