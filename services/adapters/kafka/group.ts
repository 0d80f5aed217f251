// A member of a consumer group: hands batches over, and records in the background what was said to be done. What it
// said under an earlier assignment does not count any more.

import type { Consumer, EachBatchPayload } from 'kafkajs'
import { LogError, type Batch, type ConsumeOptions, type Subscription } from '../../ports/log.ts'
import type { ClusterView } from './cluster-view.ts'
import { reasonOf } from './client.ts'
import type { Settings } from './options.ts'
import { toStored } from './records.ts'
import { ConsumerSession, LOG_EVERY, type Assigned } from './session.ts'
import { within } from './waiting.ts'

const MAX_BYTES_PER_PARTITION = 256 * 1024
/**
 * Between two recordings of what is done. Awaiting each would cost a sixth of the throughput; redelivery is harmless.
 */
const COMMIT_MS = 1_000

/** Between two attempts to learn where a new group begins. Nothing is fetched meanwhile. */
const START_RETRY_MS = 500

/** To record where a new group begins. */
const FIRST_START_MS = 30_000

export interface Joining extends ConsumeOptions {
  readonly group: string
  readonly topics: readonly string[]
  readonly eachBatch: (batch: Batch) => Promise<void>
}

/** @throws LogError when a topic is not known or the group is not joined in time. */
export async function joinGroup(settings: Settings, cluster: ClusterView, joining: Joining): Promise<Subscription> {
  const counts = await Promise.all(joining.topics.map((topic) => cluster.partitions(topic)))
  const member = new Member(settings, cluster, joining)
  return member.join(counts.reduce((sum, count) => sum + count, 0))
}

/** How far a partition is done, in the present assignment. */
interface Progress {
  readonly topic: string
  readonly partition: number
  /** The first offset that is not done. */
  next: bigint
}

class Member {
  readonly #settings: Settings
  readonly #cluster: ClusterView
  readonly #joining: Joining
  /** Raised by every assignment. */
  #assignment = 0
  readonly #progress = new Map<string, Progress>()
  readonly #uncommitted = new Set<Progress>()
  #consumer: Consumer | null = null
  /** Of the present assignment: where nothing was recorded, the beginning is. */
  #begun: Promise<unknown> = Promise.resolve()
  #committing: Promise<void> | null = null
  /** To record what is done, one after the other. */
  #failures = 0

  constructor(settings: Settings, cluster: ClusterView, joining: Joining) {
    this.#settings = settings
    this.#cluster = cluster
    this.#joining = joining
  }

  async join(partitions: number): Promise<Subscription> {
    const { group, topics } = this.#joining
    const session = new ConsumerSession({
      settings: this.#settings,
      name: group,
      groupId: () => group,
      topics,
      maxBytesPerPartition: MAX_BYTES_PER_PARTITION,
      concurrency: Math.max(partitions, 1),
      onBatch: (payload) => this.#handOver(payload),
      onJoined: (consumer, assigned) => this.#assigned(consumer, assigned),
      // Still a member: what is done goes out before the request to join again, on the same connection.
      onRebalancing: (consumer) => void this.#commit(consumer),
    })
    await session.start()
    try {
      await within(FIRST_START_MS, this.#settled(), () => new LogError('where the group begins could not be recorded'))
    } catch (error) {
      await this.#stop(session)
      throw error
    }
    const timer = setInterval(() => {
      if (this.#consumer) void this.#commit(this.#consumer)
    }, COMMIT_MS)
    const end = () => clearInterval(timer)
    session.failed.catch(end)
    let stopped: Promise<void> | null = null
    return { failed: session.failed, stop: () => (stopped ??= this.#stop(session).finally(end)) }
  }

  #assigned(consumer: Consumer, assigned: Assigned): void {
    this.#consumer = consumer
    this.#assignment++
    this.#progress.clear()
    this.#uncommitted.clear()
    const begun = [...(this.#joining.start ?? [])].map(async ([topic, start]) => {
      const partitions = (assigned[topic] ?? []).filter((partition) => start[partition] !== undefined)
      if (partitions.length > 0) await this.#begin(consumer, topic, partitions, start)
    })
    this.#begun = Promise.all(begun)
  }

  /** Where nothing is recorded for the group, begin at `start`. This member alone reads these partitions now. */
  async #begin(
    consumer: Consumer,
    topic: string,
    partitions: readonly number[],
    start: readonly bigint[],
  ): Promise<void> {
    const assignment = this.#assignment
    consumer.pause([{ topic, partitions: [...partitions] }])
    const recorded = await this.#asLongAs(assignment, () => this.#cluster.recorded(this.#joining.group, topic))
    if (!recorded) return
    const fresh = partitions.filter((partition) => !recorded.has(partition))
    const offsets = fresh.map((partition) => ({ topic, partition, offset: String(start[partition] ?? 0n) }))
    // Before anything is read: where a group began must not depend on when it was killed.
    if (offsets.length > 0) await this.#asLongAs(assignment, () => consumer.commitOffsets(offsets))
    if (assignment !== this.#assignment) return
    for (const offset of offsets) consumer.seek(offset)
    consumer.resume([{ topic, partitions: [...partitions] }])
  }

  /** Tries until it succeeds, or until it does not matter any more: undefined. */
  async #asLongAs<T>(assignment: number, work: () => Promise<T>): Promise<T | undefined> {
    for (let failures = 0; assignment === this.#assignment; failures++) {
      try {
        return await work()
      } catch (error) {
        if (failures % LOG_EVERY === 0) this.#warn(error, 'where it begins could not be learnt or recorded yet')
        await new Promise((resolve) => setTimeout(resolve, START_RETRY_MS))
      }
    }
    return undefined
  }

  /** Resolves when the partitions of the present assignment have their beginning. */
  async #settled(): Promise<void> {
    for (let begun: Promise<unknown> | null = null; begun !== this.#begun;) {
      begun = this.#begun
      await begun
    }
  }

  #handOver({ batch }: EachBatchPayload): Promise<void> {
    const { topic, partition, messages } = batch
    const assignment = this.#assignment
    return this.#joining.eachBatch({
      topic,
      partition,
      records: messages.map((message) => toStored(topic, partition, message)),
      done: (offset) => {
        if (assignment === this.#assignment) this.#done(topic, partition, offset + 1n)
      },
    })
  }

  #done(topic: string, partition: number, next: bigint): void {
    const name = nameOf(topic, partition)
    const progress = this.#progress.get(name) ?? { topic, partition, next: 0n }
    if (next <= progress.next) return
    progress.next = next
    this.#progress.set(name, progress)
    this.#uncommitted.add(progress)
  }

  async #stop(session: ConsumerSession): Promise<void> {
    await session.stop(async (consumer) => {
      await this.#committing
      await this.#commit(consumer)
    })
    // What is still running belongs to nobody's assignment now.
    this.#assignment++
  }

  /**
   * One at a time, since they may overtake each other otherwise. Never rejects: the next one says the same and more.
   */
  #commit(consumer: Consumer): Promise<void> {
    if (this.#committing) return this.#committing
    if (this.#uncommitted.size === 0) return Promise.resolve()
    this.#committing = this.#commitNow(consumer, this.#assignment, [...this.#uncommitted]).finally(() => {
      this.#committing = null
    })
    return this.#committing
  }

  async #commitNow(consumer: Consumer, assignment: number, progresses: readonly Progress[]): Promise<void> {
    this.#uncommitted.clear()
    try {
      const offsets = progresses.map(({ topic, partition, next }) => ({ topic, partition, offset: String(next) }))
      await consumer.commitOffsets(offsets)
      this.#failures = 0
    } catch (error) {
      if (this.#failures++ % LOG_EVERY === 0) this.#warn(error, 'what is done could not be recorded yet')
      if (assignment === this.#assignment) for (const progress of progresses) this.#uncommitted.add(progress)
    }
  }

  #warn(error: unknown, what: string): void {
    this.#settings.logger.warn({ group: this.#joining.group, reason: reasonOf(error) }, what)
  }
}

function nameOf(topic: string, partition: number): string {
  return `${topic}/${partition}`
}
