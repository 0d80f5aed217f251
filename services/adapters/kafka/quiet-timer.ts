// Stops the timer that kafkajs 2.2.4 re-arms about a thousand times a second for every connection, with a negative
// delay that Node 24 warns about. Changes nothing else, and nothing at all in any other version.

import { createRequire } from 'node:module'

const PATCHED_VERSION = '2.2.4'
/** Between two looks at requests that wait for others to be answered, ms; as in kafkajs. */
const CHECK_PENDING_MS = 10

interface RequestQueue {
  throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
  readonly pending: readonly unknown[]
  checkPendingRequests(): void
  scheduleCheckPendingRequests(): void
}

let asked = false

/** Once is enough, more does no harm. */
export function quietKafkaTimer(): void {
  if (asked) return
  asked = true
  const require = createRequire(import.meta.url)
  const { version } = require('kafkajs/package.json') as { readonly version: string }
  if (version !== PATCHED_VERSION) return
  const { prototype } = require('kafkajs/src/network/requestQueue/index.js') as { readonly prototype: RequestQueue }
  prototype.scheduleCheckPendingRequests = scheduleOnlyWhenPending
}

/** The original also arms the timer when nothing is pending, and then again from the timer. */
function scheduleOnlyWhenPending(this: RequestQueue): void {
  if (this.throttleCheckTimeoutId || this.pending.length === 0) return
  const throttledMs = this.throttledUntil - Date.now()
  this.throttleCheckTimeoutId = setTimeout(() => {
    this.throttleCheckTimeoutId = null
    this.checkPendingRequests()
  }, throttledMs > 0 ? throttledMs : CHECK_PENDING_MS)
}
