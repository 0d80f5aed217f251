// The key ring on node:crypto: keyed hashes, seals, and tokens derived from their ids. Keys stay inside as KeyObjects;
// no error or result quotes one.

import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import type { SealedNumber } from '../../core/card-token/card-token.ts'
import { SealError, type HashPurpose, type KeyRing } from '../../ports/keys.ts'
import { drawBytes } from './entropy.ts'

/** A key as configured: an id of 1-8 of `[a-z0-9]`, which hashes and seals carry, and its bytes in base64. */
export interface KeyConfig {
  readonly id: string
  readonly key: string
}

export interface KeyRingConfig {
  /** At least 32 bytes. Its hashes are equality keys: it does not rotate while the service runs. */
  readonly identity: KeyConfig
  /** At least 32 bytes each, newest first. One is kept for as long as tokens made with it may live. */
  readonly token: readonly KeyConfig[]
  /**
   * 32 bytes each, newest first. One is kept for as long as requests are, and makes at most 2^32 seals, since nonces
   * are drawn (NIST SP 800-38D, section 8.3).
   */
  readonly seal: readonly KeyConfig[]
}

/** A ring that cannot be used. The message names the key by its id and the rule, never its bytes. */
export class KeyRingError extends Error {
  override readonly name = 'KeyRingError'
}

const MIN_KEY_BYTES = 32
const SEAL_KEY_BYTES = 32
/** Keys of one kind that may be held: each costs every presented token a hash. */
const MAX_KEYS = 8
/** Characters of base64url: the first 144 bits of a keyed hash, without a rest. */
const HASH_LENGTH = 24
const SEAL_VERSION = 1
const NONCE_BYTES = 12
const TAG_BYTES = 16
const MIN_TOKEN_DIGITS = 6
const MAX_TOKEN_DIGITS = 19
/** Bytes from here on are drawn again: below it each digit stands for exactly 25 of them. */
const UNBIASED_BYTES = 250
/** A block of 32 bytes yields 31 digits on average: to need a tenth is beyond any chance. */
const MAX_DIGIT_BLOCKS = 10

interface TokenKey {
  readonly id: string
  readonly digits: KeyObject
  readonly hash: KeyObject
}

interface SealKey {
  readonly id: string
  readonly key: KeyObject
}

/** @throws KeyRingError when a key is too short, no base64, has no proper id, or shares its id within its kind. */
export function createKeyRing(config: KeyRingConfig): KeyRing {
  const identity = readKey('identity', config.identity)
  const tokens = readKeys('token', config.token).map(({ id, bytes }): TokenKey => ({
    id,
    digits: derive(bytes, 'token-digits'),
    hash: derive(bytes, 'token-hash'),
  }))
  const seals = readKeys('seal', config.seal).map(({ id, bytes }): SealKey => ({ id, key: derive(bytes, 'seal') }))
  return new Ring(`${identity.id}.`, derive(identity.bytes, 'identity'), tokens, seals)
}

class Ring implements KeyRing {
  readonly #identityPrefix: string
  readonly #identity: KeyObject
  readonly #tokens: readonly TokenKey[]
  readonly #newestToken: TokenKey
  readonly #seals: ReadonlyMap<string, SealKey>
  readonly #newestSeal: SealKey
  readonly #sealHeader: Buffer

  constructor(identityPrefix: string, identity: KeyObject, tokens: readonly TokenKey[], seals: readonly SealKey[]) {
    this.#identityPrefix = identityPrefix
    this.#identity = identity
    this.#tokens = tokens
    this.#newestToken = newest(tokens)
    this.#seals = new Map(seals.map((seal) => [seal.id, seal]))
    this.#newestSeal = newest(seals)
    this.#sealHeader = sealHeader(this.#newestSeal.id)
  }

  hash(purpose: HashPurpose, text: string): string {
    return this.#identityPrefix + shortMac(this.#identity, `${purpose}\0${text}`)
  }

  seal(plain: string, context: string): Uint8Array {
    return Buffer.concat([this.#sealHeader, ...encrypt(this.#newestSeal.key, plain, context)])
  }

  open(sealed: Uint8Array, context: string): string {
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
    const bodyAt = 2 + (bytes[1] ?? 0) + NONCE_BYTES
    const whole = bytes[0] === SEAL_VERSION && bytes.length >= bodyAt + TAG_BYTES
    if (!whole) throw new SealError('not a seal of this version')
    const seal = this.#seals.get(bytes.toString('latin1', 2, bodyAt - NONCE_BYTES))
    if (!seal) throw new SealError('sealed with a key that the ring lacks')
    return decrypt(seal.key, bytes.subarray(bodyAt - NONCE_BYTES), context)
  }

  sealCard(number: string, context: string): { readonly sealedNumber: SealedNumber; readonly wrappedKey: string } {
    const dataKey = drawBytes(SEAL_KEY_BYTES)
    const sealedNumber = Buffer.concat(encrypt(createSecretKey(dataKey), number, context)).toString('base64url')
    const wrapped = this.seal(dataKey.toString('base64'), wrapContext(context))
    return { sealedNumber, wrappedKey: Buffer.from(wrapped).toString('base64url') }
  }

  openCard(sealedNumber: SealedNumber, wrappedKey: string, context: string): string {
    const dataKey = Buffer.from(this.open(Buffer.from(wrappedKey, 'base64url'), wrapContext(context)), 'base64')
    const sealed = Buffer.from(sealedNumber, 'base64url')
    if (sealed.length < NONCE_BYTES + TAG_BYTES) throw new SealError('not a sealed number')
    return decrypt(createSecretKey(dataKey), sealed, context)
  }

  issue(slot: string, tokenId: string, digits: number): { readonly digits: string; readonly hash: string } {
    const text = deriveDigits(this.#newestToken, tokenId, digits)
    return { digits: text, hash: tokenHash(this.#newestToken, slot, text) }
  }

  reveal(token: { readonly id: string; readonly hash: string; readonly digits: number }): string {
    const keyId = token.hash.slice(0, Math.max(token.hash.indexOf('.'), 0))
    const key = this.#tokens.find(({ id }) => id === keyId)
    if (!key) throw new SealError('issued under a key that the ring lacks')
    return deriveDigits(key, token.id, token.digits)
  }

  presentedHashes(slot: string, digits: string): readonly string[] {
    return this.#tokens.map((key) => tokenHash(key, slot, digits))
  }
}

/** A data key is sealed for its use, so that no seal of another kind can stand in for it. */
function wrapContext(context: string): string {
  return `data-key\0${context}`
}

/** Nonce, body, tag. */
function encrypt(key: KeyObject, plain: string, context: string): readonly Buffer[] {
  const nonce = drawBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(Buffer.from(context))
  const body = cipher.update(plain, 'utf8')
  return [nonce, body, cipher.final(), cipher.getAuthTag()]
}

function decrypt(key: KeyObject, bytes: Buffer, context: string): string {
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES))
  decipher.setAAD(Buffer.from(context))
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES))
  try {
    const body = bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES)
    return decipher.update(body, undefined, 'utf8') + decipher.final('utf8')
  } catch {
    throw new SealError('the seal was changed, or is of another context')
  }
}

/** Uniform digits from the token's id: bytes of a keyed hash, of which those that would favour a digit are left out. */
function deriveDigits(key: TokenKey, tokenId: string, count: number): string {
  if (!Number.isInteger(count) || count < MIN_TOKEN_DIGITS || count > MAX_TOKEN_DIGITS) {
    throw new RangeError(`a token has ${MIN_TOKEN_DIGITS} to ${MAX_TOKEN_DIGITS} digits`)
  }
  let digits = ''
  for (let block = 0; block < MAX_DIGIT_BLOCKS; block += 1) {
    const bytes = createHmac('sha256', key.digits).update(`digits\0${tokenId}\0${block}`).digest('binary')
    for (let index = 0; index < bytes.length && digits.length < count; index += 1) {
      const byte = bytes.charCodeAt(index)
      if (byte < UNBIASED_BYTES) digits += byte % 10
    }
    if (digits.length === count) return digits
  }
  throw new RangeError('a keyed hash gave no digits')
}

function tokenHash(key: TokenKey, slot: string, digits: string): string {
  return `${key.id}.${shortMac(key.hash, `token\0${slot}\0${digits}`)}`
}

function shortMac(key: KeyObject, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64url').slice(0, HASH_LENGTH)
}

/** A key for one use, so that none of them tells of another. */
function derive(bytes: Buffer, use: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', bytes, '', `payment-token-service/1/${use}`, SEAL_KEY_BYTES)))
}

function sealHeader(keyId: string): Buffer {
  return Buffer.concat([Buffer.of(SEAL_VERSION, keyId.length), Buffer.from(keyId, 'latin1')])
}

function readKeys(kind: 'token' | 'seal', configs: readonly KeyConfig[]): readonly { id: string; bytes: Buffer }[] {
  const few = configs.length >= 1 && configs.length <= MAX_KEYS
  if (!few) throw new KeyRingError(`${kind}: 1 to ${MAX_KEYS} keys are needed`)
  const keys = configs.map((config) => readKey(kind, config))
  if (new Set(keys.map(({ id }) => id)).size < keys.length) throw new KeyRingError(`${kind}: two keys have one id`)
  return keys
}

function readKey(kind: 'identity' | 'token' | 'seal', { id, key }: KeyConfig): { id: string; bytes: Buffer } {
  if (!/^[a-z0-9]{1,8}$/.test(id)) throw new KeyRingError(`${kind}: the id of a key is 1 to 8 of a-z and 0-9`)
  const bytes = Buffer.from(key, 'base64')
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(key) || bytes.toString('base64').replace(/=+$/, '') !== key.replace(/=+$/, '')) {
    throw new KeyRingError(`${kind}: key ${id} is no base64`)
  }
  if (bytes.length < MIN_KEY_BYTES) throw new KeyRingError(`${kind}: key ${id} has fewer than ${MIN_KEY_BYTES} bytes`)
  if (kind === 'seal' && bytes.length !== SEAL_KEY_BYTES) {
    throw new KeyRingError(`seal: key ${id} has not ${SEAL_KEY_BYTES} bytes`)
  }
  return { id, bytes }
}

function newest<T>(keys: readonly T[]): T {
  const [first] = keys
  if (first === undefined) throw new KeyRingError('a kind of key is missing')
  return first
}
