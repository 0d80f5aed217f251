import { describe, expect, it } from 'vitest'
import { purchaseKeyName } from '../../../services/core/card-token/card-token.ts'
import type { TokenSpending } from '../../../services/core/transaction/command.ts'
import { scopeKey, scopeSlot } from '../../../services/core/transaction/scope.ts'
import type { Answered, CardAuthorizer } from '../../../services/ports/card-authorizer.ts'
import { TOPIC } from '../../../services/runtime/topics.ts'
import { FAR } from '../../protocol/commands.ts'
import { bench, commands, keys, type Bench } from './harness.ts'

const CARD = '6039591000000018'
const HOLDER = 'CC:1'
const approved: Answered = { kind: 'approved', authorizationNumber: '777777' }

/** An authorizer that a test holds in its hands. */
class Told implements CardAuthorizer {
  readonly calls: string[] = []
  answers: Partial<Record<'authorize' | 'inquire' | 'refund', () => Answered | Promise<Answered>>> = {}
  reverses: () => boolean | Promise<boolean> = () => true

  async #answer(call: 'authorize' | 'inquire' | 'refund', key: string): Promise<Answered> {
    this.calls.push(`${call} ${key}`)
    return this.answers[call]?.() ?? approved
  }

  authorize = ({ key }: { key: string }) => this.#answer('authorize', key)
  inquire = (key: string) => this.#answer('inquire', key)
  refund = ({ key }: { key: string }) => this.#answer('refund', key)
  reverse = async (key: string): Promise<boolean> => {
    this.calls.push(`reverse ${key}`)
    return this.reverses()
  }
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** A purchase of a card that nobody registered, with its token, its sealed number and the stashed key. */
async function remotePurchase(
  b: Bench,
  consecutive: string,
  card = `411111111111${consecutive}`,
): Promise<TokenSpending> {
  const reply = await b.ask(commands.generation(`g${consecutive}`, { card }))
  if (!reply?.token) throw new Error('a generation gives a token')
  const command = commands.spending(consecutive, { card, token: keys.reveal(reply.token) })
  const key = scopeKey(command.scope)
  const { sealedNumber, wrappedKey } = keys.sealCard(card, key)
  await b.store.stash(scopeSlot(key), [{ name: purchaseKeyName(key, sealedNumber), value: wrappedKey, expiresAt: FAR }])
  return { ...command, remote: true, sealedNumber }
}

async function recorded(b: Bench): Promise<string> {
  const tail = await Promise.all([0, 1, 2, 3].map((partition) => b.log.extent(TOPIC.purchaseRequests, partition)))
  return tail.map(({ end }) => String(end)).join()
}

describe('a worker whose cards have another authorizer', () => {
  it('takes its answer, its number, and asks once however often the request is delivered', async () => {
    const b = await bench()
    const other = new Told()
    await b.worker({ authorizer: other })
    const purchase = await remotePurchase(b, '1111')
    const replies = await Promise.all([b.ask(purchase), b.ask(purchase), b.ask(purchase)])
    for (const reply of replies) expect(reply).toMatchObject({ responseCode: '00', authorizationNumber: '777777' })
    expect(other.calls.filter((call) => call.startsWith('authorize'))).toHaveLength(1)
    expect(b.bugs).toEqual([])
  })

  it('keeps a repetition waiting for the answer of the first, instead of undoing what an inquiry does not find yet', async () => {
    const b = await bench()
    const other = new Told()
    let arrived = false
    other.answers.authorize = () =>
      sleep(300).then(() => {
        arrived = true
        return approved
      })
    other.answers.inquire = () => (arrived ? approved : { kind: 'unknown' })
    await b.worker({ authorizer: other })
    const purchase = await remotePurchase(b, '1111')
    const first = b.ask(purchase)
    const atOnce = b.ask(purchase)
    while (other.calls.length === 0) await sleep(5)
    const replies = await Promise.all([first, atOnce, b.ask(purchase)])
    expect(replies.map((reply) => reply?.responseCode)).toEqual(['00', '00', '00'])
    expect(other.calls).toEqual([`authorize ${scopeKey(purchase.scope)}`])
    expect(b.bugs).toEqual([])
  })

  it('gives repetitions back when the first gets no answer: each settles it, and all are told the same', async () => {
    const b = await bench()
    const other = new Told()
    let dead = true
    other.answers.authorize = () => sleep(100).then(() => ({ kind: 'unknown' }))
    other.answers.inquire = () => ({ kind: 'unknown' })
    other.reverses = () => !dead
    await b.worker({ authorizer: other, callRetry: { firstMs: 20, maxMs: 20 } })
    const purchase = await remotePurchase(b, '1111')
    const waiting = [b.ask(purchase), b.ask(purchase), b.ask(purchase)]
    while (!other.calls.some((call) => call.startsWith('reverse'))) await sleep(5)
    dead = false
    expect((await Promise.all(waiting)).map((reply) => reply?.responseCode)).toEqual(['91', '91', '91'])
    expect(other.calls.filter((call) => call.startsWith('authorize'))).toHaveLength(1)
    expect(b.bugs).toEqual([])
  })

  it('decides 1,000 local purchases while the other authorizer takes five seconds', async () => {
    const b = await bench()
    const other = new Told()
    other.answers.authorize = () => sleep(5_000).then(() => approved)
    await b.worker({ authorizer: other, maxInFlight: 50 })
    const slow = await Promise.all(Array.from({ length: 60 }, (_, n) => remotePurchase(b, String(1_000 + n))))
    const started = performance.now()
    const waiting = slow.map((purchase) => b.ask(purchase, 9_000))
    while (other.calls.length < slow.length) await sleep(10)
    await b.ask(commands.registration('r', { card: CARD, document: HOLDER }))
    const local = Array.from({ length: 1_000 }, (_, n) =>
      b.ask(commands.spending(`l${n}`, { card: `${CARD.slice(0, 12)}${n}`, token: '000000' })),
    )
    expect((await Promise.all(local)).every((reply) => reply?.responseCode === '55')).toBe(true)
    expect(performance.now() - started).toBeLessThan(4_500)
    expect((await Promise.all(waiting)).map((reply) => reply?.responseCode)).toEqual(slow.map(() => '00'))
    expect(b.bugs).toEqual([])
  }, 20_000)

  it('goes on with local traffic while a dead one leaves more open than may be in flight, and settles later', async () => {
    const b = await bench()
    const other = new Told()
    let dead = true
    other.answers.authorize = () => ({ kind: 'unknown' })
    other.answers.inquire = () => ({ kind: 'unknown' })
    other.reverses = () => !dead
    await b.worker({ authorizer: other, maxInFlight: 20, maxOpenCalls: 40, callRetry: { firstMs: 50, maxMs: 100 } })
    const lost = await Promise.all(Array.from({ length: 60 }, (_, n) => remotePurchase(b, String(1_000 + n))))
    const waiting = lost.map((purchase) => b.ask(purchase, 9_000))
    await sleep(300)
    const local = Array.from({ length: 200 }, (_, n) =>
      b.ask(commands.credit(`c${n}`, { document: HOLDER, amount: 1 })),
    )
    expect((await Promise.all(local)).every((reply) => reply?.responseCode === '53')).toBe(true)
    const authorized = other.calls.filter((call) => call.startsWith('authorize')).length
    expect(authorized).toBeLessThanOrEqual(40)
    dead = false
    const codes = (await Promise.all(waiting)).map((reply) => reply?.responseCode)
    expect(new Set(codes)).toEqual(new Set(['91']))
    expect(b.bugs).toEqual([])
  }, 20_000)

  it('puts what it cannot settle back behind the others, once for equal requests, and settles it from there', async () => {
    const b = await bench()
    const other = new Told()
    let dead = true
    other.answers.authorize = () => ({ kind: 'unknown' })
    other.answers.inquire = () => ({ kind: 'unknown' })
    other.reverses = () => !dead
    const { worker } = await b.worker({ authorizer: other, callRetry: { firstMs: 20, maxMs: 20 }, putBackAfterMs: 200 })
    const purchase = await remotePurchase(b, '1111')
    const before = await recorded(b)
    const waiting = [b.ask(purchase, 9_000), b.ask(purchase, 9_000)]
    await sleep(1_200)
    expect(await recorded(b)).not.toBe(before)
    dead = false
    expect((await waiting[0])?.responseCode).toBe('91')
    await worker.stop(1_000)
    expect(b.bugs).toEqual([])
  }, 20_000)

  it('stops at once with transactions that only wait to ask again, and another worker settles them', async () => {
    const b = await bench()
    const other = new Told()
    other.answers.authorize = () => ({ kind: 'unknown' })
    other.answers.inquire = () => ({ kind: 'unknown' })
    other.reverses = () => false
    const { worker } = await b.worker({ authorizer: other, callRetry: { firstMs: 60_000, maxMs: 60_000 } })
    const purchase = await remotePurchase(b, '1111')
    const waiting = b.ask(purchase, 15_000)
    while (!other.calls.some((call) => call.startsWith('reverse'))) await sleep(10)
    await sleep(50)
    const started = performance.now()
    await worker.stop(8_000)
    expect(performance.now() - started).toBeLessThan(1_000)
    other.reverses = () => true
    await b.worker({ authorizer: other })
    expect((await waiting)?.responseCode).toBe('91')
    expect(other.calls.filter((call) => call.startsWith('authorize'))).toHaveLength(1)
  }, 20_000)

  it('waits on its stop for a call that is under way', async () => {
    const b = await bench()
    const other = new Told()
    other.answers.authorize = () => sleep(500).then(() => approved)
    const { worker } = await b.worker({ authorizer: other })
    const waiting = b.ask(await remotePurchase(b, '1111'))
    while (other.calls.length === 0) await sleep(5)
    await worker.stop(5_000)
    expect((await waiting)?.responseCode).toBe('00')
    expect(b.bugs).toEqual([])
  })

  it('declines with 91 what nobody can be asked for, and asks nothing', async () => {
    const b = await bench()
    await b.worker()
    expect((await b.ask(await remotePurchase(b, '1111')))?.responseCode).toBe('91')
    const event = (await b.events()).at(-1)
    expect(event).toMatchObject({ type: 'transaction-decided', reason: 'no-authorizer' })
  })
})
