// kafkajs 2.2.4 as this service runs it: a timer that wakes it a thousand times a second is quieted, and Produce requests
// are written and records read by our own code. The patches are for that version only: any other runs as it is. Values of kafkajs
// come from here, so that the patches are in place before it is loaded.

import { createRequire } from 'node:module'
import type * as Kafkajs from 'kafkajs'
import { groupByPartition, produceRequests, type Produce, type ProduceRequest } from './produce-request.ts'
import { readRecord } from './record-reader.ts'

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

if ((require('kafkajs/package.json') as { readonly version: string }).version === PATCHED_VERSION) {
  const { prototype } = require('kafkajs/src/network/requestQueue/index.js') as { readonly prototype: RequestQueue }
  prototype.scheduleCheckPendingRequests = scheduleOnlyWhenPending
  replaceModule('kafkajs/src/protocol/requests/produce/v3/request.js', (theirs) =>
    produceRequests(theirs as (asked: Produce) => ProduceRequest),
  )
  replaceModule('kafkajs/src/producer/groupMessagesPerPartition.js', () => groupByPartition)
  replaceModule('kafkajs/src/protocol/recordBatch/record/v0/decoder.js', () => readRecord)
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
