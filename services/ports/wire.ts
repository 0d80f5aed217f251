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

/** Of an event what its place in a chain needs. Slot, version and previous hash only of decisions. */
export interface EventHead {
  readonly type: AuthorizationEvent['type']
  readonly slot?: string
  readonly version?: number
  readonly previousHash?: string
  readonly epoch?: number
  readonly runId?: string
}

/** What a checkpoint states of the offsets from `first` up to, not including, `next` of one partition. */
export interface CheckpointRange {
  readonly partition: number
  readonly first: number
  readonly next: number
  /** Fewer than offsets where the log has gaps. */
  readonly records: number
  /** Merkle root of the records. */
  readonly root: Uint8Array
}

/** A signed statement on what ranges of a topic held. */
export interface Checkpoint {
  readonly topic: string
  /** From 1, without a gap. */
  readonly sequence: number
  /** Hash of the one before, '' for the first. */
  readonly previousHash: string
  /** Unix milliseconds, by the notary's clock. */
  readonly signedAt: number
  readonly keyId: string
  readonly ranges: readonly CheckpointRange[]
  /** Four bytes a record, range by range: tells where records differ. */
  readonly marks: Uint8Array
  /** Ed25519. */
  readonly signature: Uint8Array
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
  /** As `decodeEvent`, but reads no further than it must: the rest may be anything. @throws MalformedRecordError */
  eventHead(value: Uint8Array | null): EventHead
  encodeCheckpoint(checkpoint: Checkpoint): Encoded
  /** @throws MalformedRecordError */
  decodeCheckpoint(value: Uint8Array | null): Checkpoint
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
