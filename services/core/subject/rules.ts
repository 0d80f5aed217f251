// The rules a decision is taken by: limits and times, as configured. Each event carries their version and id.

import type { AmountMinor } from '../money/amount.ts'

/** Version of the rules as code. Raised whenever `decide` would answer a recorded command in another way. */
export const RULE_VERSION = 1

/** Configured limits. Times in milliseconds, money in minor units. Defaults are those of the contract. */
export interface Rules {
  /** Digits of a token bound to a document or card: 6-10. */
  readonly tokenDigits: number
  /** Digits of a token bound only to a terminal. A purchase tells by the length where to look. */
  readonly terminalTokenDigits: number
  readonly maxLiveTokens: number
  readonly wrongTokensToLock: number
  readonly guardWindowMs: number
  readonly lockMs: number
  /** Wrong tokens from one terminal in a fixed window, above which it gets 65. */
  readonly terminalWrongTokens: number
  readonly terminalWindowMs: number
  readonly maxAmountMinor: AmountMinor
  /** A withdrawal is a multiple of this note. */
  readonly withdrawalNoteMinor: AmountMinor
  /** How long a transaction consecutive is remembered. */
  readonly outcomeRetentionMs: number
  /** How long a charge is remembered: it can be refunded and shown that long. Not less than outcomes are. */
  readonly chargeRetentionMs: number
}

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

/** The contract's values (section 1), and a note of 10,000.00, the smallest a Colombian teller machine pays. */
export const DEFAULT_RULES: Rules = {
  tokenDigits: 6,
  terminalTokenDigits: 12,
  maxLiveTokens: 5,
  wrongTokensToLock: 5,
  guardWindowMs: 15 * MINUTE_MS,
  lockMs: 15 * MINUTE_MS,
  terminalWrongTokens: 1_000,
  terminalWindowMs: 15 * MINUTE_MS,
  maxAmountMinor: 500_000_000 as AmountMinor,
  withdrawalNoteMinor: 1_000_000 as AmountMinor,
  outcomeRetentionMs: 7 * DAY_MS,
  chargeRetentionMs: 180 * DAY_MS,
}
