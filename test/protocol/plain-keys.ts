// A key ring without keys, for tests of decisions: hashes are readable, so that a failing trace can be understood.

import { SealError, type KeyRing } from '../../services/ports/keys.ts'

const PRIME = 7_919

export const plainKeys: KeyRing = {
  hash: (purpose, text) => `${purpose}-${text.replace(/[^A-Za-z0-9]+/g, '-')}`,
  seal: (plain) => Buffer.from(plain),
  open: (sealed) => Buffer.from(sealed).toString(),
  sealCard: (number, context) => ({ sealedNumber: `sealed-${number}`, wrappedKey: `key-${context}` }),
  openCard: (sealedNumber, wrappedKey, context) => {
    if (wrappedKey !== `key-${context}`) throw new SealError('another context')
    return sealedNumber.replace('sealed-', '')
  },
  issue: (slot, tokenId, digits) => ({
    digits: digitsOf(tokenId, digits),
    hash: `${slot}.${digitsOf(tokenId, digits)}`,
  }),
  reveal: ({ id, digits }) => digitsOf(id, digits),
  presentedHashes: (slot, digits) => [`${slot}.${digits}`],
}

function digitsOf(tokenId: string, digits: number): string {
  const sum = [...tokenId].reduce((total, char) => (total * 31 + char.charCodeAt(0)) % 10 ** 9, PRIME)
  return String(sum).padStart(digits, '7').slice(-digits)
}
