// Exports: whole files by day, gone on with, read back to the byte, by us and by another Avro decoder; proofs from them.

import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ownDictionary } from '../../services/adapters/avro/dictionary.ts'
import { publicKeysOf } from '../../services/adapters/keys/signing.ts'
import { createMemoryLog, type MemoryLog } from '../../services/adapters/memory/log.ts'
import {
  AUDITED_TOPICS,
  logSource,
  readEvents,
  sourceAfter,
  stretchesOf,
  type EventSource,
} from '../../services/audit/event-source.ts'
import { exportLog } from '../../services/audit/export.ts'
import { openFiles } from '../../services/audit/file-source.ts'
import { checkProof } from '../../services/audit/offline/check.mjs'
import { prove } from '../../services/audit/prove.ts'
import { verify } from '../../services/audit/verify.ts'
import type { StoredRecord } from '../../services/ports/log.ts'
import { TOPIC, TOPICS } from '../../services/runtime/topics.ts'
import { History, OTHER_KEYS, sign, SIGNING_KEYS, verifier, wire } from './history.ts'

const DAY_MS = 86_400_000
const CHECKER = new URL('../../services/audit/offline/check.mjs', import.meta.url).pathname
const run = promisify(execFile)

describe('an export', () => {
  let folder: string
  let log: MemoryLog
  let now: number
  let history: History

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'export-'))
    now = Date.UTC(2026, 10, 20, 12)
    log = createMemoryLog({ topics: TOPICS, clock: { now: () => now }, maxPartitionBytes: 1e9 })
    history = new History()
    await log.publish(history.some(300, 12))
    now += DAY_MS
    await log.publish(history.some(300, 12))
    log.inject(TOPIC.events, 2, { key: null, value: Buffer.from('no event'), headers: { 'x-odd': 'é' } })
    log.inject(TOPIC.events, 2, { key: 'none', value: null })
    await sign(log)
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  const exported = (source: EventSource = logSource(log), codec: 'null' | 'deflate' = 'deflate') =>
    exportLog({ source, folder, codec })
  const verified = (source: EventSource) => verify({ source, wire, verifier, allowForeign: true })

  /** Each record as a text, since comparing buffers byte by byte takes long. */
  async function recordsOf(source: EventSource, timeless = false): Promise<string[]> {
    const records: string[] = []
    for (const topic of AUDITED_TOPICS) {
      for (const partition of await source.partitions(topic)) {
        for await (const batch of source.read(topic, partition))
          records.push(...batch.map((record) => textOf(record, timeless)))
      }
    }
    return records
  }

  it.each(['null', 'deflate'] as const)('gives back every record to the byte, packed with %s', async (codec) => {
    const { records } = await exported(logSource(log), codec)
    const [files, there] = [await recordsOf(await openFiles([folder])), await recordsOf(logSource(log))]
    expect(records).toBe(there.length)
    expect(files).toEqual(there)
    const { faults, chain } = await verified(await openFiles([folder]))
    expect(faults).toEqual([])
    expect(chain.checkpoints).toBeGreaterThan(1)
  })

  it('has a file for each day of a partition', async () => {
    await exported()
    const names = (await readdir(folder)).filter((name) => name.startsWith(`${TOPIC.events}-p1-`))
    expect(names.map((name) => name.slice(-'2026-11-20.avro'.length))).toEqual(['2026-11-20.avro', '2026-11-21.avro'])
  })

  it('goes on where its files end, and with the topic behind them', async () => {
    await exported()
    await log.publish(history.some(200, 12))
    await sign(log)
    const { faults } = await verified(sourceAfter(await openFiles([folder]), logSource(log)))
    expect(faults).toEqual([])
    const again = await exported()
    expect(again.records).toBeGreaterThanOrEqual(200)
    expect(again.before).toBeGreaterThan(600)
    expect(await recordsOf(await openFiles([folder]))).toEqual(await recordsOf(logSource(log)))
    expect((await exported()).files).toEqual([])
  })

  it('leaves whole files only when it is cut, and is completed by the next run', async () => {
    let batches = 0
    const cut = exportLog({
      source: logSource(log),
      folder,
      codec: 'null',
      onRecords: () => {
        if (++batches === 3) throw new Error('cut')
      },
    })
    await expect(cut).rejects.toThrow('cut')
    expect((await readdir(folder)).filter((name) => !name.endsWith('.avro'))).toEqual([])
    await writeFile(join(folder, 'audit.checkpoints-p0-000000000000-2026-11-21.avro.unfinished'), 'left by kill -9')
    await exported()
    expect(await recordsOf(await openFiles([folder]))).toEqual(await recordsOf(logSource(log)))
    expect((await readdir(folder)).filter((name) => !name.endsWith('.avro'))).toEqual([])
  })

  it('refuses a folder that holds another log', async () => {
    await exported()
    const other = createMemoryLog({ topics: TOPICS, maxPartitionBytes: 1e9 })
    await other.publish(new History().some(900, 5))
    await expect(exported(logSource(other))).rejects.toThrow(/holds another log/)
  })

  it.each(['/proc/none', '/proc/none/below', 'none/below'])('makes no folder above its own: %s', async (path) => {
    const target = path.startsWith('/') ? path : join(folder, path)
    await expect(exportLog({ source: logSource(log), folder: target, codec: 'null' })).rejects.toThrow(
      `${target} cannot be made: make the folder above it first`,
    )
    expect(await readdir(folder)).toEqual([])
  })

  it('says that a file is no folder', async () => {
    const path = join(folder, 'file')
    await writeFile(path, '')
    await expect(exportLog({ source: logSource(log), folder: path, codec: 'null' })).rejects.toThrow(/ENOTDIR/)
  })

  it('makes nothing of an empty log', async () => {
    const empty = createMemoryLog({ topics: TOPICS })
    const missing = join(folder, 'not-made')
    const { records, files } = await exportLog({ source: logSource(empty), folder: missing, codec: 'null' })
    expect([records, files]).toEqual([0, []])
    await expect(readdir(missing)).rejects.toThrow(/ENOENT/)
  })

  it('says of a damaged file which one it is and what is wrong', async () => {
    await exported()
    const [name = ''] = await readdir(folder)
    const path = join(folder, name)
    const whole = await readFile(path)
    const told = async () => {
      try {
        await recordsOf(await openFiles([path]))
        return 'nothing'
      } catch (error) {
        return error instanceof Error ? `${error.name}: ${error.message}` : ''
      }
    }
    for (const size of [
      0,
      3,
      200,
      whole.length - 20_000 > 0 ? whole.length - 20_000 : whole.length - 500,
      whole.length - 1,
    ]) {
      await writeFile(path, whole)
      await truncate(path, size)
      expect(await told(), `${size} of ${whole.length} bytes`).toMatch(new RegExp(`^ContainerError: ${path}: `))
    }
    await writeFile(path, Buffer.concat([whole, Buffer.from('more')]))
    expect(await told()).toMatch(/^ContainerError: .*(cut off|ends too soon|no sane size)/)
    await writeFile(path, 'plain text, no container')
    expect(await told()).toMatch(/not an Avro object container file/)
  })

  it('finds a bit that was changed in a file, wherever it is', async () => {
    await exported(logSource(log), 'null')
    const [name = ''] = (await readdir(folder)).filter((file) => file.startsWith(`${TOPIC.events}-p0`))
    const path = join(folder, name)
    const whole = await readFile(path)
    const header = whole.indexOf('payment.partition') + 40
    for (let at = header; at < whole.length; at += Math.floor(whole.length / 25)) {
      const bytes = Buffer.from(whole)
      bytes.writeUInt8((bytes[at] ?? 0) ^ 4, at)
      await writeFile(path, bytes)
      const found = await openFiles([folder])
        .then(verified)
        .then(
          ({ faults }) => faults.length,
          (error: Error) => error.name,
        )
      // A record's timestamp is Kafka's own: nothing covers it.
      if (found === 0) expect(await onlyTimesDiffer(path, whole)).toBe(true)
      else expect([1, 2, 'ContainerError']).toContain(found)
    }
  })

  async function onlyTimesDiffer(path: string, whole: Buffer): Promise<boolean> {
    const other = join(folder, 'whole')
    await mkdir(other, { recursive: true })
    await writeFile(join(other, 'whole.avro'), whole)
    expect(await recordsOf(await openFiles([path]), true)).toEqual(await recordsOf(await openFiles([other]), true))
    return true
  }

  it('hands the same decoded events on from files as from the log', async () => {
    await exported()
    const eventsOf = async (source: EventSource) => {
      const events = []
      for await (const { value, event, ...place } of readEvents(source, wire, await stretchesOf(source))) {
        events.push(
          `${place.partition}/${place.offset} ${Buffer.from(value).toString('base64')} ${JSON.stringify(event)}`,
        )
      }
      return events
    }
    const fromFiles = await eventsOf(await openFiles([folder]))
    expect(fromFiles).toHaveLength(600)
    expect(fromFiles).toEqual(await eventsOf(logSource(log)))
  })

  describe('with a proof', () => {
    const schemaOf = (value: Uint8Array | null) => ownDictionary().schemaTextOf(value)
    const keys = publicKeysOf(SIGNING_KEYS)

    it('proves a transaction from the log and from files, to a checker that has only the public key', async () => {
      await exported()
      for (const source of [logSource(log), await openFiles([folder])]) {
        for (const consecutive of ['c-0', 'c-77', 'r-16']) {
          const proof: unknown = JSON.parse(
            JSON.stringify(await prove({ source, wire, verifier, schemaOf }, { consecutive })),
          )
          const { proved, records } = checkProof(proof, keys)
          expect(proved).toBe(true)
          expect(records[0]?.event).toMatchObject({ command: { scope: { consecutive } } })
          const decoded = wire.decodeEvent(
            Buffer.from((proof as { records: { value: string }[] }).records[0]?.value ?? '', 'base64'),
          )
          expect(JSON.parse(JSON.stringify(records[0]?.event))).toMatchObject(
            JSON.parse(JSON.stringify(decoded)) as object,
          )
        }
      }
    })

    it('proves nothing that was changed, in any part', async () => {
      const { records, ...rest } = await prove(
        { source: logSource(log), wire, verifier, schemaOf },
        { consecutive: 'c-9' },
      )
      const [record] = records
      if (!record) throw new Error('no record')
      const value = Buffer.from(record.value ?? '', 'base64')
      value.writeUInt8((value.at(-1) ?? 0) ^ 1, value.length - 1)
      const text = record.checkpoint.text
      const changes: Record<string, object> = {
        value: { value: value.toString('base64') },
        key: { key: 'other' },
        offset: { offset: String(BigInt(record.offset) + 1n) },
        headers: { headers: { ...record.headers, more: '1' } },
        index: { index: record.index + 1 },
        path: { path: record.path.slice(1) },
        partition: { partition: (record.partition + 1) % 4 },
        text: { checkpoint: { ...record.checkpoint, text: text.replace('sequence ', 'sequence 1') } },
        signature: { checkpoint: { ...record.checkpoint, signature: Buffer.alloc(64).toString('base64') } },
      }
      expect(checkProof({ ...rest, records: [record] }, keys).proved).toBe(true)
      for (const [name, change] of Object.entries(changes)) {
        expect(checkProof({ ...rest, records: [{ ...record, ...change }] }, keys), `${name}`).toMatchObject({
          proved: false,
        })
      }
      expect(checkProof({ ...rest, records: [record] }, publicKeysOf(OTHER_KEYS)).records[0]?.problem).toBe(
        'wrong signature',
      )
      expect(() => checkProof({ ...rest, records: [] }, keys)).toThrow(/no inclusion proof/)
    })

    it('says why there is none', async () => {
      const deps = { source: logSource(log), wire, verifier, schemaOf }
      await expect(prove(deps, { consecutive: 'c-none' })).rejects.toThrow(/no event has this/)
      await expect(prove(deps, { consecutive: 'c-9', acquirerId: 'B1' })).rejects.toThrow(/no event has this/)
      const late = history.decision('D.late')
      await log.publish([late])
      const event = wire.decodeEvent(late.value)
      const consecutive = 'command' in event ? event.command.scope.consecutive : ''
      await expect(prove(deps, { consecutive })).rejects.toThrow(/not covered by a checkpoint yet/)
    })

    it('is checked by the script alone, away from this project', async () => {
      const away = join(folder, 'away')
      await mkdir(away)
      await copyFile(CHECKER, join(away, 'check.mjs'))
      const proof = await prove({ source: logSource(log), wire, verifier, schemaOf }, { consecutive: 'c-3' })
      await writeFile(join(away, 'proof.json'), JSON.stringify(proof))
      await writeFile(join(away, 'keys.json'), JSON.stringify(keys))
      await writeFile(join(away, 'other.json'), JSON.stringify(publicKeysOf(OTHER_KEYS)))
      const check = (...files: string[]) =>
        run(process.execPath, ['check.mjs', ...files], { cwd: away }).then(
          ({ stdout }) => ({ code: 0, stdout, stderr: '' }),
          ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ code, stdout, stderr }),
        )
      expect(await check('proof.json', 'keys.json')).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^PROVED authorization\.events /),
      })
      expect(await check('proof.json', 'other.json')).toMatchObject({
        code: 1,
        stdout: expect.stringMatching(/NOT PROVED .*wrong signature/),
      })
      expect(await check('proof.json')).toMatchObject({ code: 2, stderr: expect.stringMatching(/usage/) })
      await truncate(join(away, 'proof.json'), 400)
      expect(await check('proof.json', 'keys.json')).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/no JSON/),
      })
      const lines = (await readFile(CHECKER, 'utf8')).split('\n')
      expect(lines.length).toBeLessThan(200)
      expect(lines.filter((line) => line.startsWith('import')).every((line) => line.includes("'node:"))).toBe(true)
    })
  })
})

function textOf({ value, offset, timestamp, ...record }: StoredRecord, timeless: boolean): string {
  const bytes = value && Buffer.from(value).toString('base64')
  return JSON.stringify({ ...record, offset: String(offset), value: bytes, timestamp: timeless ? 0 : timestamp })
}
