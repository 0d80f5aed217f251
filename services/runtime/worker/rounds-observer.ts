// What rounds tell whoever counts: metrics and tests. Names and figures, nothing of a transaction's content.

import type { CallsObserver } from './remote-calls.ts'

/** What a transaction met before it began again. */
export const RETRY_REASONS = ['store', 'log', 'contention', 'authorizer'] as const
export type RetryReason = (typeof RETRY_REASONS)[number]

export interface RoundsObserver extends Partial<CallsObserver> {
  round(transactions: number, seconds: number): void
  decided(transactionCode: string, responseCode: string): void
  conflict(): void
  retried(reason: RetryReason): void
  /** A mistake in the program: the process must stop, offsets stay. */
  bug(error: unknown): void
}
