// Payment tokens as records. The digits stand nowhere: a record holds the token's id and a keyed hash of its digits.

import type { AmountMinor } from '../money/amount.ts'
import type { AccountType } from '../account/account.ts'

/** What the generation named, which a purchase must repeat exactly (contract, "Binding"). */
export interface TokenBinding {
  readonly cardHash?: string
  readonly documentHash?: string
  readonly accountType?: AccountType
  readonly amountMinor?: AmountMinor
  readonly metadataHash?: string
  readonly acquirerId?: string
}

export type TokenState = 'live' | 'spent' | 'ended'

export interface Token {
  /** Random 128 bits, from which the digits are derived under a token key of the ring. */
  readonly id: string
  /** Keyed hash of subject and digits, by which a presented token is found. */
  readonly hash: string
  readonly digits: number
  readonly binding: TokenBinding
  /** Unix milliseconds. The token is good before `expiresAt`, not at it. */
  readonly issuedAt: number
  readonly expiresAt: number
  readonly state: TokenState
  /** The scope that spent or ended it. */
  readonly usedBy?: string
  /** The client for which it was claimed: only an app of that client can still use it. */
  readonly claimedBy?: string
}

/** A token that may be issued: drawn by the shell, chosen by `decide`. */
export interface TokenCandidate {
  readonly id: string
  readonly hash: string
}

/** Entry of a subject's index of tokens that can still be spent. At most `maxLiveTokens` of them are unexpired. */
export interface LiveToken {
  readonly hash: string
  readonly expiresAt: number
  readonly claimed?: boolean
}

/** How long after its end an unspent token is told from one that never was, in the event's reason only: 10 minutes. */
export const EXPIRED_TOKEN_MEMORY_MS = 600_000

/** Whether the index holds the token, unclaimed, at this time. Validity is by data, never by a store's TTL. */
export function isUntouched(live: readonly LiveToken[], hash: string, now: number): boolean {
  return live.some((token) => token.hash === hash && token.claimed !== true && now < token.expiresAt)
}
