// Many callers at once, each with one call open all the time: a generation, then the purchase that spends its token. A
// call whose outcome a caller does not learn is repeated, elsewhere if there is an elsewhere, until it is decided.
import { expect } from 'vitest'
import { passesLuhn } from '../../services/core/card/mask.ts'
import { TOPIC } from '../../services/runtime/topics.ts'
import { generation, purchase, type Answer, type Body } from './http.ts'
import { holderSlot, Ledger, storedBalance } from './ledger.ts'
import { until, type Stack } from './harness.ts'

/** What a caller saw of one try: an HTTP status, or 0 when the connection failed. */
export type Status = number

export interface Transaction {
  readonly body: Body
  readonly holder: Holder
  readonly statuses: readonly Status[]
  /** The decision, or null when the caller gave it up: every try of it got 503. */
  readonly answer: Answer | null
}

export interface Holder {
  readonly cardNumber: string
  readonly document: { readonly type: string; readonly number: string }
  readonly slot: string
  readonly initialMinor: number
}

export interface LoadOptions {
  readonly callers: number
  readonly holders: readonly Holder[]
  /** Give up what got 503, which says that nothing was accepted, and do something new instead. */
  readonly dropRefused?: boolean
  /** Whether repeats go to another ingress. By default they do. */
  readonly sameDoor?: boolean
}

const INITIAL_PESOS = 1_000_000
const MINOR_PER_PESO = 100
/** Between tries of one call. */
const RETRY_MS = 100
/** After which a call that is still undecided is a failure of the service. */
const GIVE_UP_MS = 60_000

/** Imports holders with a card and a savings account each. They are `first`, `first + 1`, … */
export async function importHolders(stack: Stack, count: number, first = 1): Promise<readonly Holder[]> {
  const holders = Array.from({ length: count }, (_, n): Holder => {
    const document = { type: 'CC', number: String(30_000_000 + first + n) }
    return {
      cardNumber: cardNumber(first + n),
      document,
      slot: holderSlot(document),
      initialMinor: INITIAL_PESOS * MINOR_PER_PESO,
    }
  })
  const rows = holders.map(
    ({ cardNumber: card, document }) => `${card},CC,${document.number},2032-12,10,${INITIAL_PESOS}`,
  )
  const file = stack.write(
    'holders.csv',
    ['cardNumber,documentType,documentNumber,expires,accountType,balance', ...rows, ''].join('\n'),
  )
  const { code, output } = await stack.run('services/cli/accounts.ts', ['import', file])
  if (code !== 0) throw new Error(`accounts were not imported: ${output}`)
  return holders
}

/** A made-up number of the private range. */
export function cardNumber(n: number): string {
  const stem = `603959${String(2_000_00000 + n).padStart(9, '0')}`
  for (let digit = 0; digit < 10; digit++) if (passesLuhn(`${stem}${digit}`)) return `${stem}${digit}`
  throw new Error('no check digit')
}

export class Load {
  readonly transactions: Transaction[] = []
  readonly #stack: Stack
  readonly #options: LoadOptions
  readonly #callers: Promise<void>
  #stopping = false
  #open = 0
  #decided = 0

  constructor(stack: Stack, options: LoadOptions) {
    this.#stack = stack
    this.#options = options
    this.#callers = Promise.all(Array.from({ length: options.callers }, (_, n) => this.#call(n))).then(() => undefined)
    this.#callers.catch(() => undefined)
  }

  /** Calls that are open now. */
  get open(): number {
    return this.#open
  }

  /** Transactions that are decided. */
  get decided(): number {
    return this.#decided
  }

  /** No new transactions; resolves when all that were begun are decided. @throws Error when one never is. */
  async stop(): Promise<readonly Transaction[]> {
    this.#stopping = true
    await this.#callers
    return this.transactions
  }

  async #call(n: number): Promise<void> {
    const holder = this.#options.holders[n % this.#options.holders.length]
    if (!holder) throw new Error('no holders')
    let token: string | undefined
    // Every token is spent before the end: a holder may have five, and the next load needs them.
    while (!this.#stopping || token !== undefined) {
      token ??= (await this.#settle(n, holder, generation({ document: holder.document })))?.body.token
      if (token === undefined) continue
      const amount = 1 + Math.floor(Math.random() * 50)
      const bought = await this.#settle(n, holder, purchase({ cardNumber: holder.cardNumber, token, amount }))
      // One that came too late, or was surely not accepted, left the token as it was.
      if (bought !== null && bought.body.responseCode !== '68') token = undefined
    }
  }

  async #settle(n: number, holder: Holder, body: Body): Promise<Answer | null> {
    const statuses: Status[] = []
    const deadline = performance.now() + GIVE_UP_MS
    for (let attempt = 0; performance.now() < deadline; attempt++) {
      const answer = await this.#try(body, this.#options.sameDoor ? n : n + attempt)
      statuses.push(answer?.status ?? 0)
      const refused = this.#options.dropRefused === true && statuses.every((status) => status === 503)
      if (answer?.status === 200 || refused) {
        this.transactions.push({ body, holder, statuses, answer: refused ? null : answer })
        if (!refused) this.#decided++
        if (refused) await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
        return refused ? null : answer
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
    throw new Error(`${body.transactionCode} ${body.consecutive} was never decided: ${statuses.join(' ')}`)
  }

  async #try(body: Body, door: number): Promise<Answer | null> {
    this.#open++
    try {
      return await this.#stack.post(body, { door })
    } catch {
      return null
    } finally {
      this.#open--
    }
  }
}

/** Every status that callers saw, with how often. */
export function statusesOf(transactions: readonly Transaction[]): Record<string, number> {
  return countBy(transactions.flatMap(({ statuses }) => statuses))
}

/** Every response code that callers got, with how often. */
export function codesOf(transactions: readonly Transaction[]): Record<string, number> {
  return countBy(transactions.flatMap(({ answer }) => answer?.body.responseCode ?? []))
}

function countBy(values: readonly (string | number)[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return counts
}

/**
 * Holds the log and Redis against what the callers were told: one event a transaction with the code that was answered,
 * one debit of the amount for each approved purchase and none for others, nothing of what was surely not accepted,
 * balances.
 */
export async function expectAgreement(
  stack: Stack,
  transactions: readonly Transaction[],
  holders: readonly Holder[],
): Promise<void> {
  await expectEveryRequestAnswered(stack)
  const ledger = await Ledger.of(stack)
  const wrong: unknown[] = []
  const spent = new Map<string, number>()
  for (const { body, answer, holder } of transactions) {
    const decided = ledger.of(body.consecutive, body.transactionCode).map(({ event }) => event.responseCode)
    const told = answer === null ? [] : [answer.body.responseCode]
    const amount =
      body.transactionCode === 'TOKEN_PURCHASE' && answer?.body.responseCode === '00'
        ? Number(body['amount']) * MINOR_PER_PESO
        : 0
    const debits = ledger.debits(body.consecutive, body.transactionCode)
    spent.set(holder.slot, (spent.get(holder.slot) ?? 0) + amount)
    const agrees = same(decided, told) && same(debits, amount > 0 ? [amount] : [])
    if (!agrees) wrong.push({ consecutive: body.consecutive, told, decided, amount, debits })
  }
  expect(wrong).toEqual([])
  for (const { slot, initialMinor } of holders) {
    const expected = initialMinor - (spent.get(slot) ?? 0)
    expect([slot, ledger.balance(slot), await storedBalance(stack, slot)]).toEqual([slot, expected, expected])
  }
}

/** How long a request may wait for its reply after all calls are over. */
const ANSWERED_WITHIN_MS = 20_000

/**
 * No request is lost, not even one whose caller has given up: for each record on a request topic there is a reply
 * record.
 */
async function expectEveryRequestAnswered(stack: Stack): Promise<void> {
  const ids = async (topics: readonly string[]) =>
    countBy(
      (await Promise.all(topics.map((topic) => stack.records(topic))))
        .flat()
        .map(({ headers }) => headers['ce_id'] ?? ''),
    )
  const asked = await ids([TOPIC.tokenRequests, TOPIC.purchaseRequests])
  let unanswered: readonly string[] = []
  await until('every request has a reply', ANSWERED_WITHIN_MS, async () => {
    const answered = await ids([TOPIC.replies])
    unanswered = Object.entries(asked)
      .filter(([id, times]) => times > (answered[id] ?? 0))
      .map(([id]) => id)
    return unanswered.length === 0
  }).catch(() => undefined)
  expect(unanswered).toEqual([])
}

/** Repeats purchases, on every ingress: the recorded outcome is the body that was answered, byte for byte. */
export async function expectSameWhenRepeated(
  stack: Stack,
  transactions: readonly Transaction[],
  limit = 40,
): Promise<void> {
  const purchases = transactions.filter(
    ({ body, answer }) => answer !== null && body.transactionCode === 'TOKEN_PURCHASE',
  )
  const interrupted = purchases.filter(({ statuses }) => statuses.length > 1)
  for (const { body, answer } of [...interrupted, ...purchases].slice(0, limit)) {
    for (const door of stack.doors.keys()) {
      const again = await stack.post(body, { door })
      expect([again.status, again.text]).toEqual([200, answer?.text])
    }
  }
}

function same(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i])
}
