// The command lines of operators and auditors as processes, beside a service on memory: what they print when something is
// wrong, and how they end.
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../scripts/ports.ts'
import { createMemoryLog } from '../../services/adapters/memory/log.ts'
import { lendLog, socketPath, type LogServer } from '../../services/embedded/log-server.ts'
import { TOPIC, TOPICS } from '../../services/runtime/topics.ts'
import { serviceEnv } from '../e2e/harness.ts'
import { CARDS, commands, HOLDERS, keyRing, keys, startSystem, type System } from '../audit/traffic.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const folder = mkdtempSync(join(tmpdir(), 'command-lines-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

interface Around {
  readonly port: number
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
}

function run(script: string, args: readonly string[], { port, input = '', env = {} }: Around): Promise<Ended> {
  const child = spawn(process.execPath, [join(ROOT, 'services/cli', script), ...args], {
    cwd: folder,
    env: serviceEnv({ PORT: String(port), KEYS: JSON.stringify(keyRing), ...env }),
  })
  const texts = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (texts.out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (texts.err += text))
  child.stdin.end(input)
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, ...texts })))
}

const [CARD, HOLDER] = [CARDS[0] as string, HOLDERS[0] as string]

describe('beside a service', () => {
  let system: System
  let lent: LogServer
  let port = 0
  beforeAll(async () => {
    port = await freePort()
    system = await startSystem()
    await system.ask(commands.registration('r1', { card: CARD, document: HOLDER }))
    await system.ask(commands.opening('o1', { document: HOLDER, amount: 10_000 }))
    const { token } = await system.ask(commands.generation('g1', { card: CARD }))
    if (!token) throw new Error('a generation gives a token')
    await system.ask(commands.spending('p1', { card: CARD, token: keys.reveal(token), amount: 5_000 }))
    await system.ask(commands.spending('p1', { acquirerId: 'B1', card: CARD, token: '1', amount: 5_000 }))
    lent = await lendLog(system.log, socketPath(port))
  })
  afterAll(async () => {
    await lent.close()
    await system.stop()
    await system.log.close()
  })

  it('an operator blocks a card whose number comes by standard input, and never sees it again', async () => {
    const ended = await run('tokens.ts', ['block', '--operator', 'ana', '--json'], {
      port,
      input: '6039 5910 0000 0018\n',
    })
    expect(ended).toMatchObject({ code: 0, err: '' })
    expect(JSON.parse(ended.out)).toEqual({ done: true, responseCode: '00', state: 'blocked' })
    const back = await run('tokens.ts', ['unblock'], { port, input: CARD, env: { OPERATOR: 'luis' } })
    expect(back).toMatchObject({ code: 0, out: 'card ****** is active\n'.replace('******', '603959******0018') })
  })

  it.each([
    ['without a name', ['block'], {}, 'OPERATOR: is required'],
    ['with a name that is none', ['block', '--operator', 'ana gomez'], {}, 'is invalid'],
    ['with a card number for a name', ['block'], { OPERATOR: CARD }, 'OPERATOR: must not hold a card number'],
    ['with a number that fails its check digit', ['block', '--operator', 'ana'], {}, 'no card number'],
    ['with two subjects', ['unlock', '--card', '--terminal', 'A:B:C', '--operator', 'ana'], {}, 'one of --card'],
    ['with a file that is not there', ['block', '--operator', 'ana', '--number-file', 'nowhere'], {}, 'ENOENT'],
    ['with no command that there is', ['explode'], {}, 'unknown command'],
  ])('an operator is told what to do %s, and nothing is asked', async (_, args, env, complaint) => {
    const before = await system.log.extent(TOPIC.purchaseRequests, 0)
    const ended = await run('tokens.ts', args, { port, env, input: '6039591000000019' })
    expect(ended).toMatchObject({ code: 2, out: '', err: expect.stringContaining(complaint) })
    expect(ended.err).not.toContain('603959100000001')
    expect(await system.log.extent(TOPIC.purchaseRequests, 0)).toEqual(before)
  })

  it('an auditor replays, reads a timeline and a page, and reconciles', async () => {
    const replayed = await run('audit.ts', ['replay'], { port })
    expect(replayed).toMatchObject({ code: 0, out: expect.stringContaining('0 different, 0 could not') })
    const limited = await run('audit.ts', ['replay', '--with-rules', 'current', '--json'], {
      port,
      env: { MAX_AMOUNT: '10' },
    })
    expect(limited.code).toBe(1)
    expect(JSON.parse(limited.out)).toMatchObject({
      different: 1,
      changes: [{ count: 1, before: { responseCode: '00' }, now: { responseCode: '61' } }],
    })
    const told = await run('audit.ts', ['timeline', '--card', '--no-proof'], { port, input: CARD })
    expect(told).toMatchObject({ code: 0, out: expect.stringContaining('savings: 100.00 → 50.00') })
    const page = await run('audit.ts', ['timeline', 'p1', '--acquirer', 'A1', '--html', '--no-proof'], { port })
    expect(page).toMatchObject({ code: 0, out: expect.stringMatching(/^<!doctype html>[^]*<\/html>\n$/) })
    writeFileSync(join(folder, 'list.csv'), 'consecutive,amount\np1,50\n')
    const same = await run('audit.ts', ['reconcile', 'list.csv', '--acquirer', 'A1'], { port })
    expect(same).toMatchObject({ code: 0, out: expect.stringContaining('1 matched (50.00 approved), 0 missing here') })
  })

  it.each([
    ['of a consecutive that several acquirers used', ['timeline', 'p1'], '', '--acquirer (A1, B1)'],
    ['of what is not there', ['timeline', 'p99'], '', 'nothing is recorded'],
    ['without saying of what', ['timeline'], '', 'say of what'],
    ['of a number that is none', ['timeline', '--card'], '12', 'no card number'],
    ['of a range without events', ['replay', '--until', '2001-01-01'], '', 'no events in this range'],
    ['of a list that is not there', ['reconcile', 'nowhere.csv'], '', 'ENOENT'],
  ])('an auditor is told what to do who asks %s', async (_, args, input, complaint) => {
    const ended = await run('audit.ts', args, { port, input })
    expect(ended).toMatchObject({ code: 2, out: '', err: expect.stringContaining(complaint) })
  })

  it('another identity key finds nothing, and says that it may be the wrong one', async () => {
    const other = { ...keyRing, identity: { id: 'i2', key: Buffer.alloc(32, 8).toString('base64') } }
    const env = { KEYS: JSON.stringify(other) }
    const ended = await run('audit.ts', ['timeline', '--card', '--no-proof'], { port, input: CARD, env })
    expect(ended).toMatchObject({ code: 2, out: '', err: expect.stringContaining('another identity key') })
  })
})

describe('where there is nothing to audit', () => {
  const LISTED = ['reconcile', 'list.csv', '--acquirer', 'A1']
  beforeAll(() => writeFileSync(join(folder, 'list.csv'), 'consecutive,amount\np1,50\n'))

  it.each([[['replay']], [['timeline', 'p1']], [LISTED]])('%j says that no service is there', async (args) => {
    const ended = await run('audit.ts', args, { port: await freePort() })
    expect(ended).toMatchObject({ code: 2, out: '', err: expect.stringContaining('npm start') })
  })

  it('says so of an empty log, of records that are no events, and of files that are none, and writes nothing', async () => {
    const log = createMemoryLog({ topics: TOPICS })
    const port = await freePort()
    const lent = await lendLog(log, socketPath(port))
    const before = readdirSync(folder)
    for (const args of [['replay'], ['timeline', 'p1'], LISTED]) {
      const ended = await run('audit.ts', args, { port })
      expect(ended).toMatchObject({ code: 2, out: '', err: expect.stringContaining('no events') })
    }
    await log.publish([{ topic: TOPIC.events, key: 'k', value: Buffer.from('not ours'), headers: {} }])
    for (const args of [['replay'], ['timeline', 'p1'], LISTED]) {
      const ended = await run('audit.ts', args, { port })
      expect(ended).toMatchObject({ code: 2, out: '', err: expect.stringContaining('event of ours') })
    }
    for (const args of [['replay'], ['timeline', 'p1'], LISTED]) {
      const ended = await run('audit.ts', [...args, '--files', 'list.csv'], { port })
      expect(ended).toMatchObject({ code: 2, out: '' })
      expect(ended.err).toContain('list.csv')
    }
    expect(readdirSync(folder)).toEqual(before)
    await lent.close()
    await log.close()
  }, 30_000)
})
