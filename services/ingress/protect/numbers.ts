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
export function withTerminal({ id, storeId, terminalId }: Omit<Acquirer, 'terminalHash'>, keys: KeyRing): Acquirer {
  return { id, storeId, terminalId, terminalHash: terminalHash(`${id}:${storeId}:${terminalId}`, keys) }
}

/** Terminals come again and again, and are no secret: their hashes are kept. Beyond so many, all are made anew. */
const MAX_TERMINALS = 10_000
const TERMINALS = new WeakMap<KeyRing, Map<string, string>>()

function terminalHash(terminal: string, keys: KeyRing): string {
  const known = TERMINALS.get(keys) ?? new Map<string, string>()
  const kept = known.get(terminal)
  if (kept !== undefined) return kept
  if (known.size >= MAX_TERMINALS) known.clear()
  const hash = keys.hash('terminal', terminal)
  TERMINALS.set(keys, known.set(terminal, hash))
  return hash
}
