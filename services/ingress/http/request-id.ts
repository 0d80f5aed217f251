// The id of a request, and the trace context it came with: what a caller sent, if it is safe to log and to hand on.

import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { holdsCardNumber } from '../../core/card/mask.ts'

const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/
/** W3C Trace Context, level 1: version, trace id, parent id, flags. Version ff and ids of zeros are not allowed. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/**
 * Whether a card number stands in it as one run of digits (contract, "Common to all"). Printed groups are left alone
 * here: one UUID in a few thousand looks like them.
 */
const holdsCardRun = (text: string) => (text.match(/\d{13,}/g) ?? []).some(holdsCardNumber)

/** The caller's own `X-Request-Id` if it is well formed and holds no card number, else a new UUID. */
export function requestId({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const sent = headers['x-request-id']
  return typeof sent === 'string' && REQUEST_ID.test(sent) && !holdsCardRun(sent) ? sent : randomUUID()
}

/** A well-formed `traceparent`, else undefined. */
export function traceparentOf({ headers }: Pick<IncomingMessage, 'headers'>): string | undefined {
  const sent = headers.traceparent
  return typeof sent === 'string' && TRACEPARENT.test(sent) && !holdsCardRun(sent) ? sent : undefined
}
