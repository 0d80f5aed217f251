// What the cluster knows about itself: whether it answers, partitions, offsets. Every question has an end; after a
// failed one the connection is made anew, since kafkajs' admin client does not always recover. Each topic has a client
// of its own: asked about one, kafkajs' forgets the partitions of the others, and who asks about them at that time gets
// an answer without them.

import { LogError } from '../../ports/log.ts'
import { unknownPartition, unknownTopic } from '../log-limits.ts'
import { createClient, reasonOf, RETRY } from './client.ts'
import type { KafkaConnection } from './options.ts'
import type { Bound, BoundsAdmin } from './patched-kafkajs.ts'
import { settled, within } from './waiting.ts'

/** Of each question, ms. */
const ANSWER_TIMEOUT_MS = 2_000
/** A topic that was just made may have no leader yet, and a leader may move: asked again after this. */
const NO_LEADER_RETRY_MS = 50
const NO_LEADER: ReadonlySet<string> = new Set(['LEADER_NOT_AVAILABLE', 'NOT_LEADER_FOR_PARTITION'])
/** After this a number of partitions is asked for again, in the background. */
const PARTITIONS_MAX_AGE_MS = 300_000
const DISCONNECT_TIMEOUT_MS = 2_000
/** In place of a topic, for questions about none. */
const NO_TOPIC = ''

export interface Range {
  readonly low: bigint
  readonly high: bigint
}

interface Counted {
  readonly count: number
  readonly at: number
}

export class ClusterView {
  readonly #connection: KafkaConnection
  readonly #counts = new Map<string, Counted>()
  readonly #counting = new Map<string, Promise<number>>()
  /** By topic. */
  readonly #admins = new Map<string, Promise<BoundsAdmin>>()
  #pinging: Promise<void> | null = null

  constructor(connection: KafkaConnection) {
    this.#connection = { ...connection, requestTimeoutMs: ANSWER_TIMEOUT_MS }
  }

  /** Those who ask at the same time share one question. @throws LogError within two seconds */
  ping(): Promise<void> {
    this.#pinging ??= this.#ask(NO_TOPIC, async (admin) => void (await admin.describeCluster())).finally(() => {
      this.#pinging = null
    })
    return this.#pinging
  }

  /** The number of partitions if it is known already. */
  knownPartitions(topic: string): number | undefined {
    const counted = this.#counts.get(topic)
    if (counted && Date.now() - counted.at > PARTITIONS_MAX_AGE_MS) void this.#count(topic).catch(() => {})
    return counted?.count
  }

  /** @throws LogError when there is no such topic, or no answer. */
  async partitions(topic: string): Promise<number> {
    return this.knownPartitions(topic) ?? (await this.#count(topic))
  }

  /** First offset and the one after the last. @throws LogError as `bound`. */
  async range(topic: string, partition: number): Promise<Range> {
    const [low, high] = await Promise.all([this.bound(topic, partition, 'first'), this.bound(topic, partition, 'end')])
    return { low, high }
  }

  /** @throws LogError when there is no such partition, or no answer. */
  async bound(topic: string, partition: number, bound: Bound): Promise<bigint> {
    if (partition >= (await this.partitions(topic))) throw unknownPartition(topic, partition)
    const found = await this.#ask(topic, async (admin) => {
      if (admin.fetchBound) return admin.fetchBound(topic, partition, bound)
      const bounds = (await admin.fetchTopicOffsets(topic)).find((entry) => entry.partition === partition)
      return bound === 'first' ? bounds?.low : bounds?.high
    })
    if (found === undefined) throw unknownPartition(topic, partition)
    return BigInt(found)
  }

  /** The first offset of this time or later, else the end. @throws LogError as `bound`. */
  async offsetAt(topic: string, partition: number, timestamp: number): Promise<bigint> {
    const offsets = await this.#ask(topic, (admin) => admin.fetchTopicOffsetsByTimestamp(topic, timestamp))
    const found = offsets.find((entry) => entry.partition === partition)
    if (!found) throw unknownPartition(topic, partition)
    return BigInt(found.offset)
  }

  /** Partitions of a topic of which a group has an offset recorded. @throws LogError */
  async recorded(group: string, topic: string): Promise<ReadonlySet<number>> {
    // All that the group has: kafkajs would ask for the partitions of a topic that it happens to know.
    const found = await this.#ask(NO_TOPIC, (admin) => admin.fetchOffsets({ groupId: group }))
    const partitions = found.flatMap((entry) => (entry.topic === topic ? entry.partitions : []))
    return new Set(partitions.filter(({ offset }) => Number(offset) >= 0).map(({ partition }) => partition))
  }

  async close(): Promise<void> {
    await Promise.all([...this.#admins].map(([topic, admin]) => this.#drop(topic, admin)))
  }

  #count(topic: string): Promise<number> {
    let counting = this.#counting.get(topic)
    if (!counting) {
      counting = this.#ask(topic, (admin) => admin.fetchTopicMetadata({ topics: [topic] }))
        .then(({ topics }) => {
          const count = topics.find(({ name }) => name === topic)?.partitions.length ?? 0
          if (count === 0) throw unknownTopic(topic)
          this.#counts.set(topic, { count, at: Date.now() })
          return count
        })
        .finally(() => this.#counting.delete(topic))
      this.#counting.set(topic, counting)
    }
    return counting
  }

  async #ask<T>(topic: string, question: (admin: BoundsAdmin) => Promise<T>): Promise<T> {
    const deadline = performance.now() + ANSWER_TIMEOUT_MS
    for (;;) {
      const connected = this.#connected(topic)
      try {
        const answer = connected.then(question)
        return await within(deadline - performance.now(), answer, () => new LogError('Kafka does not answer'))
      } catch (error) {
        const reason = reasonOf(error)
        // What is made anew knows the present leaders.
        if (reason !== 'LEADER_NOT_AVAILABLE') void this.#drop(topic, connected)
        if (!NO_LEADER.has(reason) || performance.now() + NO_LEADER_RETRY_MS > deadline) {
          if (reason === 'UNKNOWN_TOPIC_OR_PARTITION' && topic !== NO_TOPIC) throw unknownTopic(topic)
          throw error instanceof LogError ? error : new LogError(`Kafka does not answer as it should: ${reason}`)
        }
        await new Promise((resolve) => setTimeout(resolve, NO_LEADER_RETRY_MS))
      }
    }
  }

  #connected(topic: string): Promise<BoundsAdmin> {
    const known = this.#admins.get(topic)
    if (known) return known
    const connected = (async () => {
      const admin = createClient(this.#connection).admin({ retry: { ...RETRY, retries: 0 } })
      await admin.connect()
      return admin
    })()
    this.#admins.set(topic, connected)
    return connected
  }

  /** Not what was made anew meanwhile. */
  async #drop(topic: string, dropped: Promise<BoundsAdmin>): Promise<void> {
    if (this.#admins.get(topic) !== dropped) return
    this.#admins.delete(topic)
    await settled(
      DISCONNECT_TIMEOUT_MS,
      dropped.then((admin) => admin.disconnect()),
    )
  }
}
