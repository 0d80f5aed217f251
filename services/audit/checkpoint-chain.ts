// The chain of checkpoints, read in the order of its topic: which stand, and what is wrong with it.

import type { SignatureVerifier } from '../ports/keys.ts'
import type { StoredRecord } from '../ports/log.ts'
import type { Checkpoint, Wire } from '../ports/wire.ts'
import { TOPIC } from '../runtime/topics.ts'
import { advance, checkpointHash, NO_TIP, standingOf, type Tip } from './checkpoint.ts'
import type { EventSource } from './event-source.ts'
import type { Fault, FaultKind } from './fault.ts'
import { judgeCheckpoint } from './signed-checkpoint.ts'

export interface ChainSummary {
  /** That stand. */
  readonly checkpoints: number
  /** Rightly signed, but another one came first: two notaries at once. */
  readonly superseded: number
  readonly keyIds: readonly string[]
  /** Of checkpoints that could not be checked, since their key is not known. */
  readonly unknownKeyIds: readonly string[]
  readonly first: Named | null
  readonly last: Named | null
  readonly fault: Fault | null
}

/** By which one checkpoint can be told from all others. */
export interface Named {
  readonly sequence: number
  readonly hash: string
  readonly signedAt: number
}

/** One that stands, and how far those up to it cover. */
export interface Standing {
  readonly checkpoint: Checkpoint
  readonly hash: string
  readonly tip: Tip
}

export interface ChainDeps {
  readonly source: EventSource
  readonly wire: Pick<Wire, 'decodeCheckpoint'>
  readonly verifier: SignatureVerifier
}

const PARTITION = 0

/** Those that stand, in order, until something is wrong; what, is told by the summary. */
export async function* standingCheckpoints(
  { source, wire, verifier }: ChainDeps,
  note?: Note,
): AsyncGenerator<Standing> {
  if (!(await source.partitions(TOPIC.checkpoints)).includes(PARTITION)) return
  const { start } = await source.extent(TOPIC.checkpoints, PARTITION)
  let tip: Tip | null = start === 0n ? NO_TIP : null
  for await (const batch of source.read(TOPIC.checkpoints, PARTITION)) {
    for (const record of batch) {
      const judged = judgeCheckpoint(wire, verifier, record)
      if (judged.kind !== 'signed') {
        note?.fault(record, judged.kind === 'foreign' ? 'added' : 'wrong signature', oddity(judged), judged)
        return
      }
      const { checkpoint } = judged
      // Where the chain is read from its middle, the first one is taken as it is.
      tip ??= { sequence: checkpoint.sequence - 1, hash: checkpoint.previousHash, covered: new Map() }
      const standing = standingOf(checkpoint, tip)
      if (standing === 'unlinked') {
        const [kind, detail] = gap(checkpoint, tip)
        note?.fault(record, kind, detail, judged)
        return
      }
      if (standing === 'superseded') {
        note?.superseded()
        continue
      }
      tip = advance(tip, checkpoint)
      yield { checkpoint, hash: tip.hash, tip }
    }
  }
}

interface Note {
  superseded(): void
  fault(record: StoredRecord, kind: FaultKind, detail: string, judged: ReturnType<typeof judgeCheckpoint>): void
}

/**
 * Checks all signatures and links.
 * @param expected a checkpoint that was seen before and must still be there.
 */
export async function checkChain(
  deps: ChainDeps,
  expected: Pick<Named, 'sequence' | 'hash'> | null,
  onCheckpoint: (standing: Standing) => void = () => undefined,
): Promise<ChainSummary> {
  let [checkpoints, superseded] = [0, 0]
  let [first, last, fault]: [Named | null, Named | null, Fault | null] = [null, null, null]
  let met = expected === null
  const keyIds = new Set<string>()
  const unknownKeyIds = new Set<string>()
  const note: Note = {
    superseded: () => void superseded++,
    fault: (record, kind, detail, judged) => {
      fault = { kind, topic: TOPIC.checkpoints, partition: PARTITION, offset: record.offset, detail }
      if (judged.kind === 'unknown key') unknownKeyIds.add(judged.checkpoint.keyId)
    },
  }
  for await (const standing of standingCheckpoints(deps, note)) {
    const { checkpoint, hash } = standing
    checkpoints++
    keyIds.add(checkpoint.keyId)
    last = { sequence: checkpoint.sequence, hash, signedAt: checkpoint.signedAt }
    first ??= last
    if (expected?.sequence === checkpoint.sequence && expected.hash === hash) met = true
    onCheckpoint(standing)
  }
  if (!met && !fault) fault = await expectedIsGone(deps, expected)
  return { checkpoints, superseded, keyIds: [...keyIds], unknownKeyIds: [...unknownKeyIds], first, last, fault }
}

async function expectedIsGone({ source }: ChainDeps, expected: Pick<Named, 'sequence'> | null): Promise<Fault> {
  const known = (await source.partitions(TOPIC.checkpoints)).includes(PARTITION)
  const offset = known ? (await source.extent(TOPIC.checkpoints, PARTITION)).end : 0n
  const detail = `checkpoint ${expected?.sequence} with the expected hash is not there`
  return { kind: 'missing', topic: TOPIC.checkpoints, partition: PARTITION, offset, detail }
}

function oddity(judged: Exclude<ReturnType<typeof judgeCheckpoint>, { kind: 'signed' }>): string {
  switch (judged.kind) {
    case 'foreign':
      return 'a record that is no checkpoint'
    case 'unknown key':
      return `checkpoint ${judged.checkpoint.sequence} is signed with key ${judged.checkpoint.keyId}, whose public key was not given`
    case 'wrong signature':
      return `checkpoint ${judged.checkpoint.sequence} is not signed by key ${judged.checkpoint.keyId}`
  }
}

function gap(checkpoint: Checkpoint, tip: Tip): readonly [FaultKind, string] {
  if (checkpoint.sequence > tip.sequence + 1) {
    return ['missing', `checkpoint ${tip.sequence + 1} is not there; ${checkpoint.sequence} follows`]
  }
  if (checkpoint.previousHash !== tip.hash) {
    return [
      'forked',
      `checkpoint ${checkpoint.sequence} (${checkpointHash(checkpoint)}) does not name the one before it`,
    ]
  }
  return ['missing', `checkpoint ${checkpoint.sequence} does not go on where the one before it ends`]
}
