// Card numbers, document numbers and free text as everything behind the edge sees them: keyed hashes and masks. All
// dialects hash alike, so that what one of them names is found by another.

import { maskCardNumber, maskCardNumbersIn, maskDocument } from '../../core/card/mask.ts'
import type { Acquirer, ProtectedNumber, ProtectedText } from '../../core/transaction/command.ts'
import type { KeyRing } from '../../ports/keys.ts'
import type { Document } from './document.ts'

export function protectedCard(cardNumber: string, keys: KeyRing): ProtectedNumber {
  return { hash: keys.hash('card', cardNumber), mask: maskCardNumber(cardNumber) }
}

export function protectedDocument(document: Document, keys: KeyRing): ProtectedNumber {
  return { hash: keys.hash('document', `${document.type}:${document.number}`), mask: maskDocument(document) }
}

export function protectedText(raw: string, keys: KeyRing): ProtectedText {
  return { hash: keys.hash('metadata', raw), text: maskCardNumbersIn(raw) }
}

/** With the hash of the terminal. None of the three holds a colon. */
export function withTerminal(acquirer: Omit<Acquirer, 'terminalHash'>, keys: KeyRing): Acquirer {
  const { id, storeId, terminalId } = acquirer
  return { ...acquirer, terminalHash: keys.hash('terminal', `${id}:${storeId}:${terminalId}`) }
}
