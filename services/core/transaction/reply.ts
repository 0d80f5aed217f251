// Replies: what a worker sends back to the ingress that waits.

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
  /** Whether the token is still live, unused and unclaimed, by present state: only then may the ingress show it. */
  readonly tokenShown: boolean
  readonly epoch: number
  readonly runId: string
}
