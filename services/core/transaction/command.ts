// Commands: what the edge asks for, already protected. No command holds a card number, a document number or a token
// in clear: see adapters/keys for how they are hashed, masked and sealed.

import type { AmountMinor } from '../money/amount.ts'
import type { AccountType } from '../account/account.ts'
import type { CardState, CardRestriction } from '../card/card.ts'
import type { Scope } from './scope.ts'
import type { CardBrand, SealedDetails, SealedNumber } from '../card-token/card-token.ts'
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

/** What else a caller says of a generation, for consumers only; card numbers in it are masked. */
export type Tags = Readonly<Record<string, string>>

export interface TokenGeneration extends FinancialBase {
  readonly kind: 'TOKEN_GENERATION'
  readonly card?: ProtectedNumber
  readonly document?: ProtectedNumber
  readonly accountType?: AccountType
  readonly amountMinor?: AmountMinor
  readonly restrictToAcquirer: boolean
  readonly ttlSeconds: number
  readonly tags?: Tags
}

export interface TokenSpending extends FinancialBase {
  readonly kind: 'TOKEN_PURCHASE' | 'TOKEN_WITHDRAWAL'
  readonly card: ProtectedNumber
  /** The presented token: AES-256-GCM, opened by the worker only. In a request only, never in an event. */
  readonly sealedToken?: Uint8Array
  readonly accountType: AccountType
  readonly amountMinor: AmountMinor
  /** The card is of a range whose funds another authorizer holds. */
  readonly remote?: boolean
  /** Its number, under a data key that the store holds for the call only. In a request only, never in an event. */
  readonly sealedNumber?: SealedNumber
}

/** Claims a token for the asking client, or ends it. Moves no money. */
export interface TokenUse extends CommandBase {
  readonly kind: 'TOKEN_CLAIM' | 'TOKEN_CANCELLATION'
  readonly document: ProtectedNumber
  readonly sealedToken?: Uint8Array
  /** Compared with what the token was bound to; absent: not compared. */
  readonly amountMinor?: AmountMinor
  readonly metadata?: ProtectedText
}

/** A card becomes a token that can be charged once. The consecutive is the keyed hash of the token's id. */
export interface CardTokenization extends CommandBase {
  readonly kind: 'CARD_TOKENIZATION'
  /** Keyed hash of the merchant and the token's id, which stands nowhere in clear. */
  readonly tokenHash: string
  readonly mask: string
  readonly brand: CardBrand
  readonly details: SealedDetails
  /** Under a data key that only the store holds, as long as the token can be charged. */
  readonly sealedNumber: SealedNumber
  /** Unix milliseconds from which the card's own date is past. */
  readonly cardExpiresAt: number
  readonly ttlSeconds: number
}

/** A merchant's own number of an order, good for one approved charge. */
export interface Order {
  /** Keyed hash of the merchant and the order's id. */
  readonly hash: string
  /** As sent, card numbers masked. */
  readonly id: string
}

export interface CardCharge extends CommandBase {
  readonly kind: 'CARD_CHARGE'
  readonly tokenHash: string
  readonly amountMinor: AmountMinor
  /** As sent, card numbers masked. */
  readonly description: string
  readonly order?: Order
}

export interface ChargeRefund extends CommandBase {
  readonly kind: 'CHARGE_REFUND'
  readonly original: Scope & { readonly transactionCode: 'CARD_CHARGE' }
  /** Absent: all that is left. */
  readonly amountMinor?: AmountMinor
  readonly description?: string
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

/** Forgets the wrong tokens of one subject, and its lock: exactly one of the three says which. */
export interface SubjectUnlock extends CommandBase {
  readonly kind: 'SUBJECT_UNLOCK'
  readonly document?: ProtectedNumber
  readonly card?: ProtectedNumber
  readonly terminalHash?: string
}

export type AccountCommand = CardRegistration | CardStateChange | AccountOpening | AccountCredit | SubjectUnlock

/** A command that leads to a decision, an outcome and an event. */
export type Command =
  TokenGeneration | TokenSpending | TokenUse | Undoing | CardTokenization | CardCharge | ChargeRefund | AccountCommand

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
