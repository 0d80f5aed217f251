// The guard of a subject counts wrong tokens in a sliding window and locks the subject (contract, "Guessing").

import type { Rules } from '../subject/rules.ts'

export interface Guard {
  /** Times of wrong tokens since the last right one, Unix milliseconds, oldest first. */
  readonly wrongAt: readonly number[]
  /** Unix milliseconds until which every purchase of the subject gets 75. */
  readonly lockedUntil: number
}

export const OPEN_GUARD: Guard = { wrongAt: [], lockedUntil: 0 }

export function isLocked(guard: Guard, now: number): boolean {
  return now < guard.lockedUntil
}

/** The guard after one more wrong token. The one that reaches the limit still gets 55, and locks. */
export function afterWrongToken(guard: Guard, now: number, rules: Rules): Guard {
  const wrongAt = [...guard.wrongAt.filter((at) => now - at < rules.guardWindowMs), now]
  const lockedUntil = wrongAt.length >= rules.wrongTokensToLock ? now + rules.lockMs : guard.lockedUntil
  return { wrongAt, lockedUntil }
}
