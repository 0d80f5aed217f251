// The log on Kafka. Wires the parts together and closes them; each part has its own file.

import {
  LogError,
  type Batch,
  type ConsumeOptions,
  type Extent,
  type FollowOptions,
  type Log,
  type LogRecord,
  type StoredRecord,
  type Subscription,
} from '../../ports/log.ts'
import { closedLog } from '../log-limits.ts'
import { ClusterView } from './cluster-view.ts'
import { followPartition } from './follow.ts'
import { joinGroup } from './group.ts'
import { withDefaults, type KafkaLogOptions, type Settings } from './options.ts'
import { Publisher } from './publisher.ts'
import { readStretch } from './read.ts'

/**
 * A log on the brokers. Needs none of them to answer yet: calls do, and say so.
 * @throws RangeError for bounds that are none.
 */
export async function createKafkaLog(options: KafkaLogOptions): Promise<Log> {
  const settings = withDefaults(options)
  const { brokers, maxQueuedRecords, maxQueuedBytes, requestTimeoutMs } = settings
  if (brokers.length === 0) throw new RangeError('no broker is given')
  if (!(maxQueuedRecords > 0 && maxQueuedBytes > 0 && requestTimeoutMs > 0)) {
    throw new RangeError('bounds of the log must be above 0')
  }
  return new KafkaLog(settings)
}

class KafkaLog implements Log {
  readonly #settings: Settings
  readonly #cluster: ClusterView
  readonly #publisher: Publisher
  readonly #open = new Set<Subscription>()
  #closing: Promise<void> | null = null

  constructor(settings: Settings) {
    this.#settings = settings
    this.#cluster = new ClusterView(settings)
    this.#publisher = new Publisher(this.#cluster, settings)
  }

  publish(records: readonly LogRecord[]): Promise<void> {
    return this.#publisher.publish(records)
  }

  async consume(
    group: string,
    topics: readonly string[],
    eachBatch: (batch: Batch) => Promise<void>,
    options: ConsumeOptions = {},
  ): Promise<Subscription> {
    this.#mustBeOpen()
    const joining = { ...options, group, topics, eachBatch }
    return this.#keep(await joinGroup(this.#settings, this.#cluster, joining))
  }

  async follow(options: FollowOptions): Promise<Subscription> {
    this.#mustBeOpen()
    return this.#keep(await followPartition(this.#settings, this.#cluster, options))
  }

  async *read(topic: string, partition: number, from?: bigint, to?: bigint): AsyncGenerator<StoredRecord> {
    this.#mustBeOpen()
    yield* readStretch(this.#settings, this.#cluster, { topic, partition, from, to })
  }

  async extent(topic: string, partition: number): Promise<Extent> {
    this.#mustBeOpen()
    const { low, high } = await this.#cluster.range(topic, partition)
    return { start: low, end: high }
  }

  async end(topic: string, partition: number): Promise<bigint> {
    this.#mustBeOpen()
    return this.#cluster.bound(topic, partition, 'end')
  }

  async offsetAt(topic: string, partition: number, timestamp: number): Promise<bigint> {
    this.#mustBeOpen()
    return this.#cluster.offsetAt(topic, partition, timestamp)
  }

  async partitions(topic: string): Promise<number> {
    this.#mustBeOpen()
    return this.#cluster.partitions(topic)
  }

  async ping(): Promise<void> {
    this.#mustBeOpen()
    await this.#cluster.ping()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.all([this.#publisher.close(), ...[...this.#open].map((subscription) => subscription.stop())])
    await this.#cluster.close()
  }

  #mustBeOpen(): void {
    if (this.#closing) throw closedLog()
  }

  /** A subscription that came to be while the log was closed is stopped at once. */
  async #keep(subscription: Subscription): Promise<Subscription> {
    if (this.#closing) {
      await subscription.stop()
      throw new LogError('the log was closed meanwhile')
    }
    const stop = () => {
      this.#open.delete(kept)
      return subscription.stop()
    }
    const kept = { failed: subscription.failed, stop }
    this.#open.add(kept)
    return kept
  }
}
