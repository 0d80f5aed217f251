// The outcome of a transaction: what is recorded once and answered however often.

import type { AccountType } from '../account/account.ts'
import type { AmountMinor } from '../money/amount.ts'
import type { Charge, ShownCardToken } from '../card-token/card-token.ts'
import type { ResponseCode, TransactionCode } from './codes.ts'

/** What became of a transaction. Undoing changes the state and leaves the answer as it was. */
export const OUTCOME_STATES = ['approved', 'declined', 'reversed', 'voided'] as const
export type OutcomeState = (typeof OUTCOME_STATES)[number]

/** A token as an outcome refers to it: enough to derive its digits where the ring is, and to find its record. */
export interface IssuedToken {
  readonly id: string
  readonly hash: string
  readonly digits: number
  readonly expiresAt: number
}

export interface Outcome {
  readonly transactionCode: TransactionCode
  readonly responseCode: ResponseCode
  /** Six digits, with an approval only. */
  readonly authorizationNumber?: string
  readonly token?: IssuedToken
  readonly state: OutcomeState
  readonly fingerprint: string
  /** What an undoing needs to know. */
  readonly amountMinor?: AmountMinor
  readonly accountType?: AccountType
  /** Another authorizer approved it, and has to undo it too. */
  readonly remote?: boolean
  /** Of a tokenization. */
  readonly cardToken?: ShownCardToken
  /** Of a charge that was asked for, approved or not, with its refunds. */
  readonly charge?: Charge
  /** Unix milliseconds. */
  readonly decidedAt: number
  /** Version of the slot whose event carries this outcome first. */
  readonly version: number
}

/** What a unit on a terminal's slot found of a terminal-bound token, recorded before the account's unit. */
export type Verdict = 'right' | 'wrong' | 'locked' | 'limited' | 'late' | 'undone'

export interface VerdictRecord {
  readonly verdict: Verdict
  /** The true reason, for the log only. */
  readonly reason: string
  readonly version: number
}

/**
 * What stands at a scope's slot. A claim says whose transaction a scope is; a marker says that a reversal came first.
 * Set once; only the late original's fingerprint is added to a marker.
 */
export type Claim =
  | { readonly kind: 'claim'; readonly fingerprint: string; readonly slot: string; readonly tokenSlot?: string }
  | { readonly kind: 'undoing'; readonly fingerprint: string; readonly original: string }
  | { readonly kind: 'marker'; readonly by: string; readonly fingerprint?: string }

/**
 * A transaction that another authorizer was, or is about to be, asked for: a state and no outcome. Whoever takes the
 * transaction up again never asks for the money again, but for what became of it.
 */
export interface Pending {
  readonly transactionCode: TransactionCode
  readonly fingerprint: string
  readonly amountMinor: AmountMinor
  readonly accountType?: AccountType
  /** Unix milliseconds. */
  readonly since: number
  /** Version of the slot whose event says so; on the log before the call. */
  readonly version: number
  /**
   * Whatever the answer is, it has to be undone: for the reversal that came meanwhile, or for itself, since nobody could
   * say what became of it.
   */
  readonly undoneBy?: string
}
