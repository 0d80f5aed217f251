// Which code says that an account is missing.

import type { ResponseCode } from '../transaction/codes.ts'
import type { AccountType } from './account.ts'

/** 39 no credit, 52 no checking, 53 no savings account, 78 no such pocket. */
export const MISSING_ACCOUNT: Record<AccountType, ResponseCode> = {
  10: '53',
  20: '52',
  30: '39',
  80: '78',
  81: '78',
  82: '78',
  83: '78',
  84: '78',
}
