// Records that nobody can do anything with, on their way to the dead-letter topic: with their place, the reason and their
// bytes, and published however long the log does not answer.

import { LogError, type LogRecord, type StoredRecord } from '../ports/log.ts'
import type { Wire } from '../ports/wire.ts'
import { TOPIC } from './topics.ts'

const RETRY_MS = 500
/** Of a record: with its place and reason it must still be a record of at most 1 MB. */
const MAX_BURIED_BYTES = 900_000
const MAX_BURIED_KEY = 1_024

/** @param reason must be safe to show: no value of the record. */
export function deadLetterOf(
  wire: Pick<Wire, 'encodeDeadLetter'>,
  record: StoredRecord,
  reason: string,
  to: string = TOPIC.deadLetters,
): LogRecord {
  const { topic, partition, offset, key, value } = record
  const whole = (value?.byteLength ?? 0) <= MAX_BURIED_BYTES
  const letter = wire.encodeDeadLetter({
    topic,
    partition,
    offset,
    key: key?.slice(0, MAX_BURIED_KEY),
    value: value?.subarray(0, MAX_BURIED_BYTES),
    reason: whole ? reason : `${reason}; its first ${MAX_BURIED_BYTES} bytes are kept`,
  })
  return { topic: to, key: `${topic}-${partition}-${offset}`, ...letter }
}

/** Publish, again and again until it is acknowledged (true) or nobody wants it any more (false). */
export async function untilPublished(publish: () => Promise<void>, given: () => boolean): Promise<boolean> {
  for (;;) {
    try {
      await publish()
      return true
    } catch (error) {
      if (!(error instanceof LogError)) throw error
      if (given()) return false
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }
}
