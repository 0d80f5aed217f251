// A log as lists of records, to be tampered with and put into a new log.

import type { Headers, Log, StoredRecord } from '../../services/ports/log.ts'
import { AUDITED_TOPICS } from '../../services/audit/event-source.ts'
import { memoryLog } from './history.ts'
import type { MemoryLog } from '../../services/adapters/memory/log.ts'

export interface Loose {
  key: string | null
  value: Uint8Array | null
  headers: Headers
}

/** By topic and partition. */
export type Copy = Map<string, Loose[][]>

export async function copyOf(log: Log): Promise<Copy> {
  const copy: Copy = new Map()
  for (const topic of AUDITED_TOPICS) {
    const partitions: Loose[][] = []
    for (let partition = 0; partition < (await log.partitions(topic)); partition++) {
      const records: Loose[] = []
      for await (const record of log.read(topic, partition)) records.push(loose(record))
      partitions.push(records)
    }
    copy.set(topic, partitions)
  }
  return copy
}

export function loose({ key, value, headers }: StoredRecord): Loose {
  return { key, value: value && Buffer.from(value), headers }
}

export function clone(copy: Copy): Copy {
  return new Map([...copy].map(([topic, partitions]) => [topic, partitions.map((records) => [...records])]))
}

export function logOf(copy: Copy): MemoryLog {
  const log = memoryLog()
  for (const [topic, partitions] of copy) {
    partitions.forEach((records, partition) => {
      for (const { key, value, headers } of records) log.inject(topic, partition, { key, value, headers })
    })
  }
  return log
}

/** A random number below `count`, from a seed. */
export function dice(seed: number): (count: number) => number {
  let state = seed
  return (count) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * count)
  }
}
