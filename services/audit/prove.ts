// Inclusion proofs: records with what leads from each to a signed checkpoint, for somebody who has neither the log nor
// this program. offline/check.mjs checks them.

import type { AuthorizationEvent } from '../core/subject/event.ts'
import type { StoredRecord } from '../ports/log.ts'
import { MalformedRecordError, type Checkpoint } from '../ports/wire.ts'
import { TOPIC } from '../runtime/topics.ts'
import { standingCheckpoints, type ChainDeps } from './checkpoint-chain.ts'
import { signedText } from './checkpoint.ts'
import { barriersOf, stretchesOf } from './event-source.ts'
import type { Wire } from '../ports/wire.ts'
import { inclusionPath, rootOf } from './merkle.ts'
import { hashRecord } from './record-hash.ts'

/** First field of a proof: another form gets another number. */
export const PROOF_FORM = 'payment-token-service inclusion proof 1'
/** Events of one consecutive: a transaction has one, its undoing and verdict one more each, refusals as many as repeats. */
const MAX_RECORDS = 100

export interface ProofRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: string
  readonly key: string | null
  readonly headers: Readonly<Record<string, string>>
  /** Base64. */
  readonly value: string | null
  /** Of the record's leaf in its range. */
  readonly index: number
  /** Base64, from below. */
  readonly path: readonly string[]
  readonly checkpoint: { readonly text: string; readonly signature: string }
}

export interface Proof {
  readonly form: typeof PROOF_FORM
  readonly records: readonly ProofRecord[]
  /** Avro schemas by the fingerprint in the values, as text. */
  readonly schemas: Readonly<Record<string, string>>
}

/** Why there is no proof. */
export class ProofError extends Error {
  override readonly name = 'ProofError'
}

export interface Wanted {
  readonly consecutive: string
  readonly acquirerId?: string
  readonly transactionCode?: string
}

export interface ProveDeps extends ChainDeps {
  readonly wire: Wire
  readonly schemaOf: (value: Uint8Array | null) => { readonly fingerprint: string; readonly text: string } | undefined
  readonly onRecords?: (count: number) => void
  readonly onTotal?: (count: number) => void
}

/** @throws ProofError when nothing is found, or is covered, or is as it was signed. */
export async function prove(deps: ProveDeps, wanted: Wanted): Promise<Proof> {
  const found = await findRecords(deps, wanted)
  if (found.length === 0) throw new ProofError('no event has this transaction consecutive')
  const covering = await coveringOf(deps, found)
  const records: ProofRecord[] = []
  for (const record of found) {
    const checkpoint = covering.get(record)
    if (!checkpoint) {
      throw new ProofError(
        `the event at ${record.partition}/${record.offset} is not covered by a checkpoint yet: the notary signs it soon, if it runs`,
      )
    }
    records.push(await proofOf(deps, record, checkpoint))
  }
  const schemas = found.flatMap(({ value }) => deps.schemaOf(value) ?? [])
  return {
    form: PROOF_FORM,
    records,
    schemas: Object.fromEntries(schemas.map(({ fingerprint, text }) => [fingerprint, text])),
  }
}

/** Events that count and whose command has this consecutive, each once. @throws ProofError when there are too many. */
async function findRecords(deps: ProveDeps, wanted: Wanted): Promise<readonly StoredRecord[]> {
  const { source, wire, onRecords, onTotal } = deps
  const stretches = await stretchesOf(source)
  onTotal?.(stretches.reduce((sum, { start, end }) => sum + Number(end - start), 0))
  const barriers = await barriersOf(source, wire, stretches)
  const found: StoredRecord[] = []
  for (const { partition, start, end } of stretches) {
    for await (const batch of source.read(TOPIC.events, partition, start, end)) {
      onRecords?.(batch.length)
      for (const record of batch) {
        const standing = barriers.judge(record)
        // Decoding is slow, finding the text in the bytes is not.
        if (standing !== 'valid' || !record.value || Buffer.from(record.value).indexOf(wanted.consecutive) < 0) continue
        const event = decoded(wire, record.value)
        if (!event || !matches(event, wanted) || found.some((other) => isSame(other, record))) continue
        if (found.push(record) > MAX_RECORDS) {
          throw new ProofError(
            `more than ${MAX_RECORDS} events have this consecutive: narrow it with --acquirer and --transaction-code`,
          )
        }
      }
    }
  }
  return found
}

function decoded(wire: Wire, value: Uint8Array): AuthorizationEvent | null {
  try {
    return wire.decodeEvent(value)
  } catch (error) {
    if (error instanceof MalformedRecordError) return null
    throw error
  }
}

function matches(event: AuthorizationEvent, { consecutive, acquirerId, transactionCode }: Wanted): boolean {
  if (!('command' in event)) return false
  const { scope } = event.command
  return (
    scope.consecutive === consecutive &&
    scope.acquirerId === (acquirerId ?? scope.acquirerId) &&
    scope.transactionCode === (transactionCode ?? scope.transactionCode)
  )
}

function isSame(a: StoredRecord, b: StoredRecord): boolean {
  return a.key === b.key && Buffer.from(a.value ?? []).equals(b.value ?? Buffer.alloc(0))
}

async function coveringOf(
  deps: ChainDeps,
  records: readonly StoredRecord[],
): Promise<ReadonlyMap<StoredRecord, Checkpoint>> {
  const covering = new Map<StoredRecord, Checkpoint>()
  for await (const { checkpoint } of standingCheckpoints(deps)) {
    for (const record of records) if (rangeOf(checkpoint, record)) covering.set(record, checkpoint)
    if (covering.size === records.length) break
  }
  return covering
}

function rangeOf({ ranges }: Checkpoint, { partition, offset }: StoredRecord) {
  return ranges.find(
    (range) => range.partition === partition && BigInt(range.first) <= offset && offset < BigInt(range.next),
  )
}

/** @throws ProofError when the range is not as it was signed. */
export async function proofOf(
  { source }: Pick<ChainDeps, 'source'>,
  record: StoredRecord,
  checkpoint: Checkpoint,
): Promise<ProofRecord> {
  const range = rangeOf(checkpoint, record)
  if (!range) throw new ProofError('the checkpoint does not cover the record')
  const { topic, partition, offset, key, headers, value } = record
  const leaves: Buffer[] = []
  let index = -1
  for await (const batch of source.read(TOPIC.events, partition, BigInt(range.first), BigInt(range.next))) {
    for (const one of batch) {
      if (one.offset === offset) index = leaves.length
      leaves.push(hashRecord(one).leaf)
    }
  }
  if (index < 0 || leaves.length !== range.records || !rootOf(leaves).equals(range.root)) {
    throw new ProofError(
      `the records around ${partition}/${offset} are not those that were signed: run \`npm run audit -- verify\``,
    )
  }
  return {
    topic,
    partition,
    offset: String(offset),
    key,
    headers,
    value: value && Buffer.from(value).toString('base64'),
    index,
    path: inclusionPath(leaves, index).map((hash) => hash.toString('base64')),
    checkpoint: { text: signedText(checkpoint), signature: Buffer.from(checkpoint.signature).toString('base64') },
  }
}
