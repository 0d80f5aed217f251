// The key ring: vectors, rotation, tampering, and digits without bias.

import { describe, expect, it } from 'vitest'
import { createKeyRing, KeyRingError, type KeyRingConfig } from '../../../services/adapters/keys/key-ring.ts'
import { systemEntropy } from '../../../services/adapters/keys/entropy.ts'
import { SealError, type HashPurpose } from '../../../services/ports/keys.ts'

const key = (id: string, byte: number, bytes = 32) => ({ id, key: Buffer.alloc(bytes, byte).toString('base64') })
const config: KeyRingConfig = { identity: key('i1', 1), token: [key('t1', 2)], seal: [key('s1', 3)] }
const ring = createKeyRing(config)
const tokenId = 'AAAAAAAAAAAAAAAAAAAAAA'

/** 0.1 % of samples of uniform digits lie above: chi-square with 9 degrees of freedom. */
const CHI_SQUARE_9 = 27.88

function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
}

describe('keyed hashes', () => {
  it('are HMAC-SHA-256 under a key derived for them, cut to 144 bits, with the key id', () => {
    expect(ring.hash('card', '6039591000000018')).toBe('i1.dCLJCt_BE7HHraz6xC1DEweH')
  })

  it('are equal for equal text only, and differ by purpose', () => {
    const purposes: HashPurpose[] = ['card', 'document', 'terminal', 'metadata', 'fingerprint']
    const all = purposes.flatMap((purpose) => ['a', 'b', ''].map((text) => ring.hash(purpose, text)))
    expect(new Set(all).size).toBe(15)
    expect(createKeyRing(config).hash('document', 'a')).toBe(ring.hash('document', 'a'))
    for (const hash of all) expect(hash).toMatch(/^i1\.[A-Za-z0-9_-]{24}$/)
  })

  it('depend on the identity key alone', () => {
    const token = [key('t2', 9), key('t1', 2)]
    const rotated = createKeyRing({ ...config, token, seal: [key('s2', 8), key('s1', 3)] })
    expect(rotated.hash('card', 'x')).toBe(ring.hash('card', 'x'))
    expect(createKeyRing({ ...config, identity: key('i1', 7) }).hash('card', 'x')).not.toBe(ring.hash('card', 'x'))
  })
})

describe('seals', () => {
  const vector = '010273310404040404040404040404044cbb085f88775692bf9eddf967838adfbfb8dd4eca94'

  it('open what was sealed, for the same context only', () => {
    const texts = ['123456', '', 'ñ ✓', 'x'.repeat(5_000)]
    for (const plain of texts) expect(ring.open(ring.seal(plain, 'c'), 'c')).toBe(plain)
    expect(() => ring.open(ring.seal('123456', 'c'), 'd')).toThrow(SealError)
    expect(ring.open(Buffer.from(vector, 'hex'), 'ctx')).toBe('123456')
  })

  it('differ each time, and hide the text', () => {
    const seals = Array.from({ length: 1_000 }, () => Buffer.from(ring.seal('123456', 'c')).toString('hex'))
    expect(new Set(seals).size).toBe(1_000)
    expect(seals.some((seal) => seal.includes(Buffer.from('123456').toString('hex')))).toBe(false)
  })

  it('do not open when any bit was changed, or any byte is missing', () => {
    const sealed = ring.seal('123456', 'c')
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const changed = Uint8Array.from(sealed)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(() => ring.open(changed, 'c')).toThrow(SealError)
    }
    for (let length = 0; length < sealed.length; length += 1) {
      expect(() => ring.open(sealed.slice(0, length), 'c')).toThrow(SealError)
    }
  })

  it('of an old key open, the newest key seals, and those of a dropped key do not open', () => {
    const rotated = createKeyRing({ ...config, seal: [key('s2', 8), key('s1', 3)] })
    expect(rotated.open(ring.seal('old', 'c'), 'c')).toBe('old')
    expect(() => ring.open(rotated.seal('new', 'c'), 'c')).toThrow(SealError)
    expect(Buffer.from(rotated.seal('new', 'c')).toString('latin1', 2, 4)).toBe('s2')
  })

  it('say nothing of what they hold when they do not open', () => {
    let error: unknown
    try {
      ring.open(ring.seal('canary', 'c'), 'canary')
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(SealError)
    expect(`${String(error)} ${(error as Error).stack}`).not.toContain('canary')
    expect((error as Error).cause).toBeUndefined()
  })
})

describe('tokens', () => {
  it('are derived from their id, and hashed with their slot', () => {
    const { digits, hash } = ring.issue('D.x', tokenId, 12)
    expect(digits).toBe('110747551256')
    expect(hash).toBe(ring.presentedHashes('D.x', digits)[0])
    expect(ring.presentedHashes('D.x', '123456')).toEqual(['t1.IIfCngnalZftObHQio3WQOf9'])
    expect(ring.presentedHashes('D.y', '123456')).not.toEqual(ring.presentedHashes('D.x', '123456'))
  })

  it('are told again from id and hash, whichever key is the newest by then', () => {
    const issued = ring.issue('D.x', tokenId, 6)
    const rotated = createKeyRing({ ...config, token: [key('t2', 9), key('t1', 2)] })
    expect(rotated.reveal({ id: tokenId, hash: issued.hash, digits: 6 })).toBe(issued.digits)
    expect(rotated.presentedHashes('D.x', issued.digits)).toContain(issued.hash)
    expect(rotated.presentedHashes('D.x', issued.digits)[0]).toMatch(/^t2\./)
    expect(rotated.issue('D.x', tokenId, 6).hash).toMatch(/^t2\./)
    for (const hash of [rotated.issue('D.x', tokenId, 6).hash, 'nonsense', '']) {
      expect(() => ring.reveal({ id: tokenId, hash, digits: 6 })).toThrow(SealError)
    }
  })

  it('have any length from 6 to 19, leading zeros too, and no other', () => {
    for (let digits = 6; digits <= 19; digits += 1) {
      expect(ring.issue('D.x', tokenId, digits).digits).toMatch(new RegExp(`^\\d{${digits}}$`))
    }
    for (const digits of [0, 5, 20, 6.5, Number.NaN]) {
      expect(() => ring.issue('D.x', tokenId, digits)).toThrow(RangeError)
    }
    const some = Array.from({ length: 200 }, (_, i) => ring.issue('D.x', `id-${i}`, 6).digits)
    expect(some.some((digits) => digits.startsWith('0'))).toBe(true)
  })

  it('are uniform at each of their places over 100,000 draws', () => {
    const counts = Array.from({ length: 6 }, () => Array.from({ length: 10 }, () => 0))
    for (let draw = 0; draw < 100_000; draw += 1) {
      const { digits } = ring.issue('D.x', `draw-${draw}`, 6)
      for (let place = 0; place < 6; place += 1) {
        const row = counts[place] as number[]
        row[Number(digits[place])] = (row[Number(digits[place])] ?? 0) + 1
      }
    }
    for (const row of counts) expect(chiSquare(row)).toBeLessThan(CHI_SQUARE_9)
  })
})

describe('a ring that cannot be used', () => {
  const refused: readonly (readonly [string, KeyRingConfig])[] = [
    ['a short key', { ...config, identity: key('i1', 1, 31) }],
    ['a seal key that is no AES-256 key', { ...config, seal: [key('s1', 1, 33)] }],
    ['no token key', { ...config, token: [] }],
    ['two keys of one id', { ...config, token: [key('t1', 1), key('t1', 2)] }],
    ['an id with a dot', { ...config, seal: [key('s.1', 1)] }],
    ['an id that is too long', { ...config, seal: [key('s12345678', 1)] }],
    ['no base64', { ...config, identity: { id: 'i1', key: `${'A'.repeat(50)}!` } }],
    ['too many keys', { ...config, token: Array.from({ length: 9 }, (_, i) => key(`t${i}`, i)) }],
  ]
  for (const [what, bad] of refused) {
    it(`is refused for ${what}, without quoting a key`, () => {
      let error: unknown
      try {
        createKeyRing(bad)
      } catch (thrown) {
        error = thrown
      }
      expect(error).toBeInstanceOf(KeyRingError)
      expect((error as Error).message).not.toMatch(/[A-Za-z0-9+/]{20}/)
    })
  }
})

describe('entropy of the system', () => {
  it('gives six digits, uniform at the first and last place', () => {
    const first = Array.from({ length: 10 }, () => 0)
    const last = Array.from({ length: 10 }, () => 0)
    for (let draw = 0; draw < 50_000; draw += 1) {
      const number = systemEntropy.authorizationNumber()
      expect(number.length).toBe(6)
      first[Number(number[0])] = (first[Number(number[0])] ?? 0) + 1
      last[Number(number[5])] = (last[Number(number[5])] ?? 0) + 1
    }
    // One sample in ten million of a sound source lies above.
    expect(chiSquare(first)).toBeLessThan(50)
    expect(chiSquare(last)).toBeLessThan(50)
  })

  it('gives token ids of 128 bits, none twice', () => {
    const ids = Array.from({ length: 10_000 }, () => systemEntropy.tokenId())
    expect(new Set(ids).size).toBe(10_000)
    for (const id of ids) expect(Buffer.from(id, 'base64url').length).toBe(16)
  })
})
