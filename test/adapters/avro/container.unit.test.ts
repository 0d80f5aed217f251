// Container files as bytes: what is written is read, whatever the texts are; a file of many blocks, whole and cut.

import { mkdtemp, rm, stat, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ByteReader, ByteWriter, ContainerError } from '../../../services/adapters/avro/container-bytes.ts'
import { containerEnd, containerInfo, readContainer } from '../../../services/adapters/avro/container-read.ts'
import { CODECS, createContainer, type Codec } from '../../../services/adapters/avro/container-write.ts'

describe('maps, one after another', () => {
  // Few texts, some of them the beginning of others, so that each place has now the one, now the other.
  const text = fc.constantFrom('', 'a', 'ab', 'abc', 'é', 'ce_id', 'ce_ix', 'x'.repeat(70))
  const map = fc.dictionary(
    text.filter((name) => name !== '__proto__'),
    text,
  )

  it('are read as they were written, whatever stood in the one before', () => {
    fc.assert(
      fc.property(fc.array(map, { minLength: 1, maxLength: 12 }), (maps) => {
        const writer = new ByteWriter(16)
        for (const texts of maps) {
          const pairs = Object.entries(texts)
          if (pairs.length > 0) writer.long(pairs.length)
          for (const pair of pairs) for (const part of pair) writer.text(part)
          writer.long(0)
        }
        const reader = new ByteReader(writer.take())
        expect(maps.map(() => reader.map())).toEqual(maps)
        expect(reader.left).toBe(0)
      }),
      { numRuns: 500 },
    )
  })

  it('end too soon where the bytes do, also within a text that is known', () => {
    const writer = new ByteWriter(64)
    for (const round of [1, 2]) {
      writer.long(1)
      writer.text('name')
      writer.text(`text ${round}`)
      writer.long(0)
    }
    const bytes = Buffer.from(writer.take())
    for (let end = bytes.length / 2 + 1; end < bytes.length; end++) {
      const reader = new ByteReader(bytes.subarray(0, end))
      expect(reader.map()).toEqual({ name: 'text 1' })
      expect(() => reader.map()).toThrow(ContainerError)
    }
  })
})

describe('a file of many blocks', () => {
  const [FIRST, RECORDS] = [70n, 2_000]
  let folder: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'container-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  async function written(codec: Codec, records: number): Promise<string> {
    const path = join(folder, `${codec}.avro`)
    const place = { topic: 'authorization.events', partition: 3 }
    const file = await createContainer(path, { ...place, codec })
    for (let n = 0; n < records; n++) {
      const value = Buffer.alloc(700, n)
      await file.append({ ...place, offset: FIRST + BigInt(n), timestamp: n, key: `k${n}`, headers: {}, value })
    }
    await file.finish()
    return path
  }

  async function keysOf(path: string): Promise<{ readonly keys: (string | null)[]; readonly error: unknown }> {
    const keys: (string | null)[] = []
    try {
      for await (const batch of readContainer(path)) keys.push(...batch.map(({ key }) => key))
      return { keys, error: null }
    } catch (error) {
      return { keys, error }
    }
  }

  it.each(CODECS)('tells where it begins and ends, and hands out all of it, packed with %s', async (codec) => {
    const path = await written(codec, RECORDS)
    const { first, bytes } = await containerInfo(path)
    expect([first, bytes]).toEqual([FIRST, (await stat(path)).size])
    expect(await containerEnd(path)).toBe(FIRST + BigInt(RECORDS))
    const { keys, error } = await keysOf(path)
    expect(error).toBeNull()
    expect(keys).toEqual(Array.from({ length: RECORDS }, (_, n) => `k${n}`))
  })

  it('hands out what stands before the place where it is cut, then says that its end is missing', async () => {
    const path = await written('null', RECORDS)
    await truncate(path, Math.floor((await stat(path)).size * 0.6))
    const { keys, error } = await keysOf(path)
    expect(keys.length).toBeGreaterThan(300)
    expect(keys).toEqual(keys.map((_, n) => `k${n}`))
    expect(error).toEqual(new ContainerError('the file is cut off: its end is missing'))
    await expect(containerEnd(path)).rejects.toThrow('the file is cut off')
  })

  it('without records has no beginning and no end', async () => {
    const path = await written('deflate', 0)
    expect((await containerInfo(path)).first).toBeNull()
    expect(await containerEnd(path)).toBeNull()
  })
})
