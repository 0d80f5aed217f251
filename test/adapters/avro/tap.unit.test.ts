import avro from 'avsc'
import { describe, expect, it } from 'vitest'
import { Tap } from '../../../services/adapters/avro/tap.ts'

const long = 'x'.repeat(200)
const texts: readonly [string, string][] = [
  ['nothing', ''],
  ['ASCII', 'i1.FlGJI1urX5jUVBDnTi-GUndD'],
  ['the first and the last of ASCII', '\0 \u007f'],
  ...[62, 63, 64, 65, 127, 128].map((length): [string, string] => [`${length} characters`, long.slice(0, length)]),
  ['a slice', long.slice(50, 90)],
  ['a concatenation', `${long.slice(0, 20)}:${long.slice(0, 3)}`],
  ['a character of two bytes at the end', 'niñ\u0080'],
  ['60 characters of two bytes', 'ñ'.repeat(60)],
  ['a character of four bytes', 'a😀'],
  ['half of such a character', 'a\ud83d'],
]

describe('a text', () => {
  it.each(texts)('is written as avsc writes it, wherever it stands: %s', (_, text) => {
    const own = avro.Type.forSchema('string').toBuffer(text)
    const tap = new Tap(Buffer.alloc(1_000, 0xff), 5)
    tap.writeString(text)
    tap.writeString('next')
    expect(tap.buf.subarray(5, 5 + own.length)).toEqual(own)
    expect(tap.buf.subarray(5 + own.length, tap.pos).toString()).toBe('\bnext')
  })

  it.each(texts)('for which there is no room leaves the tap invalid, at the place it would need: %s', (_, text) => {
    const { length } = avro.Type.forSchema('string').toBuffer(text)
    const [full, short] = [new Tap(Buffer.alloc(length), 0), new Tap(Buffer.alloc(length - 1), 0)]
    for (const tap of [full, short]) tap.writeString(text)
    expect([full.pos, full.isValid()]).toEqual([length, true])
    expect([short.pos, short.isValid()]).toEqual([length, false])
  })
})
