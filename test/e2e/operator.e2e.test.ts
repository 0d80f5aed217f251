// An operator and an auditor at their command lines, with the services on a real Kafka and a real Redis.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Stack } from './harness.ts'
import { CARD, DOCUMENT, generation, purchase, reversal } from './http.ts'

const TOKENS = 'services/cli/tokens.ts'
const AUDIT = 'services/cli/audit.ts'
const NAME = 'ana.gomez'

let stack: Stack
let card = ''
let document = ''
beforeAll(async () => {
  stack = await Stack.start()
  card = stack.write('card', `${CARD}\n`)
  document = stack.write('document', DOCUMENT.number)
})
afterAll(async () => stack?.stop())

const tokens = (...args: string[]) => stack.run(TOKENS, [...args, '--operator', NAME])
const audit = (...args: string[]) => stack.run(AUDIT, args)
const codeOf = async (body: object) => (await stack.post(body)).body.responseCode
const tokenOf = async () => (await stack.post(generation())).body.token ?? ''

describe('an operator', () => {
  it('unlocks a holder by his document, and by his card', async () => {
    for (const subject of [
      ['--document', 'CC', '--number-file', document],
      ['--card', '--number-file', card],
    ]) {
      const token = await tokenOf()
      const wrong = token === '000000' ? '000001' : '000000'
      for (let n = 0; n < 5; n++) await stack.post(purchase({ token: wrong }))
      expect(await codeOf(purchase({ token }))).toBe('75')
      expect(await tokens('unlock', ...subject)).toMatchObject({ code: 0, output: expect.stringContaining('unlocked') })
      expect(await codeOf(purchase({ token }))).toBe('00')
    }
  })

  it('blocks a card, reports it lost, and makes it active again', async () => {
    const token = await tokenOf()
    for (const [command, code] of [
      ['block', '62'],
      ['lost', '41'],
      ['stolen', '43'],
    ] as const) {
      expect((await tokens(command, '--number-file', card)).code).toBe(0)
      expect(await codeOf(generation({ cardNumber: CARD }))).toBe(code)
    }
    expect((await tokens('unblock', '--number-file', card)).code).toBe(0)
    expect(await codeOf(purchase({ token }))).toBe('00')
  })

  it('cancels a token once, and is told what became of one that is spent', async () => {
    const live = generation()
    const token = (await stack.post(live)).body.token
    expect((await stack.run(TOKENS, ['look', live.consecutive, '--acquirer', 'A1'])).output).toContain('00 approved')
    expect((await tokens('cancel', live.consecutive, '--acquirer', 'A1')).code).toBe(0)
    expect(await codeOf(purchase({ token }))).toBe('55')
    const again = await tokens('cancel', live.consecutive, '--acquirer', 'A1')
    expect(again).toMatchObject({ code: 1, output: expect.stringContaining('voided before') })

    const spent = generation()
    expect(await codeOf(purchase({ token: (await stack.post(spent)).body.token }))).toBe('00')
    const late = await tokens('cancel', spent.consecutive, '--acquirer', 'A1', '--json')
    expect(late.code).toBe(1)
    expect(JSON.parse(late.output)).toMatchObject({
      done: false,
      responseCode: '12',
      why: expect.stringContaining('spent'),
    })
  })
})

describe('an auditor', () => {
  it('sees the operator by name, the true reason, and the state before and after', async () => {
    const live = generation()
    await stack.post(live)
    await tokens('cancel', live.consecutive, '--acquirer', 'A1')
    const told = await audit('timeline', live.consecutive, '--acquirer', 'A1', '--no-proof')
    expect(told.code).toBe(0)
    expect(told.output).toContain(`client operator, app ${NAME}`)
    expect(told.output).toMatch(/token \S+: live, .* → ended by operator:VOID:/)
    const whole = await audit('timeline', '--document', 'CC', '--number-file', document, '--no-proof', '--json')
    expect(whole.code).toBe(0)
    expect(whole.output).not.toContain(DOCUMENT.number)
    const { entries } = JSON.parse(whole.output) as { entries: { reason: string; askedBy: { appKey: string } }[] }
    expect(entries.map(({ reason }) => reason)).toEqual(
      expect.arrayContaining(['subject-unlocked', 'guard-locked', 'paid']),
    )
  })

  it('replays everything that happened here without a difference', async () => {
    const { code, output } = await audit('replay', '--json')
    expect({ code, output }).toMatchObject({ code: 0 })
    const report = JSON.parse(output) as Record<'same' | 'different' | 'notRun' | 'foreign', number>
    expect(report).toMatchObject({ different: 0, notRun: 0, foreign: 0 })
    expect(report.same).toBeGreaterThan(40)
  })

  it("reconciles an acquirer's list", async () => {
    const [bought, undone, unlisted] = [await tokenOf(), await tokenOf(), await tokenOf()].map((token, n) =>
      purchase({ token, amount: 1_000 + n, acquirer: { id: 'A2', storeId: '0001', terminalId: 'T0000009' } }),
    )
    for (const body of [bought, undone, unlisted]) expect(await codeOf(body ?? {})).toBe('00')
    await stack.post(reversal({ acquirer: bought?.['acquirer'], originalConsecutive: undone?.consecutive }))
    const list = stack.write(
      'list.csv',
      `consecutive;amount\n${bought?.consecutive};1000\n${undone?.consecutive};1001,00\nnever-1;5\n`,
    )
    const { code, output } = await audit('reconcile', list, '--acquirer', 'A2', '--json')
    expect(code).toBe(1)
    expect(JSON.parse(output)).toMatchObject({
      matched: { count: 1, amountMinor: 100_000 },
      missingHere: [{ scope: 'A2:TOKEN_PURCHASE:never-1' }],
      missingThere: [{ scope: `A2:TOKEN_PURCHASE:${unlisted?.consecutive}` }],
      different: [{ what: 'state', here: { state: 'undone' } }],
      bad: [],
    })
  })
})
