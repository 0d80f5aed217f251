// Checkpoints: signed statements on what `authorization.events` held, each naming the one before. Pure but for hashing;
// the form is explained in services/decisions/0018-checkpoints.md and must stay readable for ever.

import type { Checkpoint, CheckpointRange } from '../ports/wire.ts'
import { sha256 } from './merkle.ts'

/** First line of what is signed: another form gets another number. */
const FORM = 'payment-token-service checkpoint 1'
/** Bytes of one record's mark. */
export const MARK_BYTES = 4
/** Records of one checkpoint: with their marks it stays below the largest message (65,536 bytes). */
export const MAX_CHECKPOINT_RECORDS = 10_000
/** Sequence of the first. */
export const FIRST_SEQUENCE = 1

export type Statement = Omit<Checkpoint, 'signature'>

/** The text that is signed: one fact a line, nothing left out, so that whoever holds it needs no other program of ours. */
export function signedText(checkpoint: Statement): string {
  const { topic, sequence, previousHash, signedAt, keyId, ranges, marks } = checkpoint
  return [
    FORM,
    `topic ${topic}`,
    `sequence ${sequence}`,
    `previous ${previousHash || '-'}`,
    `signed-at ${new Date(signedAt).toISOString()}`,
    `key ${keyId}`,
    `marks ${sha256(marks).toString('base64url')}`,
    ...ranges.map(
      ({ partition, first, next, records, root }) =>
        `range ${partition} ${first} ${next} ${records} ${Buffer.from(root).toString('base64url')}`,
    ),
    '',
  ].join('\n')
}

/** What the next checkpoint names. */
export function checkpointHash(checkpoint: Statement): string {
  return sha256(Buffer.from(signedText(checkpoint))).toString('base64url')
}

/** Marks of the records of each range, as unsigned numbers in the order of their offsets. */
export function marksOf({ ranges, marks }: Pick<Checkpoint, 'ranges' | 'marks'>): readonly Uint32Array[] {
  const bytes = Buffer.from(marks.buffer, marks.byteOffset, marks.byteLength)
  let at = 0
  return ranges.map(({ records }) => {
    const part = new Uint32Array(records)
    for (let i = 0; i < records && at + MARK_BYTES <= bytes.length; i++, at += MARK_BYTES)
      part[i] = bytes.readUInt32BE(at)
    return part
  })
}

export function packMarks(marks: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(marks.length * MARK_BYTES)
  marks.forEach((mark, i) => bytes.writeUInt32BE(mark, i * MARK_BYTES))
  return bytes
}

/** The newest checkpoint that stands, and how far it and those before it cover each partition. */
export interface Tip {
  readonly sequence: number
  readonly hash: string
  /** By partition: the first offset that is not covered. */
  readonly covered: ReadonlyMap<number, bigint>
}

export const NO_TIP: Tip = { sequence: FIRST_SEQUENCE - 1, hash: '', covered: new Map() }

/**
 * How a rightly signed checkpoint stands to those before it. `superseded`: another one came first, as when two notaries
 * work at once; what it states must hold all the same. `unlinked`: at least one between them is missing.
 */
export type Standing = 'next' | 'superseded' | 'unlinked'

/** The first one at a sequence that fits stands. */
export function standingOf(checkpoint: Statement, tip: Tip): Standing {
  if (checkpoint.sequence <= tip.sequence) return 'superseded'
  if (checkpoint.sequence > tip.sequence + 1 || checkpoint.previousHash !== tip.hash) return 'unlinked'
  const fits = checkpoint.ranges.every(({ partition, first, next }) => {
    const covered = tip.covered.get(partition)
    return first <= next && (covered === undefined || covered === BigInt(first))
  })
  return fits ? 'next' : 'unlinked'
}

export function advance(tip: Tip, checkpoint: Statement): Tip {
  const covered = new Map(tip.covered)
  for (const { partition, next } of checkpoint.ranges) covered.set(partition, BigInt(next))
  return { sequence: checkpoint.sequence, hash: checkpointHash(checkpoint), covered }
}

/** A checkpoint without its signature. */
export function statementOf(
  tip: Tip,
  parts: { readonly topic: string; readonly keyId: string; readonly signedAt: number },
  ranges: readonly CheckpointRange[],
  marks: readonly number[],
): Statement {
  return { ...parts, sequence: tip.sequence + 1, previousHash: tip.hash, ranges, marks: packMarks(marks) }
}
