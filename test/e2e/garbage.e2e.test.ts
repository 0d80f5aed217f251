// 10,000 records put straight on the request topics with garbage between them: the garbage is set aside with its reason
// and its place, and every request is decided.
import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AmountMinor } from '../../services/core/money/amount.ts'
import type { TokenGeneration, TokenSpending } from '../../services/core/transaction/command.ts'
import type { LogRecord, StoredRecord } from '../../services/ports/log.ts'
import { TOPIC } from '../../services/runtime/topics.ts'
import { Stack, until, wire } from './harness.ts'
import { keys, Ledger } from './ledger.ts'

const RECORDS = 10_000
/** Every so many records one is garbage. */
const GARBAGE_EVERY = 10
const DECIDED_WITHIN_MS = 90_000
const GARBAGE_KEY = 'garbage-'
const TOPICS = [TOPIC.tokenRequests, TOPIC.purchaseRequests] as const

let stack: Stack
beforeAll(async () => {
  stack = await Stack.start({ instances: { issuer: 2, authorizer: 2 } })
})
afterAll(async () => stack?.stop())

const hashed = (purpose: 'card' | 'terminal', text: string) => keys.hash(purpose, text)

function base(n: number, transactionCode: 'TOKEN_GENERATION' | 'TOKEN_PURCHASE') {
  const now = Date.now()
  return {
    scope: { acquirerId: 'A1', transactionCode, consecutive: randomUUID() },
    fingerprint: keys.hash('fingerprint', `${transactionCode} ${n}`),
    clientId: 'demo',
    appKey: 'demo-acquirer',
    requestedAt: now,
    deadline: now + 600_000,
    acquirer: { id: 'A1', storeId: '1', terminalId: `G${n}`, terminalHash: hashed('terminal', `A1:1:G${n}`) },
  }
}

function generationOf(n: number): TokenGeneration {
  return { ...base(n, 'TOKEN_GENERATION'), kind: 'TOKEN_GENERATION', restrictToAcquirer: false, ttlSeconds: 300 }
}

/** A purchase with a card that nobody has registered: its token can only be wrong. */
function purchaseOf(n: number, context?: string): TokenSpending {
  const ask = base(n, 'TOKEN_PURCHASE')
  const { acquirerId, transactionCode, consecutive } = ask.scope
  return {
    ...ask,
    kind: 'TOKEN_PURCHASE',
    card: { hash: hashed('card', `card ${n}`), mask: '603959******0000' },
    sealedToken: keys.seal('123456', context ?? `${acquirerId}:${transactionCode}:${consecutive}`),
    accountType: '10',
    amountMinor: 100 as AmountMinor,
  }
}

function requestBytes(body: TokenGeneration | TokenSpending): Buffer {
  return Buffer.from(wire.encodeRequest({ body, replyPartition: 0 }).value)
}

/**
 * Kinds of what may come: nothing, noise, torn, foreign, nonsense inside, and a token sealed for another transaction.
 */
const GARBAGE: readonly ((n: number) => Uint8Array)[] = [
  () => new Uint8Array(0),
  () => randomBytes(40),
  () => Buffer.from('{"transactionCode":"TOKEN_PURCHASE"}'),
  (n) => requestBytes(generationOf(n)).subarray(0, 30),
  (n) => Buffer.concat([requestBytes(generationOf(n)), randomBytes(3)]),
  (n) => wire.encodeDeadLetter({ topic: 'x', partition: 0, offset: BigInt(n), reason: 'none' }).value,
  (n) => requestBytes({ ...generationOf(n), ttlSeconds: -5 }),
  (n) => requestBytes({ ...purchaseOf(n), fingerprint: 'not a hash' }),
  (n) => requestBytes(purchaseOf(n, 'another transaction')),
  () => Buffer.alloc(100_000, 0xc3),
]

describe('garbage on the request topics', () => {
  it('goes to dead.letters with its reason and place, and every request is decided', async () => {
    const asked: (TokenGeneration | TokenSpending)[] = []
    const records = Array.from({ length: RECORDS }, (_, n): LogRecord => {
      const topic = n % 2 === 0 ? TOPIC.tokenRequests : TOPIC.purchaseRequests
      if (n % GARBAGE_EVERY === 0 || n % GARBAGE_EVERY === 3) {
        const kind = GARBAGE[Math.floor(n / GARBAGE_EVERY) % GARBAGE.length] as (n: number) => Uint8Array
        return { topic, key: `${GARBAGE_KEY}${n}`, value: kind(n), headers: {} }
      }
      const body = n % 2 === 0 ? generationOf(n) : purchaseOf(n)
      asked.push(body)
      return { topic, key: body.acquirer.terminalHash, ...wire.encodeRequest({ body, replyPartition: n % 16 }) }
    })
    const began = performance.now()
    for (let at = 0; at < records.length; at += 500) await stack.log.publish(records.slice(at, at + 500))
    await until(
      'all are decided',
      DECIDED_WITHIN_MS,
      async () => (await stack.records(TOPIC.replies)).length >= asked.length,
    )
    const ledger = await Ledger.of(stack)
    const wrong = asked.filter(({ scope, kind }) => {
      const decided = ledger.of(scope.consecutive, scope.transactionCode).map(({ event }) => event.responseCode)
      return decided.length !== 1 || decided[0] !== (kind === 'TOKEN_GENERATION' ? '00' : '55')
    })
    expect(wrong).toEqual([])
    console.log(
      `${asked.length} decided, ${RECORDS - asked.length} set aside in ${Math.round(performance.now() - began)} ms`,
    )
    await expectSetAside(RECORDS - asked.length)
  })

  it('does not stop the service: HTTP calls are answered as ever', async () => {
    const { status, body } = await stack.post({
      consecutive: randomUUID(),
      transactionCode: 'TOKEN_GENERATION',
      acquirer: { id: 'A1', storeId: '1', terminalId: 'AFTER' },
    })
    expect([status, body.responseCode]).toEqual([200, '00'])
  })
})

async function expectSetAside(count: number): Promise<void> {
  const place = ({ topic, partition, offset }: Pick<StoredRecord, 'topic' | 'partition' | 'offset'>) =>
    `${topic}/${partition}/${offset}`
  const garbage = (await Promise.all(TOPICS.map((topic) => stack.records(topic))))
    .flat()
    .filter(({ key }) => key?.startsWith(GARBAGE_KEY))
  expect(garbage).toHaveLength(count)
  const bytes = new Map(garbage.map((record) => [place(record), record]))
  const letters = (await stack.records(TOPIC.deadLetters)).map(({ value }) => wire.decodeDeadLetter(value))
  expect(letters.map(place).toSorted()).toEqual([...bytes.keys()].toSorted())
  for (const letter of letters) {
    const record = bytes.get(place(letter))
    expect(letter.reason).not.toBe('')
    expect(letter.key).toBe(record?.key)
    expect(Buffer.from(letter.value ?? []).equals(Buffer.from(record?.value ?? []))).toBe(true)
  }
  expect(new Set(letters.map(({ reason }) => reason)).size).toBeGreaterThan(3)
  console.log([...new Set(letters.map(({ reason }) => reason))].join(' | '))
}
