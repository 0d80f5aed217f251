// Response codes of a decision. What they say to a caller is an edge's business.

/** ISO 8583 style response codes that a decision can carry (contract, section 1). */
export const RESPONSE_CODES = [
  '00',
  '03',
  '05',
  '12',
  '13',
  '14',
  '25',
  '39',
  '41',
  '43',
  '51',
  '52',
  '53',
  '54',
  '55',
  '57',
  '59',
  '61',
  '62',
  '65',
  '68',
  '75',
  '78',
  '91',
  '94',
  '96',
] as const

export type ResponseCode = (typeof RESPONSE_CODES)[number]

/** What a caller may ask for over HTTP. */
export const FINANCIAL_CODES = ['TOKEN_GENERATION', 'TOKEN_PURCHASE', 'TOKEN_WITHDRAWAL', 'REVERSAL', 'VOID'] as const
/** What may be done with a token before it is spent, by who knows it. */
export const TOKEN_USE_CODES = ['TOKEN_CLAIM', 'TOKEN_CANCELLATION'] as const
/** Card tokens, their charges and refunds. */
export const CARD_TOKEN_CODES = ['CARD_TOKENIZATION', 'CARD_CHARGE', 'CHARGE_REFUND'] as const
/** What an operator may ask for. */
export const ACCOUNT_CODES = [
  'CARD_REGISTRATION',
  'CARD_STATE_CHANGE',
  'ACCOUNT_OPENING',
  'ACCOUNT_CREDIT',
  'SUBJECT_UNLOCK',
] as const
/** What can be undone. */
export const UNDOABLE_CODES = ['TOKEN_GENERATION', 'TOKEN_PURCHASE', 'TOKEN_WITHDRAWAL'] as const

export type FinancialCode = (typeof FINANCIAL_CODES)[number]
export type AccountCode = (typeof ACCOUNT_CODES)[number]
export type UndoableCode = (typeof UNDOABLE_CODES)[number]
export type TokenUseCode = (typeof TOKEN_USE_CODES)[number]
export type CardTokenCode = (typeof CARD_TOKEN_CODES)[number]
export type TransactionCode = FinancialCode | TokenUseCode | CardTokenCode | AccountCode

/** Every transaction code there is. */
export const TRANSACTION_CODES: readonly [TransactionCode, ...TransactionCode[]] = [
  ...FINANCIAL_CODES,
  ...TOKEN_USE_CODES,
  ...CARD_TOKEN_CODES,
  ...ACCOUNT_CODES,
]
