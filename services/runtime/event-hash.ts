// The hash by which an event is known: the link of a slot's chain.

import { hash } from 'node:crypto'

/** SHA-256, base64url. */
export function hashOf(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'base64url')
}
