// Consumer groups in memory: partitions spread over members, dealt anew when one joins or leaves, each time from what
// is recorded as done. Like the eager protocol on Kafka, every partition is dealt anew, also one that stays.

import type { Batch, StoredRecord } from '../../ports/log.ts'
import { Reader, type Delivery } from './log-reader.ts'
import type { Partition } from './log-partition.ts'

export interface Member {
  readonly partitions: readonly Partition[]
  readonly eachBatch: (batch: Batch) => Promise<void>
  /** Where the group begins in partitions of which nothing is recorded. */
  readonly start?: ReadonlyMap<Partition, bigint>
}

interface Assignment {
  readonly reader: Reader
  revoked: boolean
}

export class Group {
  readonly #delivery: Delivery
  readonly #watch: (reader: Reader) => void
  readonly #unwatch: (reader: Reader) => void
  readonly #members = new Map<Member, Assignment[]>()
  readonly #done = new Map<Partition, bigint>()

  /** `watch` has a reader woken whenever its partition grows. */
  constructor(delivery: Delivery, watch: (reader: Reader) => void, unwatch: (reader: Reader) => void) {
    this.#delivery = delivery
    this.#watch = watch
    this.#unwatch = unwatch
  }

  join(member: Member): void {
    this.#members.set(member, [])
    this.#deal()
  }

  /** Leave once the running handlers have ended: what they say is done still counts. */
  async leave(member: Member): Promise<void> {
    const assignments = this.#members.get(member)
    if (!assignments) return
    await Promise.all(assignments.map(({ reader }) => reader.stop()))
    this.drop(member)
  }

  /** Leave at once, as when the process dies. */
  drop(member: Member): void {
    const assignments = this.#members.get(member)
    if (!assignments) return
    for (const assignment of assignments) void this.#revoke(assignment)
    this.#members.delete(member)
    this.#deal()
  }

  #deal(): void {
    const busy = new Map<Member, Map<Partition, Promise<void>>>()
    for (const [member, assignments] of this.#members) {
      const running = assignments.map((assignment) => [assignment.reader.partition, this.#revoke(assignment)] as const)
      busy.set(member, new Map(running))
      this.#members.set(member, [])
    }
    const partitions = new Set([...this.#members.keys()].flatMap((member) => member.partitions))
    let turn = 0
    for (const partition of partitions) {
      const takers = [...this.#members.keys()].filter((member) => member.partitions.includes(partition))
      const taker = takers[turn++ % takers.length]
      if (taker) this.#assign(taker, partition, busy.get(taker)?.get(partition))
    }
  }

  #assign(member: Member, partition: Partition, after: Promise<void> | undefined): void {
    const start = member.start?.get(partition)
    if (start !== undefined && !this.#done.has(partition)) this.#done.set(partition, start)
    const assignment: Assignment = {
      revoked: false,
      reader: new Reader({
        partition,
        from: this.#done.get(partition) ?? 0n,
        delivery: this.#delivery,
        after,
        deliver: (records) => member.eachBatch(this.#batch(assignment, records)),
      }),
    }
    this.#members.get(member)?.push(assignment)
    this.#watch(assignment.reader)
  }

  #batch(assignment: Assignment, records: readonly StoredRecord[]): Batch {
    const { partition } = assignment.reader
    return {
      topic: partition.topic,
      partition: partition.index,
      records,
      done: (offset) => {
        if (assignment.revoked || offset < (this.#done.get(partition) ?? 0n)) return
        this.#done.set(partition, offset + 1n)
      },
    }
  }

  #revoke(assignment: Assignment): Promise<void> {
    assignment.revoked = true
    this.#unwatch(assignment.reader)
    return assignment.reader.stop()
  }
}
