// Commands: what the edge asks for, already protected. No command holds a card number, a document number or a token
// in clear: see adapters/keys for how they are hashed, masked and sealed.

import type { AmountMinor } from '../money/amount.ts'
import type { AccountType } from '../account/account.ts'
import type { CardState, CardRestriction } from '../card/card.ts'
import type { Scope } from './scope.ts'
import type { UndoableCode } from './codes.ts'

/** A card or document number as everything behind the edge sees it: keyed hash for equality, mask for people. */
export interface ProtectedNumber {
  readonly hash: string
  readonly mask: string
}

/** Free text: the keyed hash of what was sent, which binds, and the text with card numbers masked, which is stored. */
export interface ProtectedText {
  readonly hash: string
  readonly text: string
}

export interface Acquirer {
  readonly id: string
  readonly storeId: string
  readonly terminalId: string
  /** Keyed hash of all three: the terminal as a subject. */
  readonly terminalHash: string
}

interface CommandBase {
  readonly scope: Scope
  /** Keyed hash of the canonical content, its scope included. Equal content, equal fingerprint. */
  readonly fingerprint: string
  /** The organisation that asks, and its app. */
  readonly clientId: string
  readonly appKey: string
  /** Unix milliseconds, by the clock of the edge. */
  readonly requestedAt: number
  /** Unix milliseconds after which a transaction is declined with 68. Undoings and account commands have none. */
  readonly deadline?: number
}

interface FinancialBase extends CommandBase {
  readonly acquirer: Acquirer
  readonly metadata?: ProtectedText
}

export interface TokenGeneration extends FinancialBase {
  readonly kind: 'TOKEN_GENERATION'
  readonly card?: ProtectedNumber
  readonly document?: ProtectedNumber
  readonly accountType?: AccountType
  readonly amountMinor?: AmountMinor
  readonly restrictToAcquirer: boolean
  readonly ttlSeconds: number
}

export interface TokenSpending extends FinancialBase {
  readonly kind: 'TOKEN_PURCHASE' | 'TOKEN_WITHDRAWAL'
  readonly card: ProtectedNumber
  /** The presented token: AES-256-GCM, opened by the worker only. In a request only, never in an event. */
  readonly sealedToken?: Uint8Array
  readonly accountType: AccountType
  readonly amountMinor: AmountMinor
}

export interface Undoing extends FinancialBase {
  readonly kind: 'REVERSAL' | 'VOID'
  readonly original: Scope & { readonly transactionCode: UndoableCode }
  readonly amountMinor?: AmountMinor
}

export interface CardRegistration extends CommandBase {
  readonly kind: 'CARD_REGISTRATION'
  readonly card: ProtectedNumber
  readonly document: ProtectedNumber
  readonly state: CardState
  /** Unix milliseconds from which the card's date is past. */
  readonly expiresAt: number
  readonly restrictions: readonly CardRestriction[]
}

export interface CardStateChange extends CommandBase {
  readonly kind: 'CARD_STATE_CHANGE'
  readonly card: ProtectedNumber
  readonly state: CardState
}

export interface AccountOpening extends CommandBase {
  readonly kind: 'ACCOUNT_OPENING'
  readonly document: ProtectedNumber
  readonly accountType: AccountType
  readonly amountMinor: AmountMinor
}

export interface AccountCredit extends CommandBase {
  readonly kind: 'ACCOUNT_CREDIT'
  readonly document: ProtectedNumber
  readonly accountType: AccountType
  readonly amountMinor: AmountMinor
}

export type AccountCommand = CardRegistration | CardStateChange | AccountOpening | AccountCredit

/** A command that leads to a decision, an outcome and an event. */
export type Command = TokenGeneration | TokenSpending | Undoing | AccountCommand

/** A question about a scope: leads to a reply only, with what is on the log. */
export interface Inquiry {
  readonly kind: 'INQUIRY'
  /** The question's own id, by which its reply is correlated. */
  readonly inquiryId: string
  readonly of: Scope
}

/** What travels on a request topic. */
export interface Request {
  readonly body: Command | Inquiry
  /** Where the reply goes: a partition of the topic `replies`. */
  readonly replyPartition: number
  /** W3C trace context of the caller, passed through. */
  readonly traceparent?: string
}
