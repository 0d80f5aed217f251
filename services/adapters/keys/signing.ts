// Ed25519 signatures of the notary, and the check of them, on node:crypto. Private keys stay inside as KeyObjects.

import { createPrivateKey, createPublicKey, randomBytes, sign, verify, type KeyObject } from 'node:crypto'
import type { SignatureVerifier, Signer } from '../../ports/keys.ts'
import { KeyRingError, type KeyConfig } from './key-ring.ts'

const KEY_BYTES = 32
const MAX_KEYS = 64
/** DER of PKCS #8 and of SubjectPublicKeyInfo up to the 32 bytes of the key (RFC 8410). */
const PRIVATE_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')
const PUBLIC_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')

/** Signs with the first, the newest, of the keys: 32 random bytes in base64 each. @throws KeyRingError */
export function createSigner(keys: readonly KeyConfig[]): Signer {
  const [newest] = checked('signing', keys)
  if (!newest) throw new KeyRingError('signing: a key is needed')
  const key = privateKeyOf(newest.bytes)
  return { keyId: newest.id, sign: (text) => sign(null, Buffer.from(text), key) }
}

/** @param keys public keys: 32 bytes in base64 each. @throws KeyRingError */
export function createSignatureVerifier(keys: readonly KeyConfig[]): SignatureVerifier {
  const known = new Map(checked('public', keys).map(({ id, bytes }) => [id, publicKeyOf(bytes)]))
  return {
    keyIds: [...known.keys()],
    verify(keyId, text, signature) {
      const key = known.get(keyId)
      if (!key) return 'unknown key'
      return verify(null, Buffer.from(text), key, signature) ? 'right' : 'wrong'
    },
  }
}

/** The public keys of signing keys, in the same form. @throws KeyRingError */
export function publicKeysOf(keys: readonly KeyConfig[]): readonly KeyConfig[] {
  return checked('signing', keys).map(({ id, bytes }) => {
    const der = createPublicKey(privateKeyOf(bytes)).export({ type: 'spki', format: 'der' })
    return { id, key: der.subarray(PUBLIC_PREFIX.length).toString('base64') }
  })
}

/** A fresh signing key. @throws KeyRingError for an id that is none. */
export function drawSigningKey(id: string): KeyConfig {
  const key = { id, key: randomBytes(KEY_BYTES).toString('base64') }
  checked('signing', [key])
  return key
}

function privateKeyOf(seed: Buffer): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PRIVATE_PREFIX, seed]), format: 'der', type: 'pkcs8' })
}

function publicKeyOf(bytes: Buffer): KeyObject {
  return createPublicKey({ key: Buffer.concat([PUBLIC_PREFIX, bytes]), format: 'der', type: 'spki' })
}

function checked(kind: string, keys: readonly KeyConfig[]): readonly { id: string; bytes: Buffer }[] {
  const few = keys.length >= 1 && keys.length <= MAX_KEYS
  if (!few) throw new KeyRingError(`${kind}: 1 to ${MAX_KEYS} keys are needed`)
  if (new Set(keys.map(({ id }) => id)).size < keys.length) throw new KeyRingError(`${kind}: two keys have one id`)
  return keys.map(({ id, key }) => {
    if (!/^[a-z0-9]{1,8}$/.test(id)) throw new KeyRingError(`${kind}: the id of a key is 1 to 8 of a-z and 0-9`)
    const bytes = Buffer.from(key, 'base64')
    const exact = bytes.toString('base64').replace(/=+$/, '') === key.replace(/=+$/, '')
    if (!exact || bytes.length !== KEY_BYTES)
      throw new KeyRingError(`${kind}: key ${id} is not ${KEY_BYTES} bytes in base64`)
    return { id, bytes }
  })
}
