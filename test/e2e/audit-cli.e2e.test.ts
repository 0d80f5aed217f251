// The audit's command line as a process: what it prints, where, and how it ends when something is not as it should be.

import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { publicKeysOf } from '../../services/adapters/keys/signing.ts'
import { createMemoryLog } from '../../services/adapters/memory/log.ts'
import { exportLog } from '../../services/audit/export.ts'
import { logSource } from '../../services/audit/event-source.ts'
import { lendLog, socketPath, type LogServer } from '../../services/embedded/log-server.ts'
import { TOPIC, TOPICS } from '../../services/runtime/topics.ts'
import { serviceEnv } from './harness.ts'
import { History, memoryLog, OTHER_KEYS, sign, SIGNING_KEYS } from '../audit/history.ts'
import { logWith } from '../ports/log-with.ts'

const CLI = new URL('../../services/cli/audit.ts', import.meta.url).pathname
/** No port of ours: the name of a socket. */
const PORTS = { full: 64_001, empty: 64_002, foreign: 64_003, nobody: 64_004, slow: 64_005 } as const
const PROCESS_MS = 60_000

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

describe('npm run audit', { timeout: PROCESS_MS }, () => {
  let folder: string
  let files: string
  let reading = Promise.withResolvers<void>()
  const lent: LogServer[] = []

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'audit-cli-'))
    files = join(folder, 'export')
    const log = memoryLog()
    await log.publish(new History().some(400, 20))
    await sign(log)
    await exportLog({ source: logSource(log), folder: files, codec: 'deflate' })
    const foreign = createMemoryLog({ topics: TOPICS })
    foreign.inject(TOPIC.events, 0, { key: 'k', value: Buffer.from('another service writes here') })
    // A log that never ends to be read: what is interrupted must be under way.
    const slow = logWith(log, {
      async *read(topic, partition, from, to) {
        for await (const record of log.read(topic, partition, from, to)) {
          yield record
          if (topic === TOPIC.events) reading.resolve()
          if (topic === TOPIC.events) await new Promise((resolve) => setTimeout(resolve, 40))
        }
      },
    })
    const logs = { full: log, empty: createMemoryLog({ topics: TOPICS }), foreign, slow }
    for (const [name, one] of Object.entries(logs)) lent.push(await lendLog(one, socket(name as keyof typeof PORTS)))
    await writeFile(join(folder, 'keys.json'), JSON.stringify(publicKeysOf(SIGNING_KEYS)))
    await writeFile(join(folder, 'other.json'), JSON.stringify(publicKeysOf(OTHER_KEYS)))
  }, PROCESS_MS)
  afterAll(async () => {
    await Promise.all(lent.map((one) => one.close()))
    await rm(folder, { recursive: true, force: true })
  })

  const socket = (name: keyof typeof PORTS) => socketPath(PORTS[name])
  const environment = (name: keyof typeof PORTS) =>
    serviceEnv({ PORT: String(PORTS[name]), AUDIT_PUBLIC_KEYS: JSON.stringify(publicKeysOf(SIGNING_KEYS)) })
  const audit = (name: keyof typeof PORTS, ...args: string[]): Promise<Ended> =>
    new Promise((resolve) => {
      const child = execFile(process.execPath, [CLI, ...args], { env: environment(name) }, (_error, stdout, stderr) =>
        resolve({ code: child.exitCode, stdout, stderr }),
      )
    })

  it('verifies a log and files, for people and as JSON', async () => {
    const told = await audit('full', 'verify')
    expect(told).toMatchObject({ code: 0, stderr: '' })
    expect(told.stdout).toMatch(
      /^400 records of the log .*\n(.*\n)*400 covered by \d+ checkpoints .*\n(.*\n)*nothing is wrong\nkeep this: --expect \d+:/,
    )
    const json = await audit('nobody', 'verify', '--files', files, '--json')
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: true, records: 400, faults: [] })
    const [, expected = ''] = /--expect (\S+)/.exec(told.stdout) ?? []
    expect((await audit('nobody', 'verify', '--files', files, '--expect', expected)).code).toBe(0)
    const other = await audit(
      'nobody',
      'verify',
      '--files',
      files,
      '--expect',
      expected.replace(/.$/, (last) => (last === 'A' ? 'E' : 'A')),
    )
    expect(other).toMatchObject({ code: 1, stdout: expect.stringMatching(/MISSING at audit\.checkpoints/) })
  })

  it('ends with 2 and a sentence where there is nothing, nobody, or another topic', async () => {
    for (const command of [['verify'], ['export', join(folder, 'none')], ['prove', 'c-1']]) {
      expect(await audit('empty', ...command), `${command.join(' ')}`).toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringMatching(/no event/),
      })
      expect(await audit('nobody', ...command), `${command.join(' ')}`).toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringMatching(/no embedded service answers/),
      })
    }
    expect(await audit('foreign', 'verify', '--allow-foreign')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/not ours/),
    })
    expect(await audit('foreign', 'prove', 'c-1')).toMatchObject({ code: 2, stdout: '' })
    await expect(readdir(join(folder, 'none'))).rejects.toThrow(/ENOENT/)
  })

  it('ends with 2 for a wrong key, a wrong option and a file that is cut off', async () => {
    const other = join(folder, 'other.json')
    expect(await audit('full', 'prove', 'c-1', '--public-keys', other)).toMatchObject({ code: 2, stdout: '' })
    const wrong = await audit('full', 'verify', '--public-keys', other)
    expect(wrong).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/WRONG SIGNATURE at audit\.checkpoints 0\/0/),
    })
    expect(await audit('full', 'verify', '--since', 'yesterday')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/--since/),
    })
    expect(await audit('full', 'verify', '--files', join(folder, 'absent'))).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/ENOENT/),
    })
    const [name = ''] = (await readdir(files)).filter((file) => file.startsWith(TOPIC.events))
    const copy = join(folder, 'cut.avro')
    await writeFile(copy, await readFile(join(files, name)))
    await truncate(copy, (await readFile(copy)).length - 40)
    for (const command of [['verify'], ['prove', 'c-1']]) {
      expect(await audit('nobody', ...command, '--files', copy)).toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringMatching(/cut\.avro: .*cut off/),
      })
    }
  })

  it('proves to a file and checks it', async () => {
    const proof = join(folder, 'proof.json')
    const { stdout, code } = await audit('full', 'prove', 'c-5', '--acquirer', 'A1')
    expect(code).toBe(0)
    await writeFile(proof, stdout)
    expect(await audit('nobody', 'check', proof)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^PROVED authorization\.events/),
    })
    expect(await audit('nobody', 'check', proof, '--public-keys', join(folder, 'other.json'))).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/NOT PROVED .*wrong signature/),
    })
    // Other names for what was signed: the record is proved, what is shown of it would not be.
    const forged = join(folder, 'forged.json')
    await writeFile(forged, stdout.replaceAll('\\"responseCode\\"', '\\"refusedCode_\\"'))
    expect(await audit('nobody', 'check', forged)).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/NOT PROVED .*schema that was changed/),
    })
    await truncate(proof, 300)
    expect(await audit('nobody', 'check', proof)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/no JSON/),
    })
    expect((await audit('full', 'prove', '6039 5910')).code).toBe(2)
  })

  it('prints and leaves nothing half done when it is interrupted', async () => {
    const target = join(folder, 'interrupted')
    for (const command of [['verify'], ['export', target]]) {
      reading = Promise.withResolvers()
      const child = spawn(process.execPath, [CLI, ...command], { env: environment('slow') })
      let stdout = ''
      let stderr = ''
      child.stdout.on('data', (text) => (stdout += String(text)))
      child.stderr.on('data', (text) => (stderr += String(text)))
      const code = await new Promise((resolve) => {
        child.once('close', resolve)
        void reading.promise.then(() => child.kill('SIGINT'))
      })
      expect({ code, stdout }, `${command.join(' ')}`).toEqual({ code: 130, stdout: '' })
      expect(stderr).toMatch(/interrupted: nothing was printed/)
    }
    expect(await readdir(target)).toEqual([])
  })
})
