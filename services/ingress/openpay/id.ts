// Ids of tokens, charges and refunds: drawn here, since secrets are stored and answers are waited for under them.

import { randomInt } from 'node:crypto'
import { holdsCardNumber } from '../../core/card/mask.ts'

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789'
const ID_LENGTH = 20
const ID = /^[a-z0-9]{20}$/

/** 20 characters of `[a-z0-9]` from a secure source, uniform: 103 bits. None looks as if it held a card number. */
export function drawId(): string {
  for (;;) {
    const id = Array.from({ length: ID_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')
    if (!holdsCardNumber(id)) return id
  }
}

/** Whether it has the form of an id: nothing else was ever drawn. */
export function isId(text: string): boolean {
  return ID.test(text)
}
