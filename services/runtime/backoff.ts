// How long to wait before a failed attempt is made again: longer each time, up to a limit, spread at random so that
// many that failed together do not come back together. Waits itself nowhere.

export interface Backoff {
  /** Before the second attempt, milliseconds. */
  readonly firstMs: number
  /** Never longer than this, milliseconds. */
  readonly maxMs: number
  /** Attempts in all, the first included. */
  readonly attempts: number
}

/**
 * The wait after the failed attempt number `attempt` (from 1), milliseconds; null when no more attempts are left.
 * Half of it is fixed, half is drawn. @param random a number from 0 up to, not including, 1.
 */
export function backoffMs({ firstMs, maxMs, attempts }: Backoff, attempt: number, random: number): number | null {
  if (attempt >= attempts) return null
  const full = Math.min(firstMs * 2 ** (attempt - 1), maxMs)
  return Math.round(full / 2 + (full / 2) * random)
}
