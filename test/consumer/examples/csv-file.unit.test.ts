import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openCsvFile } from '../../../services/consumer/examples/csv-file.ts'

const HEADER = /^\uFEFFtime in Bogota;.*;event\r\n$/

let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'csv-'))
  path = join(folder, 'approvals.csv')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const text = () => readFileSync(path, 'utf8')

/** A file with one line, closed. */
async function oneLine(): Promise<void> {
  const file = await openCsvFile(path, ';')
  await file.begin([0n, 0n])
  await file.append('x;one\r\n', 1, 5n)
  await file.close()
}

describe('a file and its place in the log', () => {
  it('go on together after a stop', async () => {
    await oneLine()
    expect(text().slice(0, -'x;one\r\n'.length)).toMatch(HEADER)
    const file = await openCsvFile(path, ';')
    expect(file.offsets).toEqual([0n, 5n])
    expect(file.eventIds.at(-1)).toBe('one')
    await file.close()
  })

  it('agree after a crash between the line and its place: the line is cut off, since it comes again', async () => {
    await oneLine()
    const before = text()
    appendFileSync(path, 'x;two\r\nx;thr')
    const file = await openCsvFile(path, ';')
    expect(text()).toBe(before)
    await file.append('x;two\r\n', 1, 6n)
    await file.close()
    expect(text()).toBe(`${before}x;two\r\n`)
  })

  it('begin anew when a process was killed before it had a place', async () => {
    writeFileSync(path, '\uFEFFtime in Bo')
    const file = await openCsvFile(path, ';')
    expect(file.offsets).toBeNull()
    await file.begin([3n])
    await file.close()
    expect(text()).toMatch(HEADER)
  })

  it('are refused when somebody else changed or took one of them, and nothing is written', async () => {
    await oneLine()
    const whole = text()
    writeFileSync(path, whole.replace('one', 'uno'))
    await expect(openCsvFile(path, ';')).rejects.toThrow('was changed by another program')
    writeFileSync(path, whole.slice(0, -3))
    await expect(openCsvFile(path, ';')).rejects.toThrow('was changed by another program')
    rmSync(path)
    await expect(openCsvFile(path, ';')).rejects.toThrow('is gone')
    expect(existsSync(path)).toBe(false)
    writeFileSync(path, whole)
    await expect(openCsvFile(path, ',')).rejects.toThrow('separator ;')
    writeFileSync(`${path}.place.json`, '{')
    await expect(openCsvFile(path, ';')).rejects.toThrow('cannot be read')
    rmSync(`${path}.place.json`)
    await expect(openCsvFile(path, ';')).rejects.toThrow('move this one away')
    expect(text()).toBe(whole)
  })

  it('are refused while they are written, when another program saves the file over', async () => {
    await oneLine()
    const file = await openCsvFile(path, ';')
    writeFileSync(path, text().replace('one', 'uno'))
    await expect(file.append('x;two\r\n', 1, 6n)).rejects.toThrow('was changed by another program')
    await file.close()
  })

  it('have one writer: a second one is refused, unless the first was killed', async () => {
    await oneLine()
    writeFileSync(`${path}.lock`, '1')
    await expect(openCsvFile(path, ';')).rejects.toThrow('process 1 writes this file already')
    writeFileSync(`${path}.lock`, '4194303')
    await (await openCsvFile(path, ';')).close()
    expect(existsSync(`${path}.lock`)).toBe(false)
  })
})
