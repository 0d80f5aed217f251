// Where a notary goes on: the newest checkpoint that stands, read from the end of the topic.

import { advance, NO_TIP, type Tip } from '../audit/checkpoint.ts'
import { judgeCheckpoint } from '../audit/signed-checkpoint.ts'
import type { SignatureVerifier } from '../ports/keys.ts'
import type { Log, StoredRecord } from '../ports/log.ts'
import type { Checkpoint, Wire } from '../ports/wire.ts'
import { TOPIC } from '../runtime/topics.ts'

/** Records of the first look back; each further one reads twice as many. */
const LOOK_BACK = 100

/** The notary must not sign. The message says what to do. */
export class NotaryError extends Error {
  override readonly name = 'NotaryError'
}

export interface FindTipDeps {
  readonly log: Log
  readonly wire: Wire
  readonly verifier: SignatureVerifier
}

export interface Start {
  readonly tip: Tip
  /** Offset in the checkpoints from which on they are not known. */
  readonly next: bigint
  /** By partition of the events, the first offset that no checkpoint covers. */
  readonly covered: readonly bigint[]
}

/**
 * @throws NotaryError when the newest checkpoint was signed with a key that is not known, or is of another log.
 * @throws LogError
 */
export async function findTip(deps: FindTipDeps): Promise<Start> {
  const { log } = deps
  const { start, end } = await log.extent(TOPIC.checkpoints, 0)
  let tip = NO_TIP
  for (let back = BigInt(LOOK_BACK); ; back *= 2n) {
    const from = end - back > start ? end - back : start
    const records: StoredRecord[] = []
    for await (const record of log.read(TOPIC.checkpoints, 0, from, end)) records.push(record)
    const found = newestOf(deps, records, from > start)
    if (found) tip = advance(NO_TIP, found)
    if (found || from === start) break
  }
  const partitions = await log.partitions(TOPIC.events)
  const covered = await Promise.all(
    Array.from({ length: partitions }, async (_, partition) => {
      const extent = await log.extent(TOPIC.events, partition)
      const offset = tip.covered.get(partition) ?? extent.start
      if (offset <= extent.end) return offset
      throw new NotaryError(
        `partition ${partition} of ${TOPIC.events} ends at ${extent.end}, but a checkpoint covers it up to ${offset}: this is not the log that was signed`,
      )
    }),
  )
  return { tip, next: end, covered }
}

/**
 * Notaries build on what stands only, so of those with the highest sequence the first one stands. Null when that may
 * lie before what was read.
 */
function newestOf({ wire, verifier }: FindTipDeps, records: readonly StoredRecord[], more: boolean): Checkpoint | null {
  const judged = records.map((record) => judgeCheckpoint(wire, verifier, record))
  const signed = judged.flatMap((record) => (record.kind === 'signed' ? record.checkpoint : []))
  const newest = signed.reduce((max, { sequence }) => Math.max(max, sequence), 0)
  for (const record of judged) {
    // Going on from an older one would leave a second checkpoint at each sequence.
    if (record.kind !== 'unknown key' || record.checkpoint.sequence < newest) continue
    throw new NotaryError(
      `a checkpoint is signed with key ${record.checkpoint.keyId}, which SIGNING_KEYS lacks: keep older keys behind the newest`,
    )
  }
  const first = signed.find(({ sequence }) => sequence === newest)
  const certain = !more || signed[0]?.sequence !== newest
  return certain ? (first ?? null) : null
}
