// The chain of one slot: versions without a gap, each event naming the hash of the one before. Judges one record after
// another of one partition; reads nothing.

import { SlotTable } from './slot-table.ts'

export interface Link {
  readonly slot: string
  readonly version: number
  readonly previousHash: string
  readonly offset: bigint
  /** SHA-256 of the event's bytes. */
  readonly hash: Buffer
}

export type ChainVerdict =
  /** In its place. */
  | { readonly kind: 'next' }
  /** The same bytes again. */
  | { readonly kind: 'duplicate' }
  /** An older version again: whether with the same bytes, only its first occurrence tells. */
  | { readonly kind: 'again' }
  | {
      readonly kind: 'changed' | 'missing' | 'forked'
      readonly detail: string
      readonly versions?: readonly [number, number]
    }

const NEXT: ChainVerdict = { kind: 'next' }
const DUPLICATE: ChainVerdict = { kind: 'duplicate' }
const AGAIN: ChainVerdict = { kind: 'again' }

export class Chains {
  readonly #heads = new SlotTable()
  readonly #fromBeginning: boolean

  /** @param fromBeginning whether the log is read from its first record, so that every slot must begin at version 1. */
  constructor(fromBeginning: boolean) {
    this.#fromBeginning = fromBeginning
  }

  get slots(): number {
    return this.#heads.size
  }

  judge(link: Link): ChainVerdict {
    const { slot, version, previousHash, offset, hash } = link
    const head = this.#heads.get(slot)
    if (!head) {
      const verdict = this.#first(link)
      if (verdict.kind === 'next') this.#heads.set(slot, version, Number(offset), hash)
      return verdict
    }
    if (version === head.version + 1) {
      if (!head.is(Buffer.from(previousHash, 'base64url'))) {
        return {
          kind: 'changed',
          detail: `${slot} version ${version} does not name the hash of version ${head.version} at offset ${head.offset}`,
        }
      }
      this.#heads.set(slot, version, Number(offset), hash)
      return NEXT
    }
    if (version === head.version)
      return head.is(hash) ? DUPLICATE : { kind: 'forked', detail: forked(slot, version, `at offset ${head.offset}`) }
    if (version < head.version) return version === head.version - 1 && head.wasBefore(hash) ? DUPLICATE : AGAIN
    return missing(slot, head.version + 1, version)
  }

  #first({ slot, version, previousHash }: Link): ChainVerdict {
    if (version === 1)
      return previousHash === '' ? NEXT : { kind: 'changed', detail: `${slot} version 1 names an event before it` }
    return this.#fromBeginning ? missing(slot, 1, version) : NEXT
  }
}

export function forked(slot: string, version: number, other: number | string): string {
  return `${slot} version ${version} is another event than ${other}`
}

function missing(slot: string, from: number, to: number): ChainVerdict {
  const versions = from === to - 1 ? `version ${from}` : `versions ${from} to ${to - 1}`
  return { kind: 'missing', detail: `${slot} ${versions} before version ${to}`, versions: [from, to - 1] }
}
