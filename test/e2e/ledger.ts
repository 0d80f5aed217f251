// What the log says happened: decisions, debits and balances, folded from the decoded records by rules of the tests'
// own.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createKeyRing, type KeyRingConfig } from '../../services/adapters/keys/key-ring.ts'
import { Barriers } from '../../services/core/subject/epochs.ts'
import type { AuthorizationEvent, DecisionEvent } from '../../services/core/subject/event.ts'
import type { StoredRecord } from '../../services/ports/log.ts'
import { TOPIC } from '../../services/runtime/topics.ts'
import { askRedis } from '../servers/redis-probe.ts'
import { DEMO_SET, wire, type Stack } from './harness.ts'

const demo = JSON.parse(readFileSync(DEMO_SET, 'utf8')) as { readonly keys: KeyRingConfig }
export const keys = createKeyRing(demo.keys)

export interface Decided {
  readonly event: DecisionEvent
  /** How many records carry it. */
  records: number
}

export class Ledger {
  /** Decisions by `slot#version`: redelivered records are one. */
  readonly #decided = new Map<string, Decided>()
  readonly refusals: AuthorizationEvent[] = []

  /** Reads the whole topic. @throws Error when two different events have one slot and version, or a chain is broken. */
  static async of(stack: Stack): Promise<Ledger> {
    return new Ledger(await stack.records(TOPIC.events))
  }

  constructor(records: readonly StoredRecord[]) {
    const bytes = new Map<string, Buffer>()
    const barriers = new Barriers()
    for (const record of records) {
      const event = wire.decodeEvent(record.value)
      if (barriers.judge(record) !== 'valid' || event.type === 'rules-published' || event.type === 'epoch-raised')
        continue
      if (event.type === 'transaction-refused') {
        this.refusals.push(event)
        continue
      }
      const place = `${event.slot}#${event.version}`
      const value = Buffer.from(record.value ?? [])
      if (bytes.has(place) && !bytes.get(place)?.equals(value)) throw new Error(`two events at ${place}`)
      bytes.set(place, value)
      const known = this.#decided.get(place)
      if (known) known.records++
      else this.#decided.set(place, { event, records: 1 })
    }
    for (const [place, { event }] of this.#decided) {
      const before = bytes.get(`${event.slot}#${event.version - 1}`)
      const hash = before ? createHash('sha256').update(before).digest('base64url') : ''
      if (event.version > 1 && !before) throw new Error(`the event before ${place} is missing`)
      if (event.previousHash !== hash) throw new Error(`${place} does not continue its chain`)
    }
  }

  get decisions(): readonly DecisionEvent[] {
    return [...this.#decided.values()].map(({ event }) => event)
  }

  /** Decisions of a transaction; verdicts on terminal-bound tokens are not among them. */
  of(consecutive: string, transactionCode = 'TOKEN_PURCHASE'): readonly Decided[] {
    return this.#byScope().get(`${transactionCode}:${consecutive}`) ?? []
  }

  #scopes: Map<string, Decided[]> | null = null
  #byScope(): Map<string, Decided[]> {
    if (this.#scopes) return this.#scopes
    this.#scopes = new Map()
    for (const decided of this.#decided.values()) {
      if (decided.event.type !== 'transaction-decided') continue
      const { transactionCode, consecutive } = decided.event.command.scope
      const key = `${transactionCode}:${consecutive}`
      this.#scopes.set(key, [...(this.#scopes.get(key) ?? []), decided])
    }
    return this.#scopes
  }

  /** Centavos taken by a transaction, one number for each debit. */
  debits(consecutive: string, transactionCode = 'TOKEN_PURCHASE'): readonly number[] {
    return this.of(consecutive, transactionCode).flatMap(({ event }) =>
      event.facts.flatMap((fact) => (fact.kind === 'account-debited' ? [fact.amountMinor] : [])),
    )
  }

  /** Centavos in an account, by all that was ever booked on it. */
  balance(slot: string, accountType = '10'): number {
    let balance = 0
    for (const { event } of this.#decided.values()) {
      if (event.slot !== slot) continue
      for (const fact of event.facts) {
        if (fact.kind === 'account-opened' && fact.accountType === accountType) balance += fact.amountMinor
        if (fact.kind === 'account-credited' && fact.accountType === accountType) balance += fact.amountMinor
        if (fact.kind === 'account-debited' && fact.accountType === accountType) balance -= fact.amountMinor
      }
    }
    return balance
  }
}

/** The slot of a holder, where the accounts are. */
export function holderSlot({ type, number }: { readonly type: string; readonly number: string }): string {
  return `D.${keys.hash('document', `${type}:${number}`)}`
}

/** Centavos in an account as Redis has them. */
export async function storedBalance(stack: Stack, slot: string, accountType = '10'): Promise<number> {
  const [version] = await askRedis(stack.servers.redisUrl, [['GET', `version:{${slot}}`]])
  const base = JSON.parse(String(version).split('\n')[1] || '{}') as {
    readonly accounts?: Record<string, { readonly balanceMinor: number }>
  }
  const account = base.accounts?.[accountType]
  if (!account) throw new Error(`Redis has no account ${accountType} of ${slot}`)
  return account.balanceMinor
}
