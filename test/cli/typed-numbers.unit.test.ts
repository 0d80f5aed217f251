import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import type { ReadStream } from 'node:tty'
import { afterAll, describe, expect, it } from 'vitest'
import {
  askNumber,
  cardNumberOf,
  documentOf,
  terminalOf,
  tokenOf,
  TypedNumberError,
} from '../../services/cli/typed-numbers.ts'

const folder = mkdtempSync(join(tmpdir(), 'typed-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const CARD = '6039591000000018'

/** Standard input as a pipe, or as a terminal that somebody types on. */
function inputOf(text: string, isTTY = false): ReadStream {
  const stream = Object.assign(new PassThrough(), { isTTY, setRawMode: () => stream })
  stream.end(text)
  return stream as unknown as ReadStream
}

describe('a number that is asked for', () => {
  it('is read from a pipe, without the spaces that people put in', async () => {
    expect(await askNumber('card number', { input: inputOf('6039 5910 0000 0018\nmore\n') })).toBe(CARD)
  })

  it('is read from the first line of a file', async () => {
    const file = join(folder, 'number')
    writeFileSync(file, `${CARD}\r\nsecond line`)
    expect(await askNumber('card number', { file })).toBe(CARD)
  })

  it('is typed on a terminal without being shown', async () => {
    const output = new PassThrough()
    expect(await askNumber('card number', { input: inputOf(`${CARD}\n`, true), output })).toBe(CARD)
    const shown = String(output.read())
    expect(shown).toContain('card number')
    expect(shown).not.toMatch(/\d{4}/)
  })

  it('is missed when nothing comes', async () => {
    await expect(askNumber('card number', { input: inputOf('') })).rejects.toThrow(TypedNumberError)
    await expect(askNumber('card number', { input: inputOf('', true), output: new PassThrough() })).rejects.toThrow(
      TypedNumberError,
    )
  })
})

it('takes numbers of each kind, and quotes none that it refuses', () => {
  expect(cardNumberOf(CARD)).toBe(CARD)
  expect(documentOf('CC', '1012345678')).toBe('CC:1012345678')
  expect(documentOf('PAS', 'AB12')).toBe('PAS:AB12')
  expect(tokenOf('123456')).toBe('123456')
  expect(terminalOf('A1:0001:T0000001')).toEqual({ acquirerId: 'A1', storeId: '0001', terminalId: 'T0000001' })
  const wrong = [
    () => cardNumberOf('6039591000000019'),
    () => documentOf('CC', 'AB123456'),
    () => documentOf('CC', '1234567890123456789'),
    () => tokenOf('12345a'),
    () => terminalOf('A1:0001'),
  ]
  for (const refuse of wrong) {
    expect(refuse).toThrow(TypedNumberError)
    try {
      refuse()
    } catch (error) {
      expect((error as Error).message).not.toMatch(/6039591|AB1|12345678/)
    }
  }
})
