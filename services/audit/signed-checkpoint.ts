// A record of `audit.checkpoints` as what it is: rightly signed, or why not.

import type { SignatureVerifier } from '../ports/keys.ts'
import type { StoredRecord } from '../ports/log.ts'
import { MalformedRecordError, type Checkpoint, type Wire } from '../ports/wire.ts'
import { TOPIC } from '../runtime/topics.ts'
import { MARK_BYTES, signedText } from './checkpoint.ts'

export type CheckpointRecord =
  | { readonly kind: 'signed'; readonly checkpoint: Checkpoint }
  | { readonly kind: 'unknown key' | 'wrong signature'; readonly checkpoint: Checkpoint }
  /** No checkpoint at all. */
  | { readonly kind: 'foreign' }

export function judgeCheckpoint(
  wire: Pick<Wire, 'decodeCheckpoint'>,
  verifier: SignatureVerifier,
  { value }: Pick<StoredRecord, 'value'>,
): CheckpointRecord {
  let checkpoint: Checkpoint
  try {
    checkpoint = wire.decodeCheckpoint(value)
    if (!isSane(checkpoint)) return { kind: 'foreign' }
  } catch (error) {
    if (error instanceof MalformedRecordError) return { kind: 'foreign' }
    throw error
  }
  switch (verifier.verify(checkpoint.keyId, signedText(checkpoint), checkpoint.signature)) {
    case 'right':
      return { kind: 'signed', checkpoint }
    case 'wrong':
      return { kind: 'wrong signature', checkpoint }
    case 'unknown key':
      return { kind: 'unknown key', checkpoint }
  }
}

/** Whether its numbers can be true, so that nothing of it can confuse a reader before its signature was checked. */
function isSane({ topic, sequence, signedAt, ranges, marks }: Checkpoint): boolean {
  const partitions = new Set(ranges.map(({ partition }) => partition))
  const records = ranges.reduce((sum, range) => sum + range.records, 0)
  return (
    topic === TOPIC.events &&
    sequence >= 1 &&
    Math.abs(signedAt) < 8.64e15 &&
    partitions.size === ranges.length &&
    ranges.every(({ first, next, records: count }) => first >= 0 && count >= 0 && next - first >= count) &&
    marks.length === records * MARK_BYTES
  )
}
