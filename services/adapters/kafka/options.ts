// What the Kafka adapter is told, and the bounds it keeps by itself.

import type { ConnectionOptions } from 'node:tls'
import type { SASLOptions } from 'kafkajs'
import { DEFAULT_MAX_QUEUED_RECORDS } from '../log-limits.ts'

export interface KafkaLogger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What happened, for counters and histograms. */
export type KafkaMetric =
  /** A request was acknowledged; `queued` records of all topics are not yet, this one's included. */
  | {
      readonly kind: 'batch'
      readonly topic: string
      readonly records: number
      readonly bytes: number
      readonly seconds: number
      readonly queued: number
    }
  | { readonly kind: 'publish-failed'; readonly topic: string; readonly reason: string }
  | { readonly kind: 'consumer-restarted'; readonly subscription: string; readonly reason: string }

export interface KafkaConnection {
  /** host:port of the brokers to begin with. */
  readonly brokers: readonly string[]
  /** Also the prefix of the throw-away groups of `follow` and `read`. */
  readonly clientId: string
  readonly ssl?: ConnectionOptions | boolean
  readonly sasl?: SASLOptions
  readonly logger: KafkaLogger
  /** How long one publication, and one request, may take, ms. Near the deadline of an HTTP call. */
  readonly requestTimeoutMs?: number
}

export interface KafkaLogOptions extends KafkaConnection {
  /** Records handed to `publish` that are not acknowledged, beyond which it refuses. */
  readonly maxQueuedRecords?: number
  /** The same in bytes. */
  readonly maxQueuedBytes?: number
  readonly onMetric?: (metric: KafkaMetric) => void
  /** Framing is not done here: a log with a registry is opened by `runtime/open-log.ts`. */
  readonly registry?: never
}

export const DEFAULT_REQUEST_TIMEOUT_MS = 10_000
export const DEFAULT_MAX_QUEUED_BYTES = 64 * 1024 * 1024

export type Settings = Required<Omit<KafkaLogOptions, 'ssl' | 'sasl' | 'registry'>> &
  Pick<KafkaLogOptions, 'ssl' | 'sasl'>

export function withDefaults(options: KafkaLogOptions): Settings {
  return {
    ...options,
    requestTimeoutMs: options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS,
    maxQueuedRecords: options.maxQueuedRecords ?? DEFAULT_MAX_QUEUED_RECORDS,
    maxQueuedBytes: options.maxQueuedBytes ?? DEFAULT_MAX_QUEUED_BYTES,
    onMetric: options.onMetric ?? (() => {}),
  }
}
