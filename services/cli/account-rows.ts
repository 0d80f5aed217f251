// Rows of an account file: one card with its holder, and at most one of the holder's accounts. Checks everything before
// anything is sent, and never quotes a value in a complaint.

import { z } from 'zod'
import { ACCOUNT_TYPES, type AccountType } from '../core/account/account.ts'
import { CARD_RESTRICTIONS, CARD_STATES, type CardRestriction, type CardState } from '../core/card/card.ts'
import { passesLuhn } from '../core/card/mask.ts'
import { minorOfPesos, type AmountMinor } from '../core/money/amount.ts'
import { cardExpiry, type SeedCard } from '../runtime/apps.ts'
import type { NumberedRow } from './account-import.ts'

export const ACCOUNT_COLUMNS = [
  'cardNumber',
  'documentType',
  'documentNumber',
  'state',
  'expires',
  'restrictions',
  'accountType',
  'balance',
] as const

export interface AccountRow {
  readonly cardNumber: string
  readonly document: { readonly type: string; readonly number: string }
  readonly state: CardState
  /** Unix milliseconds from which the card's date is past. */
  readonly expiresAt: number
  readonly restrictions: readonly CardRestriction[]
  readonly account?: { readonly type: AccountType; readonly amountMinor: AmountMinor }
}

const blank = (value: unknown) => (value === '' ? undefined : value)

const row = z
  .object({
    cardNumber: z
      .string()
      .regex(/^[0-9]{13,19}$/)
      .refine(passesLuhn),
    documentType: z.enum(['CC', 'CE', 'TI', 'NIT', 'PAS', 'PPT', 'RC']),
    documentNumber: z.string(),
    state: z.preprocess(blank, z.enum(CARD_STATES).default('active')),
    expires: z.string().regex(/^20[0-9]{2}-(0[1-9]|1[0-2])$/),
    restrictions: z
      .string()
      .default('')
      .transform((text) => (text === '' ? [] : text.split('|')))
      .pipe(z.array(z.enum(CARD_RESTRICTIONS))),
    accountType: z.preprocess(blank, z.enum(ACCOUNT_TYPES).optional()),
    balance: z.preprocess(
      blank,
      z
        .string()
        .regex(/^[0-9]{1,13}(\.[0-9]{1,2})?$/)
        .optional(),
    ),
  })
  .superRefine((value, context) => {
    const number = value.documentType === 'PAS' ? /^[A-Za-z0-9]{1,18}$/ : /^[0-9]{1,18}$/
    if (!number.test(value.documentNumber)) context.addIssue({ code: 'custom', path: ['documentNumber'] })
    if ((value.accountType === undefined) !== (value.balance === undefined))
      context.addIssue({ code: 'custom', path: ['balance'] })
  })

/** The row, or the names of its bad columns. */
export function accountRowOf(fields: Record<string, unknown>): AccountRow | { readonly bad: readonly string[] } {
  const parsed = row.safeParse(fields)
  if (!parsed.success) return { bad: [...new Set(parsed.error.issues.map((issue) => String(issue.path[0] ?? 'row')))] }
  const { cardNumber, documentType, documentNumber, state, expires, restrictions, accountType, balance } = parsed.data
  const amount =
    balance === undefined ? undefined : Number(balance) === 0 ? (0 as AmountMinor) : minorOfPesos(Number(balance))
  if (amount === null) return { bad: ['balance'] }
  return {
    cardNumber,
    document: { type: documentType, number: documentNumber },
    state,
    expiresAt: cardExpiry(expires),
    restrictions,
    account: accountType === undefined || amount === undefined ? undefined : { type: accountType, amountMinor: amount },
  }
}

/** The rows of a demo's cards: one for each account, or for the card alone. The line is the card's place. */
export function rowsOfCards(cards: readonly SeedCard[]): NumberedRow[] {
  return cards.flatMap(({ accounts, ...card }, i) => {
    const rows: AccountRow[] = accounts.length === 0 ? [card] : accounts.map((account) => ({ ...card, account }))
    return rows.map((row) => ({ line: i + 1, row }))
  })
}
