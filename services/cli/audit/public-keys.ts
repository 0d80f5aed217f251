// The public keys that a command was given: a file, or the environment.

import type { KeyConfig } from '../../adapters/keys/key-ring.ts'
import { createSignatureVerifier } from '../../adapters/keys/signing.ts'
import { readPublicKeys } from '../../runtime/config-audit.ts'
import { signingKeysShape } from '../../runtime/config-keys.ts'
import { readTextFile } from '../../runtime/env.ts'
import { AuditProblem } from './frame.ts'

/** @throws AuditProblem, ConfigError, KeyRingError */
export function publicKeysFrom(file: string | undefined): readonly KeyConfig[] {
  if (file === undefined) return readPublicKeys(process.env)
  let value: unknown
  try {
    value = JSON.parse(readTextFile(file, '--public-keys'))
  } catch (error) {
    if (error instanceof SyntaxError) throw new AuditProblem('--public-keys: the file is no JSON')
    throw error
  }
  const parsed = signingKeysShape.safeParse(value)
  if (!parsed.success) throw new AuditProblem('--public-keys: the file must be what `npm run audit -- keys` prints')
  createSignatureVerifier(parsed.data)
  return parsed.data
}
