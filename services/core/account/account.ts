// Accounts and pockets of a holder. All cards of one holder share them.

import type { AmountMinor } from '../money/amount.ts'

/** 10 savings, 20 checking, 30 credit, 80-84 pockets (contract, section 1). */
export const ACCOUNT_TYPES = ['10', '20', '30', '80', '81', '82', '83', '84'] as const
export type AccountType = (typeof ACCOUNT_TYPES)[number]

export interface Account {
  readonly type: AccountType
  readonly balanceMinor: AmountMinor
}
