// The wire: how messages become bytes and headers, and back.

import type { AuthorizationEvent } from '../core/subject/event.ts'
import type { Reply } from '../core/transaction/reply.ts'
import type { Request } from '../core/transaction/command.ts'
import type { Headers, StoredRecord } from './log.ts'

export interface Encoded {
  readonly value: Uint8Array
  readonly headers: Headers
}

export interface Wire {
  encodeRequest(request: Request): Encoded
  /** @throws MalformedRecordError */
  decodeRequest(record: Pick<StoredRecord, 'value' | 'headers'>): Request
  encodeReply(reply: Reply, traceparent?: string): Encoded
  /** @throws MalformedRecordError */
  decodeReply(record: Pick<StoredRecord, 'value' | 'headers'>): Reply
  encodeEvent(event: AuthorizationEvent): Encoded
  /** @throws MalformedRecordError */
  decodeEvent(value: Uint8Array | null): AuthorizationEvent
}

/** Bytes that are no message of ours. The reason is safe to print: it never quotes them. */
export class MalformedRecordError extends Error {
  override readonly name = 'MalformedRecordError'
}
