// Facts: what a decision changes. Past tense, and complete: folding the facts of a slot's events gives its state.

import type { AccountType } from '../account/account.ts'
import type { Card, CardState } from '../card/card.ts'
import type { Guard } from '../guard/guard.ts'
import type { AmountMinor } from '../money/amount.ts'
import type { Token } from '../token/token.ts'
import type { CardToken, Refund } from '../card-token/card-token.ts'
import type { Claim, Outcome, OutcomeState, Pending, VerdictRecord } from '../transaction/outcome.ts'

export type Fact =
  | { readonly kind: 'token-issued'; readonly token: Token }
  | { readonly kind: 'token-spent'; readonly hash: string; readonly scope: string }
  | { readonly kind: 'token-ended'; readonly hash: string; readonly scope: string }
  | { readonly kind: 'token-claimed'; readonly hash: string; readonly clientId: string }
  | { readonly kind: 'guard-changed'; readonly guard: Guard }
  | { readonly kind: 'account-opened'; readonly accountType: AccountType; readonly amountMinor: AmountMinor }
  | { readonly kind: 'account-debited'; readonly accountType: AccountType; readonly amountMinor: AmountMinor }
  | { readonly kind: 'account-credited'; readonly accountType: AccountType; readonly amountMinor: AmountMinor }
  | { readonly kind: 'card-registered'; readonly card: Card }
  | { readonly kind: 'card-state-changed'; readonly state: CardState }
  | { readonly kind: 'outcome-recorded'; readonly scope: string; readonly outcome: Outcome }
  | { readonly kind: 'outcome-undone'; readonly scope: string; readonly state: OutcomeState }
  | { readonly kind: 'verdict-recorded'; readonly scope: string; readonly verdict: VerdictRecord }
  | { readonly kind: 'marker-set'; readonly marker: Extract<Claim, { kind: 'marker' }> }
  | { readonly kind: 'pending-recorded'; readonly scope: string; readonly pending: Pending }
  | { readonly kind: 'undo-wanted'; readonly scope: string; readonly by: string }
  | { readonly kind: 'card-token-issued'; readonly hash: string; readonly cardToken: CardToken }
  | { readonly kind: 'card-token-spent'; readonly hash: string; readonly scope: string }
  | { readonly kind: 'order-held'; readonly hash: string; readonly scope: string }
  | { readonly kind: 'order-freed'; readonly hash: string; readonly scope: string }
  | { readonly kind: 'refund-recorded'; readonly scope: string; readonly refund: Refund }
