// Embedded mode as a newcomer has it: one process, HTTP, and the command lines beside it. And the same command lines on
// Kafka.
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Agent } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort, LOOPBACK } from '../../scripts/ports.ts'
import { startProcess, untilReady, type ServerProcess } from '../../scripts/processes.ts'
import { isReady, ROOT, runScript, serviceEnv, Stack, until } from './harness.ts'
import { call, generation, purchase, terminal, type Body } from './http.ts'
import { cardNumber } from './load.ts'

const ACCOUNTS = 'services/cli/accounts.ts'
const EVENTS = 'services/cli/events.ts'
const HEADER = 'cardNumber,documentType,documentNumber,state,expires,restrictions,accountType,balance'
const SECRET_NUMBER = '60395912345'

const folder = mkdtempSync(join(tmpdir(), 'embedded-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A service somewhere, how its callers reach it, and the environment in which its command lines find it. */
interface Place {
  readonly url: () => string
  readonly env: () => NodeJS.ProcessEnv
}

const agent = new Agent()
const post = async (place: Place, body: Body) => call(agent, place.url(), 'POST', '/financial', { body })
afterAll(async () => agent.destroy())

describe('a command line', () => {
  it.each([
    [EVENTS, ['--nope'], "unknown option '--nope'"],
    [EVENTS, ['--from', 'nowhere'], 'beginning'],
    [ACCOUNTS, ['import'], "missing required argument 'file'"],
    [ACCOUNTS, ['nope'], "unknown command 'nope'"],
    ['services/cli/tokens.ts', ['unlock', '--nope'], "unknown option '--nope'"],
    ['services/cli/audit.ts', ['verify', '--nope'], "unknown option '--nope'"],
    ['services/consumer/examples/approvals-csv.ts', ['--nope'], "unknown option '--nope'"],
    ['services/webhooks/main.ts', ['redeliver'], "required option '--subscription <name>'"],
  ])('says what is wrong with a call, with exit code 2: %s %j', async (script, args, why) => {
    const { code, output } = await runScript(script, args, serviceEnv({}))
    expect([code, output]).toEqual([2, expect.stringContaining(why)])
  })
})

describe('embedded mode', () => {
  let child: ServerProcess
  let port: number
  const log = join(folder, 'embedded.log')
  const place: Place = { url: () => `http://${LOOPBACK}:${port}`, env: () => serviceEnv({ PORT: String(port) }) }
  beforeAll(async () => {
    port = await freePort()
    child = await startProcess({
      name: 'embedded',
      command: process.execPath,
      args: [join(ROOT, 'services/embedded/main.ts')],
      env: place.env(),
      log,
      stopWithinMs: 12_000,
    })
    await untilReady(child, log, 30_000, () => isReady(place.url()))
  })
  afterAll(async () => child?.kill())

  it('greets with curl lines for its own port', () => {
    const greeting = readFileSync(log, 'utf8')
    expect(greeting).toContain(`http://127.0.0.1:${port}/financial`)
    expect(greeting.match(/curl /g)?.length).toBeGreaterThanOrEqual(2)
  })

  behavesAsDocumented(place)

  it('ends with code 0 on SIGTERM, and a command line then says that it is not there', async () => {
    expect((await child.stop()).code).toBe(0)
    const { code, output } = await runScript(EVENTS, [], place.env())
    expect(code).toBe(2)
    expect(output).toContain('npm start')
  })
})

describe('Kafka and Redis', () => {
  let stack: Stack
  const place: Place = { url: () => stack.doors[0] ?? '', env: () => stack.env }
  beforeAll(async () => {
    stack = await Stack.start()
  })
  afterAll(async () => stack?.stop())

  behavesAsDocumented(place)
})

function behavesAsDocumented(place: Place): void {
  it('gives 00, six digits and an end; buys; repeats the identical body; and takes a token once', async () => {
    const generated = await post(place, generation())
    expect(generated.body).toMatchObject({
      responseCode: '00',
      token: expect.stringMatching(/^\d{6}$/),
      expiresAt: expect.any(String),
    })
    const buy = purchase({ token: generated.body.token })
    const bought = await post(place, buy)
    expect(bought.body).toMatchObject({ responseCode: '00', authorizationNumber: expect.stringMatching(/^\d{6}$/) })
    expect((await post(place, buy)).text).toBe(bought.text)
    expect((await post(place, purchase({ token: generated.body.token }))).body.responseCode).toBe('55')
  })

  it('imports accounts, reports refused lines without what they hold, and opens nothing twice', async () => {
    const report = join(folder, 'report.csv')
    const good = (n: number, balance: string) => `${cardNumber(900 + n)},CC,${91_000_000 + n},,2032-12,,10,${balance}`
    const file = join(folder, 'accounts.csv')
    writeFileSync(
      file,
      [
        HEADER,
        good(1, '100.50'),
        `${SECRET_NUMBER},CC,91000002,,2032-12,,10,5`,
        good(3, '300'),
        `${cardNumber(904)},XX,91000004,,2032-12,,10,5`,
        `${cardNumber(905)},CC,91000005,,2032-12,,10,many`,
        good(6, '7'),
        '',
      ].join('\n'),
    )
    const first = await runScript(ACCOUNTS, ['import', file, '--report', report], place.env())
    expect(first.code).toBe(1)
    expect(first.output).toContain('3 lines in: 3 accounts opened by this file, 0 were there before; 3 refused')
    expect(readFileSync(report, 'utf8')).toBe(
      'line,reason\n3,"malformed: cardNumber"\n5,"malformed: documentType"\n6,"malformed: balance"\n',
    )
    expect(first.output).not.toContain(SECRET_NUMBER)

    const {
      body: { token },
    } = await post(place, generation({ cardNumber: cardNumber(901) }))
    const buy = (amount: number, fields: object) =>
      post(place, purchase({ cardNumber: cardNumber(901), amount, ...fields }))
    expect((await buy(100.5, { token })).body.responseCode).toBe('00')
    // Repeated: nothing is credited again.
    const again = await runScript(ACCOUNTS, ['import', file], place.env())
    expect(again.code).toBe(1)
    expect(again.output).toContain('3 refused')
    const { body: second } = await post(place, generation({ cardNumber: cardNumber(901) }))
    expect((await buy(0.01, { token: second.token })).body.responseCode).toBe('51')
    // The same holder with another balance: it is there already.
    writeFileSync(file, [HEADER, good(3, '999999'), ''].join('\n'))
    const changed = await runScript(ACCOUNTS, ['import', file], place.env())
    expect([changed.code, changed.output]).toEqual([
      0,
      expect.stringContaining('1 lines in: 0 accounts opened by this file, 1 were there before; 0 refused'),
    ])
  })

  it('tells the progress of a long import', async () => {
    const file = join(folder, 'many.csv')
    const rows = Array.from(
      { length: 5_000 },
      (_, n) => `${cardNumber(10_000 + n)},CC,${92_000_000 + n},,2032-12,,10,1000`,
    )
    writeFileSync(file, [HEADER, ...rows, ''].join('\n'))
    const { code, output } = await runScript(ACCOUNTS, ['import', file], place.env())
    expect(code).toBe(0)
    expect(output).toContain('5000 lines in: 5000 accounts opened')
    expect(output).toMatch(/^\d+ lines, \d+ a second$/m)
  })

  it('stops printing events, without a complaint, when whoever reads has enough', async () => {
    const piped = promisify(execFile)(
      'bash',
      ['-c', 'set -o pipefail; "$0" "$1" --json | head -n 2', process.execPath, join(ROOT, EVENTS)],
      {
        env: place.env(),
      },
    )
    const { stdout, stderr } = await piped
    expect([stdout.trim().split('\n').length, stderr]).toEqual([2, ''])
  })

  it('refuses a file that is not there or is no CSV', async () => {
    const missing = await runScript(ACCOUNTS, ['import', join(folder, 'nowhere.csv')], place.env())
    expect([missing.code, missing.output]).toEqual([2, expect.stringContaining('ENOENT')])
    const file = join(folder, 'no.csv')
    writeFileSync(file, `${HEADER}\n"${SECRET_NUMBER}`)
    const torn = await runScript(ACCOUNTS, ['import', file], place.env())
    expect(torn.code).toBe(2)
    expect(torn.output).not.toContain(SECRET_NUMBER)
  })

  it('prints events, those that are there and those that come', async () => {
    const ask = generation({ acquirer: terminal('EVENTS01') })
    await post(place, ask)
    const { code, output } = await runScript(EVENTS, [], place.env())
    expect(code).toBe(0)
    expect(output.split('\n').filter((line) => line.includes(ask.consecutive))).toHaveLength(1)

    const file = join(folder, `follow-${ask.consecutive}.log`)
    const follower = await startProcess({
      name: 'events',
      command: process.execPath,
      args: [join(ROOT, EVENTS), '--follow', '--json', '--from', 'beginning'],
      env: place.env(),
      log: file,
      stopWithinMs: 12_000,
    })
    const printed = () => readFileSync(file, 'utf8')
    await until('what was there is printed', 30_000, () => printed().includes(ask.consecutive))
    const later = generation({ acquirer: terminal('EVENTS02') })
    await post(place, later)
    await until('what comes is printed', 30_000, () => printed().includes(later.consecutive))
    expect((await follower.stop()).code).toBe(0)
    const events = printed()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { readonly type: string; readonly command?: Body })
    expect(events.filter(({ command }) => JSON.stringify(command ?? {}).includes(later.consecutive))).toMatchObject([
      { type: 'transaction-decided', responseCode: '00' },
    ])
  })
}
