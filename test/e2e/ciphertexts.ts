// Reads whatever looks like a ciphertext with every key there is, as somebody would who has got hold of all of them.
// Contexts and tags do not stop him: they only tell that something was changed. So what is tried here is the bare cipher.
import { createDecipheriv, hkdfSync } from 'node:crypto'

const NONCE_BYTES = 12
const TAG_BYTES = 16
const KEY_BYTES = 32
/** A seal begins with its version, the length of its key's id, and the id. */
const SEAL_VERSION = 1
const MAX_KEY_ID_BYTES = 8
const BASE64 = /[A-Za-z0-9+/_-]{38,}={0,2}/g

/** Every text and every bytes anywhere in a value. */
export function leavesOf(value: unknown): readonly (string | Buffer)[] {
  if (typeof value === 'string') return [value]
  if (value instanceof Uint8Array) return [Buffer.from(value)]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, member]) => [name, ...leavesOf(member)])
}

/** What may be a ciphertext: bytes as they are, and base64 wherever it stands in a text. */
export function candidatesIn(leaves: readonly (string | Buffer)[]): readonly Buffer[] {
  const decoded = leaves.flatMap((leaf) =>
    Buffer.isBuffer(leaf) ? [leaf] : [...leaf.matchAll(BASE64)].map(([text]) => Buffer.from(text, 'base64')),
  )
  const long = decoded.filter(({ length }) => length > NONCE_BYTES + TAG_BYTES)
  return [...new Map(long.map((bytes) => [bytes.toString('latin1'), bytes])).values()]
}

/** The bytes of a ring's key, and the keys that are made of it for each use. */
export function keysOfRing(base64: string): readonly Buffer[] {
  const bytes = Buffer.from(base64, 'base64')
  const uses = ['seal', 'identity', 'token-digits', 'token-hash']
  const derived = uses.map((use) =>
    Buffer.from(hkdfSync('sha256', bytes, '', `payment-token-service/1/${use}`, KEY_BYTES)),
  )
  return [bytes.subarray(0, KEY_BYTES), ...derived]
}

/** What a candidate says under a key, with and without the header of a seal. */
function readingsOf(candidate: Buffer, key: Buffer): readonly string[] {
  const [version, idBytes = 0] = candidate
  const starts = version === SEAL_VERSION && idBytes <= MAX_KEY_ID_BYTES ? [0, 2 + idBytes] : [0]
  return starts
    .filter((start) => candidate.length > start + NONCE_BYTES + TAG_BYTES)
    .map((start) => {
      const decipher = createDecipheriv('aes-256-gcm', key, candidate.subarray(start, start + NONCE_BYTES))
      const body = candidate.subarray(start + NONCE_BYTES, candidate.length - TAG_BYTES)
      return decipher.update(body).toString('latin1')
    })
}

/** Everything that can be read out of the candidates with the keys, and with every data key that is found on the way. */
export function everythingReadable(candidates: readonly Buffer[], keys: readonly Buffer[]): readonly string[] {
  const readWith = (some: readonly Buffer[]) =>
    some.flatMap((key) => candidates.flatMap((candidate) => readingsOf(candidate, key)))
  const first = readWith(keys)
  const dataKeys = first.filter((text) => /^[A-Za-z0-9+/]{43}=$/.test(text)).map((text) => Buffer.from(text, 'base64'))
  return [...first, ...readWith(dataKeys)]
}
