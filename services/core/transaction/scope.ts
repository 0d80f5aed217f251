// The scope of a transaction consecutive, and the names of slots. A slot is what has one version: see ARCHITECTURE.md.

import type { TransactionCode } from './codes.ts'

/** Where a transaction consecutive is unique: acquirer + transaction code + consecutive. */
export interface Scope {
  readonly acquirerId: string
  readonly transactionCode: TransactionCode
  readonly consecutive: string
}

/** One text for a scope, as keys and replies use it. None of its parts may hold a colon. */
export function scopeKey(scope: Scope): string {
  return `${scope.acquirerId}:${scope.transactionCode}:${scope.consecutive}`
}

/** The slot that holds a scope's claim or marker, and the outcomes that have no subject. */
export function scopeSlot(key: string): string {
  return `@${key}`
}

/** Slots of a holder (by document), a card without a holder, a card's record and a terminal; each by its keyed hash. */
export const holderSlot = (documentHash: string): string => `D.${documentHash}`
export const cardSlot = (cardHash: string): string => `C.${cardHash}`
export const cardRecordSlot = (cardHash: string): string => `K.${cardHash}`
export const terminalSlot = (terminalHash: string): string => `T.${terminalHash}`

/** Card tokens and orders have no subject of their own: they share as many slots as this many characters tell apart. */
const SHARED_SLOT_CHARACTERS = 3

/** Slots of card tokens (with their charges) and of orders. Bounded in number, since a slot is never forgotten. */
export const cardTokenSlot = (tokenHash: string): string => `V.${sharedSlot(tokenHash)}`
export const orderSlot = (orderHash: string): string => `O.${sharedSlot(orderHash)}`

/** A keyed hash is `<keyId>.<base64url>`: the key and the first characters. */
function sharedSlot(hash: string): string {
  return hash.slice(0, hash.indexOf('.') + 1 + SHARED_SLOT_CHARACTERS)
}
