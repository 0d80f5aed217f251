// kafkajs messages as records of the log. Foreign records may be odd in any way: nothing here throws for that.

import type { IHeaders, KafkaMessage } from 'kafkajs'
import type { Headers, StoredRecord } from '../../ports/log.ts'

export function toStored(topic: string, partition: number, message: KafkaMessage): StoredRecord {
  return {
    topic,
    partition,
    offset: BigInt(message.offset),
    key: message.key?.toString() ?? null,
    value: message.value,
    headers: toHeaders(message.headers),
    timestamp: Number(message.timestamp),
  }
}

/** Of a header given more than once the last counts, one without a value is left out. */
function toHeaders(headers: IHeaders | undefined): Headers {
  const texts: Record<string, string> = {}
  for (const name in headers) {
    const given = headers[name]
    const last = Array.isArray(given) ? given.at(-1) : given
    if (last === undefined || last === null || name === '__proto__') continue
    texts[name] = typeof last === 'string' ? last : last.toString()
  }
  return texts
}
