// kafkajs 2.2.4 as this service runs it: a timer that wakes it a thousand times a second is quieted, requests are
// framed, Produce requests written and records read by our own code, and a bound of a partition is asked for without
// asking for all metadata. The patches are for that version only: any other runs as it is. Values of kafkajs come from
// here, so that the patches are in place before it is loaded.

import { createRequire } from 'node:module'
import type * as Kafkajs from 'kafkajs'
import { LogError } from '../../ports/log.ts'
import { groupByPartition, produceRequests, type Produce, type ProduceRequest } from './produce-request.ts'
import { readRecord } from './record-reader.ts'
import { frameRequest } from './request-frame.ts'

const PATCHED_VERSION = '2.2.4'
/** Between two looks at requests that wait for others to be answered, ms; as in kafkajs. */
const CHECK_PENDING_MS = 10

const require = createRequire(import.meta.url)

interface RequestQueue {
  throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
  readonly pending: readonly unknown[]
  checkPendingRequests(): void
  scheduleCheckPendingRequests(): void
}

/** What a kafkajs cluster does for its admin client. */
interface Cluster {
  addTargetTopic(topic: string): Promise<void>
  refreshMetadataIfNecessary(): Promise<void>
  fetchTopicsOffset(
    asked: readonly { topic: string; fromBeginning: boolean; partitions: readonly { partition: number }[] }[],
  ): Promise<readonly { readonly partitions: readonly { readonly partition: number; readonly offset: string }[] }[]>
}

/** Of a partition: its first offset, or the one after its last. */
export type Bound = 'first' | 'end'

/** An admin client that may have one question more. For questions about one topic only: see `ClusterView`. */
export interface BoundsAdmin extends Kafkajs.Admin {
  /** A bound of a partition, in one request; kafkajs' own question costs all metadata and all partitions. */
  readonly fetchBound?: (topic: string, partition: number, bound: Bound) => Promise<string>
}

if ((require('kafkajs/package.json') as { readonly version: string }).version === PATCHED_VERSION) {
  const { prototype } = require('kafkajs/src/network/requestQueue/index.js') as { readonly prototype: RequestQueue }
  prototype.scheduleCheckPendingRequests = scheduleOnlyWhenPending
  replaceModule('kafkajs/src/protocol/request.js', () => frameRequest)
  replaceModule('kafkajs/src/protocol/requests/produce/v3/request.js', (theirs) =>
    produceRequests(theirs as (asked: Produce) => ProduceRequest),
  )
  replaceModule('kafkajs/src/producer/groupMessagesPerPartition.js', () => groupByPartition)
  replaceModule('kafkajs/src/protocol/recordBatch/record/v0/decoder.js', () => readRecord)
  replaceModule('kafkajs/src/admin/index.js', (theirs) => (options: { readonly cluster: Cluster }) => ({
    ...(theirs as (options: unknown) => Kafkajs.Admin)(options),
    fetchBound: (topic: string, partition: number, bound: Bound) => boundOf(options.cluster, topic, partition, bound),
  }))
}

export const { AssignerProtocol, Kafka, logLevel } = require('kafkajs') as typeof Kafkajs

/** kafkajs' own files get this when they ask for that one; those that were loaded before keep what they have. */
function replaceModule(name: string, replacementOf: (original: unknown) => unknown): void {
  const original: unknown = require(name)
  const cached = require.cache[require.resolve(name)]
  if (cached) cached.exports = replacementOf(original)
}

/** Arms the timer only while something is pending; the original re-arms it for ever, with a negative delay. */
function scheduleOnlyWhenPending(this: RequestQueue): void {
  if (this.throttleCheckTimeoutId || this.pending.length === 0) return
  const throttledMs = this.throttledUntil - Date.now()
  this.throttleCheckTimeoutId = setTimeout(
    () => {
      this.throttleCheckTimeoutId = null
      this.checkPendingRequests()
    },
    throttledMs > 0 ? throttledMs : CHECK_PENDING_MS,
  )
}

/**
 * @throws KafkaJSError, also when the leader is another one by now: then the client has to be made anew.
 * @throws LogError when nobody is known to lead the partition.
 */
async function boundOf(cluster: Cluster, topic: string, partition: number, bound: Bound): Promise<string> {
  await cluster.addTargetTopic(topic)
  await cluster.refreshMetadataIfNecessary()
  const fromBeginning = bound === 'first'
  const [found] = await cluster.fetchTopicsOffset([{ topic, fromBeginning, partitions: [{ partition }] }])
  const known = found?.partitions[0]?.offset
  if (known === undefined || Number(known) < 0) throw new LogError('Kafka did not say where a partition ends')
  return known
}
