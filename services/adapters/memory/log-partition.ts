// One partition in memory: records in offset order, the oldest forgotten by age and by size as retention does on Kafka.
// Knows no groups and no readers' positions.

import type { Headers, StoredRecord } from '../../ports/log.ts'

export interface NewRecord {
  readonly key: string | null
  readonly value: Uint8Array | null
  readonly headers: Headers
  readonly bytes: number
}

export interface Retention {
  /** Milliseconds; -1 keeps for ever, but for `maxBytes`. */
  readonly ms: number
  /** Keys, values and headers kept in this partition, bytes. */
  readonly maxBytes: number
}

/** Forgotten records are cut off the array when there are this many of them, and no fewer than those kept. */
const COMPACT_AT = 1_024

interface Kept {
  readonly record: StoredRecord
  readonly bytes: number
}

export class Partition {
  readonly topic: string
  readonly index: number
  readonly #retention: Retention
  #kept: Kept[] = []
  /** Position in `#kept` of the oldest record that is not forgotten. */
  #head = 0
  /** Offset of `#kept[0]`. */
  #base = 0n
  #bytes = 0

  constructor(topic: string, index: number, retention: Retention) {
    this.topic = topic
    this.index = index
    this.#retention = retention
  }

  /** Offset of the oldest record that is kept. */
  get start(): bigint {
    return this.#base + BigInt(this.#head)
  }

  /** Offset of the next record. */
  get end(): bigint {
    return this.#base + BigInt(this.#kept.length)
  }

  /** Offset of the first kept record of this time (Unix ms) or later, else the end. */
  offsetAt(timestamp: number): bigint {
    for (let i = this.#head; i < this.#kept.length; i++) {
      const kept = this.#kept[i]
      if (kept && kept.record.timestamp >= timestamp) return kept.record.offset
    }
    return this.end
  }

  append({ key, value, headers, bytes }: NewRecord, now: number): void {
    const record = {
      topic: this.topic,
      partition: this.index,
      offset: this.end,
      key,
      value: value && Buffer.from(value),
      headers,
      timestamp: now,
    }
    this.#kept.push({ record, bytes })
    this.#bytes += bytes
    this.#forget(now)
  }

  /** At most `max` records from offset `from`, or from the oldest kept if that is later; none at or beyond `to`. */
  slice(from: bigint, to: bigint, max: number): StoredRecord[] {
    const first = Math.max(Number(from - this.#base), this.#head)
    const end = Math.min(Number(to - this.#base), this.#kept.length, first + max)
    const records: StoredRecord[] = []
    for (let i = first; i < end; i++) {
      const kept = this.#kept[i]
      if (kept) records.push(kept.record)
    }
    return records
  }

  #forget(now: number): void {
    const { ms, maxBytes } = this.#retention
    for (;;) {
      const oldest = this.#kept[this.#head]
      if (!oldest) break
      const aged = ms >= 0 && oldest.record.timestamp < now - ms
      if (!aged && this.#bytes <= maxBytes) break
      this.#bytes -= oldest.bytes
      this.#head++
    }
    if (this.#head < COMPACT_AT || this.#head * 2 < this.#kept.length) return
    this.#kept = this.#kept.slice(this.#head)
    this.#base += BigInt(this.#head)
    this.#head = 0
  }
}
