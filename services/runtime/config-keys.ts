// The shape of a key ring in configuration. The bytes are judged where the ring is made, which names the key, not them.

import { z } from 'zod'
import type { KeyConfig, KeyRingConfig } from '../adapters/keys/key-ring.ts'

const key = z.strictObject({ id: z.string().max(8), key: z.string().max(256) })

export const keyRingShape: z.ZodType<KeyRingConfig> = z.strictObject({
  identity: key,
  token: z.array(key).min(1).max(8),
  seal: z.array(key).min(1).max(8),
})

/** Ed25519 keys of the notary, newest first, or the public halves of them. */
export const signingKeysShape: z.ZodType<readonly KeyConfig[]> = z.array(key).min(1).max(64)
