// Transaction codes as callers write them: those of the contract, and an app's own names for them.

import { FINANCIAL_CODES, UNDOABLE_CODES, type FinancialCode, type UndoableCode } from '../../core/transaction/codes.ts'
import type { EvertecAppConfig } from '../../runtime/apps.ts'

/** The code meant, or null when it is none. An app's own name goes before the contract's. */
export function codeMeant(app: Pick<EvertecAppConfig, 'transactionCodes'>, sent: string): FinancialCode | null {
  const meant = Object.hasOwn(app.transactionCodes, sent) ? app.transactionCodes[sent] : sent
  return FINANCIAL_CODES.find((code) => code === meant) ?? null
}

/** Whether a transaction of this code can be undone. */
export function isUndoable(code: FinancialCode | null): code is UndoableCode {
  return UNDOABLE_CODES.some((undoable) => undoable === code)
}
