// A card's standing: is it known for this subject, and in a state that lets it act?

import { cardSlot, holderSlot } from '../transaction/scope.ts'
import type { ResponseCode } from '../transaction/codes.ts'
import type { Card } from './card.ts'

export interface CardDecline {
  readonly code: Extract<ResponseCode, '14' | '41' | '43' | '54' | '62'>
  readonly reason: string
}

/**
 * Why a card may not act for the subject of `slot`, or null. An unregistered card is its own subject unless somebody
 * says whose it is (`holderNamed`); a registered one acts for its holder only.
 */
export function cardDecline(
  slot: string,
  cardHash: string,
  card: Card | null,
  now: number,
  holderNamed: boolean,
): CardDecline | null {
  if (!card) {
    return holderNamed || slot !== cardSlot(cardHash) ? { code: '14', reason: 'card-not-registered' } : null
  }
  if (slot !== holderSlot(card.holderHash)) return { code: '14', reason: 'card-of-another-holder' }
  return stateDecline(card, now)
}

/** 41, 43, 62 or 54, in the contract's order, or null. */
export function stateDecline(card: Card, now: number): CardDecline | null {
  switch (card.state) {
    case 'lost':
      return { code: '41', reason: 'card-lost' }
    case 'stolen':
      return { code: '43', reason: 'card-stolen' }
    case 'blocked':
    case 'inactive':
      return { code: '62', reason: `card-${card.state}` }
    case 'active':
      return now >= card.expiresAt ? { code: '54', reason: 'card-expired' } : null
  }
}
