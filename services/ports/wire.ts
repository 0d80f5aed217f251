// The wire: how messages become bytes and headers, and back.

import type { AuthorizationEvent } from '../core/subject/event.ts'
import type { Reply } from '../core/transaction/reply.ts'
import type { Request } from '../core/transaction/command.ts'
import type { Headers, StoredRecord } from './log.ts'

export interface Encoded {
  readonly value: Uint8Array
  readonly headers: Headers
}

/** A record that is no message of ours: its place, the reason, and its bytes as they were. */
export interface DeadLetter {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly reason: string
  readonly key?: string
  readonly value?: Uint8Array
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
  /** The headers an event travels with. */
  eventHeaders(event: AuthorizationEvent): Headers
  encodeDeadLetter(letter: DeadLetter): Encoded
  /** @throws MalformedRecordError */
  decodeDeadLetter(value: Uint8Array | null): DeadLetter
}

/** Bytes that are no message of ours. The reason is safe to print: it never quotes them. */
export class MalformedRecordError extends Error {
  override readonly name = 'MalformedRecordError'
}
