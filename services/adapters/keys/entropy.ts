// Entropy of the operating system. Never seeded: the simulation has its own.

import { randomBytes, randomInt } from 'node:crypto'
import type { Entropy } from '../../ports/entropy.ts'

const AUTHORIZATION_DIGITS = 6
/** 128 bits. */
const TOKEN_ID_BYTES = 16
/** Bytes asked of the system at once: a call for each draw would cost more than what the draw is for. */
const POOL_BYTES = 4_096

let pool: Buffer = Buffer.alloc(0)
let used = 0

/** Secure random bytes, at most `POOL_BYTES`, handed out once. */
export function drawBytes(count: number): Buffer {
  if (used + count > pool.length) {
    pool = randomBytes(POOL_BYTES)
    used = 0
  }
  used += count
  return pool.subarray(used - count, used)
}

export const systemEntropy: Entropy = {
  authorizationNumber: () => String(randomInt(10 ** AUTHORIZATION_DIGITS)).padStart(AUTHORIZATION_DIGITS, '0'),
  tokenId: () => drawBytes(TOKEN_ID_BYTES).toString('base64url'),
}
