// Replies: what a worker sends back to the ingress that waits.

import type { AccountType } from '../account/account.ts'
import type { Charge, ShownCardToken } from '../card-token/card-token.ts'
import type { AmountMinor } from '../money/amount.ts'
import type { OutcomeState, IssuedToken } from './outcome.ts'
import type { ResponseCode } from './codes.ts'

export interface Reply {
  /** The scope answered, as `scopeKey` writes it. */
  readonly scope: string
  /** The fingerprint answered: several contents of one scope may wait. For an inquiry: ''. */
  readonly fingerprint: string
  /** The inquiry answered, else ''. */
  readonly inquiryId: string
  /** False: an inquiry found nothing that is decided. */
  readonly found: boolean
  readonly responseCode?: ResponseCode
  readonly authorizationNumber?: string
  readonly state?: OutcomeState
  readonly token?: IssuedToken
  /** What a claimed token was bound to. */
  readonly amountMinor?: AmountMinor
  readonly accountType?: AccountType
  /** Of a tokenization, as it is now; absent from the answer to an inquiry when its key is gone before it was spent. */
  readonly cardToken?: ShownCardToken & { readonly spent: boolean }
  /** Of a charge, or of the charge that was refunded: as it is now. Time and number beside it are the charge's. */
  readonly charge?: Charge
  /** Unix milliseconds at which it was decided. */
  readonly decidedAt?: number
  /** Whether the token is still live, unused and unclaimed, by present state: only then may the ingress show it. */
  readonly tokenShown: boolean
  readonly epoch: number
  readonly runId: string
}
