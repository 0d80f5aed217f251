// Which signed checkpoint covers a record, and the proof that the record is in it: its place in the tree, and the hashes
// that lead to the signed root. Checked here as well; `prove` makes the file that others check.

import type { SignatureVerifier } from '../../ports/keys.ts'
import type { Checkpoint, CheckpointRange, Wire } from '../../ports/wire.ts'
import { TOPIC } from '../../runtime/topics.ts'
import { standingCheckpoints } from '../checkpoint-chain.ts'
import type { EventSource } from '../event-source.ts'
import { inclusionPath, rootOfPath } from '../merkle.ts'
import { hashRecord } from '../record-hash.ts'

export interface Place {
  readonly partition: number
  readonly offset: bigint
}

export interface Coverage {
  readonly sequence: number
  readonly keyId: string
  /** Unix milliseconds. */
  readonly signedAt: number
  readonly leaf: number
  readonly leaves: number
  /** base64url, from the leaf up. */
  readonly path: readonly string[]
  readonly root: string
  /** Whether leaf and path lead to the signed root: the record is as it was signed. */
  readonly proved: boolean
}

interface Found {
  readonly checkpoint: Checkpoint
  readonly range: CheckpointRange
}

export const placeName = ({ partition, offset }: Place): string => `${partition}/${offset}`

/** By the name of the place; what no checkpoint covers is not in it. */
export async function coverageOf(
  places: readonly Place[],
  deps: {
    readonly source: EventSource
    readonly wire: Pick<Wire, 'decodeCheckpoint'>
    readonly verifier: SignatureVerifier
  },
): Promise<ReadonlyMap<string, Coverage>> {
  const covered = new Map<string, Coverage>()
  const open = new Map(places.map((place) => [placeName(place), place]))
  for await (const { checkpoint } of standingCheckpoints(deps)) {
    if (open.size === 0) break
    for (const range of checkpoint.ranges) {
      const inside = [...open].filter(([, place]) => isInside(place, range))
      if (inside.length === 0) continue
      const leaves = await leavesOf(deps.source, range)
      for (const [name, { offset }] of inside) {
        covered.set(name, coverage({ checkpoint, range }, leaves, offset))
        open.delete(name)
      }
    }
  }
  return covered
}

function isInside({ partition, offset }: Place, range: CheckpointRange): boolean {
  return partition === range.partition && offset >= BigInt(range.first) && offset < BigInt(range.next)
}

async function leavesOf(source: EventSource, { partition, first, next }: CheckpointRange) {
  const leaves: { readonly offset: bigint; readonly leaf: Buffer }[] = []
  for await (const batch of source.read(TOPIC.events, partition, BigInt(first), BigInt(next)))
    for (const record of batch) leaves.push({ offset: record.offset, leaf: hashRecord(record).leaf })
  return leaves
}

function coverage(
  { checkpoint, range }: Found,
  leaves: readonly { readonly offset: bigint; readonly leaf: Buffer }[],
  offset: bigint,
): Coverage {
  const at = leaves.findIndex((leaf) => leaf.offset === offset)
  const own = leaves[at]?.leaf
  const path = own
    ? inclusionPath(
        leaves.map(({ leaf }) => leaf),
        at,
      )
    : []
  const root = own ? rootOfPath(own, at, leaves.length, path) : null
  return {
    sequence: checkpoint.sequence,
    keyId: checkpoint.keyId,
    signedAt: checkpoint.signedAt,
    leaf: at,
    leaves: leaves.length,
    path: path.map((hash) => hash.toString('base64url')),
    root: Buffer.from(range.root).toString('base64url'),
    proved: root !== null && leaves.length === range.records && root.equals(Buffer.from(range.root)),
  }
}
