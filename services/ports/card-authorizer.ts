// The authorizer of cards that holds the funds elsewhere: an acquirer's host, a core bank. Every call is idempotent under
// its key. A lost answer is 'unknown', never a guess.

import type { AmountMinor } from '../core/money/amount.ts'
import type { AuthorizerAnswer } from '../core/transaction/authorizer-answer.ts'

/** Money to be taken. Number and code are in memory for this one call: never logged, never kept. */
export interface AuthorizationRequest {
  /** Idempotency key: our scope key. */
  readonly key: string
  readonly operation: 'charge' | 'purchase' | 'withdrawal'
  readonly amountMinor: AmountMinor
  readonly currency: 'COP'
  readonly cardNumber: string
  readonly securityCode?: string
  /** Acquirer or merchant. */
  readonly merchantId: string
}

export interface RefundRequest {
  /** Idempotency key of the refund. */
  readonly key: string
  /** Key of the authorization that is refunded. */
  readonly original: string
  readonly amountMinor: AmountMinor
}

/** 'unknown': no answer, or one that cannot be understood. The money may have moved. */
export type Answered = AuthorizerAnswer | { readonly kind: 'unknown' }

/** Calls never throw for what the other side does, and end within the adapter's deadline. */
export interface CardAuthorizer {
  authorize(request: AuthorizationRequest): Promise<Answered>
  /** What became of an authorization. 'not-done' only when it never was and never will be: else 'unknown'. */
  inquire(key: string): Promise<Answered>
  /**
   * Undo an authorization, whether it ever arrived or not: one that arrives later must be declined. `false`: not
   * confirmed, ask again.
   */
  reverse(key: string): Promise<boolean>
  /** Give money back. Repeated under one key it is done once. */
  refund(request: RefundRequest): Promise<Answered>
}
