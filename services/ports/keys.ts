// The key ring: keyed hashes for equality, seals for what only a worker may read, tokens derived from their ids.
// No key leaves it. Every hash and ciphertext names the key it was made with.

import type { SealedNumber } from '../core/card-token/card-token.ts'

/** What a keyed hash is of: the same text hashes differently for each. */
export type HashPurpose =
  'card' | 'document' | 'terminal' | 'metadata' | 'fingerprint' | 'card-token' | 'order' | 'nonce' | 'session'

export interface KeyRing {
  /** Keyed hash under the identity key: `<keyId>.<base64url of 144 bits>`. Equal text, equal hash. */
  hash(purpose: HashPurpose, text: string): string
  /**
   * AES-256-GCM under the newest seal key and a fresh nonce; `context` must be given again to open it.
   */
  seal(plain: string, context: string): Uint8Array
  /** @throws SealError when the key is unknown, the context differs or the bytes were changed. */
  open(sealed: Uint8Array, context: string): string
  /**
   * A card number under a data key of its own, and that key, wrapped under the newest seal key: who loses the wrapped
   * key loses the number.
   */
  sealCard(number: string, context: string): { readonly sealedNumber: SealedNumber; readonly wrappedKey: string }
  /** @throws SealError as `open`. */
  openCard(sealedNumber: SealedNumber, wrappedKey: string, context: string): string
  /** The digits of a token under the newest token key, and its hash for the subject's slot. */
  issue(slot: string, tokenId: string, digits: number): { readonly digits: string; readonly hash: string }
  /** The digits of an issued token, under the key that its hash names. @throws SealError when the ring lacks it. */
  reveal(token: { readonly id: string; readonly hash: string; readonly digits: number }): string
  /** The hash of presented digits for a slot under every token key, newest first. */
  presentedHashes(slot: string, digits: string): readonly string[]
}

/** Signs with one key: Ed25519 (RFC 8032). */
export interface Signer {
  readonly keyId: string
  sign(text: string): Uint8Array
}

/** Checks signatures by the public keys it was given. */
export interface SignatureVerifier {
  readonly keyIds: readonly string[]
  verify(keyId: string, text: string, signature: Uint8Array): 'right' | 'wrong' | 'unknown key'
}

/** A sealed value that does not open. Not retryable. */
export class SealError extends Error {
  override readonly name = 'SealError'
}
