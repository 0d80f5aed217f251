// A card's record: who holds it, in which state it is, what it may not do.

export const CARD_STATES = ['active', 'inactive', 'blocked', 'lost', 'stolen'] as const
export type CardState = (typeof CARD_STATES)[number]

export const CARD_RESTRICTIONS = ['no-purchases', 'no-withdrawals'] as const
export type CardRestriction = (typeof CARD_RESTRICTIONS)[number]

export interface Card {
  /** Keyed hash of the holder's document. */
  readonly holderHash: string
  readonly state: CardState
  /** Unix milliseconds from which the card's own date is past. */
  readonly expiresAt: number
  readonly restrictions: readonly CardRestriction[]
}
