// What a consumer's handler gets, and how it says that it failed.

import type { PublicEvent } from './public-event.ts'

export interface HandlerContext {
  readonly partition: number
  readonly offset: bigint
  /** 1 for the first. Counts this run of the process only. */
  readonly attempt: number
  /** Aborted when the consumer was stopped and its time is up: what goes on then is done again later. */
  readonly signal: AbortSignal
}

/** Resolves when the event needs no other delivery. Events of one subject come one after the other. */
export type EventHandler = (event: PublicEvent, context: HandlerContext) => Promise<void> | void

/**
 * The handler failed in a way that may pass. Any other error counts as the same, told by its name alone.
 */
export class HandlerError extends Error {
  override readonly name = 'HandlerError'
  /** Not to be tried again before, milliseconds from now. */
  readonly retryAfterMs: number

  /** @param reason goes to logs, metrics and dead letters: must quote nothing of the event. */
  constructor(reason: string, { retryAfterMs = 0 }: { readonly retryAfterMs?: number } = {}) {
    super(reason)
    this.retryAfterMs = retryAfterMs
  }
}

/** Thrown by a handler: no more events. The consumer ends, and this event is the first of the next run. */
export class StopConsumingError extends Error {
  override readonly name: string = 'StopConsumingError'
}

/** What may be told of a failure. */
export function failureReason(error: unknown): string {
  if (error instanceof HandlerError || error instanceof StopConsumingError) return error.message
  const { name, code } = (error ?? {}) as { readonly name?: unknown; readonly code?: unknown }
  if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/.test(code)) return code
  return typeof name === 'string' && /^[\w.:-]{1,60}$/.test(name) ? name : 'Error'
}
