// The log: topics of ordered partitions that keep what was acknowledged. Kafka, or memory with the same promises.

export type Headers = Readonly<Record<string, string>>

export interface LogRecord {
  readonly topic: string
  /** Decides the partition, unless one is given. */
  readonly key: string
  readonly partition?: number
  readonly value: Uint8Array
  readonly headers: Headers
}

/** A record as read. Key and headers of foreign records may be absent or odd: readers validate. */
export interface StoredRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly key: string | null
  readonly value: Uint8Array | null
  readonly headers: Headers
  /** Unix milliseconds, by the producer's clock. */
  readonly timestamp: number
}

/** Where a partition begins and ends. */
export interface Extent {
  /** Offset of the oldest record that is kept. */
  readonly start: bigint
  /** Offset of the next record. */
  readonly end: bigint
}

/** A batch of one partition in offset order. */
export interface Batch {
  readonly topic: string
  readonly partition: number
  readonly records: readonly StoredRecord[]
  /**
   * Say that every record up to and including `offset` needs no redelivery. Recorded in the background, never awaited;
   * ignored once the partition was taken away.
   */
  done(offset: bigint): void
}

/** A running subscription. `stop` waits for the running handler, records what is done, and leaves. */
export interface Subscription {
  stop(): Promise<void>
  /** Rejects when the subscription ended by itself and will deliver no more. Never resolves before `stop`. */
  readonly failed: Promise<never>
}

export interface ConsumeOptions {
  /**
   * Where a new group begins: by topic, an offset for each partition. Counts only for partitions of which nothing is
   * recorded for the group yet, and is recorded for them at once. Default: the beginning.
   */
  readonly start?: ReadonlyMap<string, readonly bigint[]>
}

export interface FollowOptions {
  readonly topic: string
  readonly partition: number
  /** 'end': what is published after `follow` resolved. */
  readonly from: 'beginning' | 'end' | bigint
  readonly onRecords: (records: readonly StoredRecord[]) => void | Promise<void>
}

export interface Log {
  /**
   * Append. Resolves when every record is acknowledged by all in-sync replicas.
   * Records of one key keep the order of their calls.
   * @throws LogOverloadedError when the bounded queue is full: surely not published.
   * @throws LogError when a record may or may not have been published.
   */
  publish(records: readonly LogRecord[]): Promise<void>
  /**
   * Join a group: each partition of `topics` goes to one member; records not yet done are delivered again.
   * New groups start at the beginning, unless told otherwise. The handler is awaited: it holds back the reader.
   */
  consume(
    group: string,
    topics: readonly string[],
    eachBatch: (batch: Batch) => Promise<void>,
    options?: ConsumeOptions,
  ): Promise<Subscription>
  /** Read one partition without a group. Resolves once the position is fixed. */
  follow(options: FollowOptions): Promise<Subscription>
  /** Records of a partition from offset `from` up to, not including, `to` (default: its present end). */
  read(topic: string, partition: number, from?: bigint, to?: bigint): AsyncIterable<StoredRecord>
  /** Where a partition begins and ends now. @throws LogError */
  extent(topic: string, partition: number): Promise<Extent>
  /** Only where it ends: half of the cost. @throws LogError */
  end(topic: string, partition: number): Promise<bigint>
  /**
   * Offset of the first record whose timestamp is `timestamp` (Unix milliseconds) or later; the end when there is none.
   * @throws LogError
   */
  offsetAt(topic: string, partition: number, timestamp: number): Promise<bigint>
  /** How many partitions a topic has. @throws LogError when it is not known. */
  partitions(topic: string): Promise<number>
  /** Resolves when the log answers. @throws LogError */
  ping(): Promise<void>
  /** Flush what is queued, then disconnect. */
  close(): Promise<void>
}

/** The log did not answer, or not as it should: the outcome of the call is unknown. */
export class LogError extends Error {
  override readonly name: string = 'LogError'
  readonly retryable: boolean = true
}

/** Refused before anything was sent. */
export class LogOverloadedError extends LogError {
  override readonly name = 'LogOverloadedError'
}
