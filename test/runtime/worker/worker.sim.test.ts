import { describe, expect, it } from 'vitest'
import type { DecisionEvent } from '../../../services/core/subject/event.ts'
import { DEFAULT_RULES } from '../../../services/core/subject/rules.ts'
import { systemEntropy } from '../../../services/adapters/keys/entropy.ts'
import { TOPIC } from '../../../services/runtime/topics.ts'
import { bench, commands, keys, wire, type Bench } from './harness.ts'

const CARD = '6039591000000018'
const HOLDER = 'CC:1'

async function prepared(balance = 1_000_000): Promise<Bench> {
  const b = await bench()
  await b.worker()
  await b.ask(commands.registration('r', { card: CARD, document: HOLDER }))
  await b.ask(commands.opening('o', { document: HOLDER, amount: balance }))
  return b
}

async function tokens(b: Bench, count: number, ask: object = {}): Promise<string[]> {
  const digits: string[] = []
  for (let n = 0; n < count; n++) {
    const reply = await b.ask(commands.generation(`g${n}-${Math.random()}`, ask))
    if (reply?.token) digits.push(keys.reveal(reply.token))
  }
  return digits
}

async function debits(b: Bench): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  const seen = new Set<string>()
  for (const event of (await b.events()) as DecisionEvent[]) {
    if (event.type !== 'transaction-decided' || seen.has(`${event.slot}#${event.version}`)) continue
    seen.add(`${event.slot}#${event.version}`)
    if (event.facts.some((fact) => fact.kind === 'account-debited')) {
      found.set(event.command.scope.consecutive, (found.get(event.command.scope.consecutive) ?? 0) + 1)
    }
  }
  return found
}

describe('a worker', () => {
  it('decides many transactions of one subject in one round, each on the result of the one before', async () => {
    const b = await prepared()
    const [first] = await tokens(b, 1, { card: CARD })
    const asked = Array.from({ length: 50 }, (_, n) =>
      b.ask(commands.spending(`p${n}`, { card: CARD, token: first as string })),
    )
    const codes = (await Promise.all(asked)).map((reply) => reply?.responseCode)
    expect(codes.filter((code) => code === '00')).toHaveLength(1)
    expect(codes.filter((code) => code === '55')).toHaveLength(5)
    expect(codes.filter((code) => code === '75')).toHaveLength(44)
    expect(b.counts['rounds']).toBeLessThan(20)
    expect(b.bugs).toEqual([])
  })

  it('draws other candidates where the first has the digits of a token that is still remembered', async () => {
    const b = await bench()
    const ids = ['A', 'A', 'A', 'B', 'C', 'D'].map((letter) => letter.repeat(22))
    const drawn = (): string => ids.shift() ?? systemEntropy.tokenId()
    const clock = { now: () => Date.now() }
    await b.worker({ shell: { clock, entropy: { ...systemEntropy, tokenId: drawn }, keys, rules: DEFAULT_RULES } })
    const ask = (id: string) => b.ask(commands.generation(id, { document: HOLDER }))
    const [first, second] = [await ask('g1'), await ask('g2')]
    expect([first, second].map((reply) => [reply?.responseCode, reply?.token?.id])).toEqual([
      ['00', 'A'.repeat(22)],
      ['00', 'B'.repeat(22)],
    ])
    const events = ((await b.events()) as DecisionEvent[]).filter((event) => event.type === 'transaction-decided')
    expect(events.map((event) => event.drawn.candidates.length)).toEqual([1, 4])
  })

  it('answers 20 identical requests at once with one debit, one event and 20 equal replies', async () => {
    const b = await prepared()
    await b.worker()
    const [token] = await tokens(b, 1, { card: CARD })
    const body = commands.spending('same', { card: CARD, token: token as string })
    const replies = await Promise.all(Array.from({ length: 20 }, () => b.ask(body)))
    expect(new Set(replies.map((reply) => JSON.stringify(reply)))).toHaveLength(1)
    expect(replies[0]?.responseCode).toBe('00')
    const events = (await b.events()).filter(
      (event) => 'command' in event && event.command.scope.consecutive === 'same',
    )
    expect(events).toHaveLength(1)
  })

  it('evaluates at most five of 50 wrong tokens at once, then locks, also for the right one', async () => {
    const b = await prepared()
    const [right] = await tokens(b, 1, { card: CARD })
    const wrong = right === '000000' ? '111111' : '000000'
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, n) => b.ask(commands.spending(`w${n}`, { card: CARD, token: wrong }))),
    )
    const codes = replies.map((reply) => reply?.responseCode)
    expect(codes.filter((code) => code === '55')).toHaveLength(5)
    expect(codes.filter((code) => code === '75')).toHaveLength(45)
    expect((await b.ask(commands.spending('right', { card: CARD, token: right as string })))?.responseCode).toBe('75')
  })

  it('goes on by itself after faults of the store and the log, and decides each once', async () => {
    const b = await prepared()
    const [second] = [await b.worker()]
    const digits = await tokens(b, 5, { card: CARD })
    const asked = digits.map((token, n) => b.ask(commands.spending(`f${n}`, { card: CARD, token }), 10_000))
    b.store.failNext(3, 'before')
    b.log.failPublishes(2, 'after')
    await new Promise((resolve) => setTimeout(resolve, 30))
    b.store.failNext(2, 'after')
    b.log.failPublishes(2, 'before')
    b.store.restart()
    second?.log.crash()
    const replies = await Promise.all(asked)
    expect(replies.map((reply) => reply?.responseCode)).toEqual(['00', '00', '00', '00', '00'])
    expect([...(await debits(b)).values()]).toEqual([1, 1, 1, 1, 1])
    expect(b.bugs).toEqual([])
  }, 20_000)

  it('hands requests over when it dies: every call has its one outcome', async () => {
    const b = await prepared(100_000_000)
    const cards = Array.from({ length: 20 }, (_, n) => `card-${n}`)
    for (const card of cards) await b.ask(commands.registration(`r${card}`, { card, document: `CC:${card}` }))
    for (const card of cards) await b.ask(commands.opening(`o${card}`, { document: `CC:${card}`, amount: 1_000 }))
    const second = await b.worker()
    const third = await b.worker()
    const spend = async (card: string, n: number) => {
      const generated = await b.ask(commands.generation(`g${card}-${n}`, { card }), 15_000)
      return b.ask(
        commands.spending(`p${card}-${n}`, { card, token: keys.reveal(generated?.token as never), amount: 10 }),
        15_000,
      )
    }
    const running = cards.flatMap((card) => [0, 1, 2, 3].map((n) => spend(card, n)))
    setTimeout(() => second.log.crash(), 5)
    setTimeout(() => third.log.crash(), 15)
    const replies = await Promise.all(running)
    expect(replies.filter((reply) => reply?.responseCode === '00')).toHaveLength(80)
    const counted = await debits(b)
    expect(counted.size).toBe(80)
    expect(Math.max(...counted.values())).toBe(1)
    expect(b.bugs).toEqual([])
  }, 30_000)

  it('buries records that are no request, with the reason, and decides all others', async () => {
    const b = await prepared()
    const asked = []
    for (let n = 0; n < 100; n++) {
      b.log.inject(TOPIC.purchaseRequests, n % 4, { value: Buffer.from(`garbage ${n}`) })
      if (n % 10 === 0) b.log.inject(TOPIC.purchaseRequests, n % 4, { value: null, key: null })
      asked.push(b.ask(commands.credit(`c${n}`, { document: HOLDER, amount: 1 })))
    }
    expect((await Promise.all(asked)).every((reply) => reply?.responseCode === '00')).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 100))
    const reasons = new Map<string, number>()
    for await (const record of b.log.read(TOPIC.deadLetters, 0)) {
      const { reason } = wire.decodeDeadLetter(record.value)
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    }
    expect(Object.fromEntries(reasons)).toEqual({ 'not in Avro single-object encoding': 100, 'no value': 10 })
  })

  it('buries a purchase whose sealed token does not open', async () => {
    const b = await prepared()
    const body = {
      ...commands.spending('s', { card: CARD, token: '123456' }),
      sealedToken: Buffer.from('not sealed by us'),
    }
    expect(await b.ask(body, 300)).toBeNull()
    const letters = []
    for await (const record of b.log.read(TOPIC.deadLetters, 0))
      letters.push(wire.decodeDeadLetter(record.value).reason)
    expect(letters).toEqual(['sealed token does not open'])
  })

  it('finishes what it has taken up when it is stopped', async () => {
    const b = await prepared()
    const { worker } = await b.worker()
    const asked = Array.from({ length: 200 }, (_, n) =>
      b.ask(commands.credit(`c${n}`, { document: `CC:9${n % 7}`, amount: 1 })),
    )
    await worker.stop(5_000)
    expect((await Promise.all(asked)).every((reply) => reply?.responseCode === '53')).toBe(true)
    expect(b.bugs).toEqual([])
  })
})
