// A slot's state as the store has it: a base, which is read and written with the version, and named entries, of which a
// slot may have many: names, texts, and how long memory may hold them. Validity never rests on these expiries; they only
// free memory, and always later than anything that is still decided by data.

import type { Account, AccountType } from '../core/account/account.ts'
import type { CardToken, OrderHold, SecretKind } from '../core/card-token/card-token.ts'
import { SECRET_KINDS } from '../core/card-token/card-token.ts'
import type { Card } from '../core/card/card.ts'
import { OPEN_GUARD, type Guard } from '../core/guard/guard.ts'
import type { Rules } from '../core/subject/rules.ts'
import { emptySlot, type SlotState } from '../core/subject/state.ts'
import { EXPIRED_TOKEN_MEMORY_MS, type LiveToken, type Token } from '../core/token/token.ts'
import type { TransactionCode } from '../core/transaction/codes.ts'
import type { Claim, Outcome, Pending, VerdictRecord } from '../core/transaction/outcome.ts'
import type { EntryWrite, SlotView } from '../ports/store.ts'

export const CLAIM = 'claim'
export const tokenName = (hash: string): string => `token:${hash}`
export const outcomeName = (scope: string): string => `outcome:${scope}`
export const verdictName = (scope: string): string => `verdict:${scope}`
export const pendingName = (scope: string): string => `pending:${scope}`
export const cardTokenName = (hash: string): string => `cardtoken:${hash}`
export const orderName = (hash: string): string => `order:${hash}`

/** What the parts of a base are called, by themselves; in an older form of the store they were entries. */
const BASE_KINDS = ['guard', 'live', 'card', 'account'] as const

/** What the entries of a slot are called, or were, up to the colon. */
export const ENTRY_KINDS: ReadonlySet<string> = new Set([
  ...BASE_KINDS,
  CLAIM,
  'token',
  'outcome',
  'verdict',
  'pending',
  'cardtoken',
  'order',
])

/** Memory is freed this long after data says that an entry is over: longer than clocks differ and requests wait. */
const SLACK_MS = 3_600_000
const TOKEN_SLACK_MS = 60_000
/** A claim outlives the outcome it may still get: requests wait for a day at most (retention of their topics). */
const CLAIM_EXTRA_MS = 86_400_000

/** When a claim made now may be forgotten. */
export function claimExpiresAt(now: number, code: TransactionCode, rules: Rules): number {
  return now + retentionMs(code, rules) + CLAIM_EXTRA_MS + SLACK_MS
}

/** How long an outcome is remembered: a charge, which can be refunded, and its card's token longer than the others. */
function retentionMs(code: TransactionCode, rules: Rules): number {
  switch (code) {
    case 'CARD_TOKENIZATION':
    case 'CARD_CHARGE':
    case 'CHARGE_REFUND':
      return rules.chargeRetentionMs
    default:
      return rules.outcomeRetentionMs
  }
}

export function claimText(claim: Claim): string {
  return JSON.stringify(claim)
}

/** The tag a store compares: version and hash of the event that made it. */
export function tagOf(state: Pick<SlotState, 'version' | 'head'>): string {
  return state.version === 0 ? '' : `${state.version}.${state.head}`
}

/** The state that a view shows. */
export function stateOf(view: SlotView): SlotState {
  const dot = view.tag.indexOf('.')
  if (dot < 0) return withEntries(emptySlot(view.slot), view.entries)
  const version = { version: Number(view.tag.slice(0, dot)), head: view.tag.slice(dot + 1) }
  return withEntries(withBase({ ...emptySlot(view.slot), ...version }, view.base), view.entries)
}

/** Small, and needed by nearly every decision on the slot. Parts that say nothing are left out. */
interface Base {
  readonly guard?: Guard
  readonly live?: readonly LiveToken[]
  readonly card?: Card
  readonly accounts?: Readonly<Partial<Record<AccountType, Account>>>
}

/** A slot's base as the store has it: one line, '' where there is nothing to say. */
export function baseOf({ guard, live, card, accounts }: SlotState): string {
  const base: Base = {
    ...(isOpen(guard) ? {} : { guard }),
    ...(live.length === 0 ? {} : { live }),
    ...(card === null ? {} : { card }),
    ...(accounts.size === 0 ? {} : { accounts: Object.fromEntries(accounts) }),
  }
  const text = JSON.stringify(base)
  return text === '{}' ? '' : text
}

/** The state with this base. */
export function withBase(state: SlotState, base: string): SlotState {
  if (base === '') return state
  const { guard = OPEN_GUARD, live = [], card = null, accounts = {} } = JSON.parse(base) as Base
  return { ...state, guard, live, card, accounts: new Map(Object.entries(accounts) as [AccountType, Account][]) }
}

/**
 * The parts of a base one by one, each with a name and a text as an entry has, for whoever shows or compares slots.
 * @throws Error when it is no base.
 */
export function partsOf(base: string): EntryWrite[] {
  if (base === '') return []
  const { guard, live, card, accounts = {} } = JSON.parse(base) as Base
  const part = (name: string, value: unknown, expiresAt: number | null = null) =>
    value === undefined ? [] : [{ name, value: JSON.stringify(value), expiresAt }]
  const ends = live?.map((token) => token.expiresAt) ?? []
  return [
    ...part('guard', guard),
    ...part('live', live, ends.length === 0 ? null : Math.max(...ends) + TOKEN_SLACK_MS),
    ...part('card', card),
    ...Object.entries(accounts).flatMap(([type, account]) => part(`account:${type}`, account)),
  ]
}

function isOpen({ wrongAt, lockedUntil }: Guard): boolean {
  return wrongAt.length === 0 && lockedUntil === 0
}

/** A used token as the store keeps it: as long as most are. */
const STAND_IN: ReadonlyMap<string, string> = new Map([
  [
    tokenName('stand-in'),
    JSON.stringify({
      id: 'AAAAAAAAAAAAAAAAAAAAAA',
      hash: 'keyid1.AAAAAAAAAAAAAAAAAAAAAAAA',
      digits: 6,
      binding: { documentHash: 'keyid1.AAAAAAAAAAAAAAAAAAAAAAAA' },
      issuedAt: 1_000_000_000_000,
      expiresAt: 1_000_000_300_000,
      state: 'spent',
      usedBy: 'A1:TOKEN_PURCHASE:0000000000000000',
    } satisfies Token),
  ],
])

/**
 * Takes the time of reading a token where none of the presented hashes has one: else a guess that was never issued would
 * be answered some microseconds sooner than a used one.
 */
export function readStandIn(state: SlotState, presented: readonly string[]): void {
  if (!presented.some((hash) => state.tokens.has(hash))) withEntries(state, STAND_IN)
}

/** The state with further entries of the same version. */
export function withEntries(state: SlotState, entries: ReadonlyMap<string, string>): SlotState {
  if (entries.size === 0) return state
  const next: Writable = { ...state }
  for (const [name, text] of entries) {
    const colon = name.indexOf(':')
    const rest = name.slice(colon + 1)
    const kind = colon < 0 ? name : name.slice(0, colon)
    if (SECRET_KINDS.includes(kind as SecretKind)) {
      next.secrets = own(next.secrets, state.secrets).set(name, text)
      continue
    }
    const value: unknown = JSON.parse(text)
    switch (kind) {
      case 'claim':
        next.claim = value as Claim
        break
      case 'token':
        next.tokens = own(next.tokens, state.tokens).set(rest, value as Token)
        break
      case 'outcome':
        next.outcomes = own(next.outcomes, state.outcomes).set(rest, value as Outcome)
        break
      case 'verdict':
        next.verdicts = own(next.verdicts, state.verdicts).set(rest, value as VerdictRecord)
        break
      case 'pending':
        next.pendings = own(next.pendings, state.pendings).set(rest, value as Pending)
        break
      case 'cardtoken':
        next.cardTokens = own(next.cardTokens, state.cardTokens).set(rest, value as CardToken)
        break
      case 'order':
        next.orders = own(next.orders, state.orders).set(rest, value as OrderHold)
        break
      default:
        throw new Error(`unknown entry ${name}`)
    }
  }
  return next
}

type Writable = { -readonly [K in keyof SlotState]: SlotState[K] }

/** A map that may be changed: copied the first time. */
function own<K, V>(map: ReadonlyMap<K, V>, shared: ReadonlyMap<K, V>): Map<K, V> {
  return map === shared ? new Map(map) : (map as Map<K, V>)
}

/** What has to be written besides the base so that the store shows `after` where it showed `before`. */
export function writesBetween(before: SlotState, after: SlotState, now: number, rules: Rules): EntryWrite[] {
  const writes: EntryWrite[] = []
  const put = (name: string, value: unknown, expiresAt: number | null) =>
    writes.push({ name, value: JSON.stringify(value), expiresAt })
  const until = (code: TransactionCode) => now + retentionMs(code, rules) + SLACK_MS
  const remembered = now + rules.outcomeRetentionMs + SLACK_MS

  if (after.claim !== before.claim) put(CLAIM, after.claim, remembered + CLAIM_EXTRA_MS)
  eachChanged(before.tokens, after.tokens, (hash, token) => {
    const kept = token.state === 'live' ? token.expiresAt + EXPIRED_TOKEN_MEMORY_MS + TOKEN_SLACK_MS : remembered
    put(tokenName(hash), token, kept)
  })
  eachChanged(before.outcomes, after.outcomes, (scope, outcome) =>
    put(outcomeName(scope), outcome, until(outcome.transactionCode)),
  )
  eachChanged(before.verdicts, after.verdicts, (scope, verdict) => put(verdictName(scope), verdict, remembered))
  eachChanged(before.cardTokens, after.cardTokens, (hash, token) => {
    const kept = token.state === 'live' ? token.expiresAt + TOKEN_SLACK_MS : until('CARD_CHARGE')
    put(cardTokenName(hash), token, kept)
  })
  // A pending transaction and a held order are never forgotten by time: somebody still has to settle them.
  eachChanged(before.pendings, after.pendings, (scope, pending) => put(pendingName(scope), pending, null))
  eachChanged(before.orders, after.orders, (hash, hold) => put(orderName(hash), hold, null))
  const drop = (name: string) => writes.push({ name, value: null, expiresAt: null })
  eachGone(before.pendings, after.pendings, (scope) => drop(pendingName(scope)))
  eachGone(before.orders, after.orders, (hash) => drop(orderName(hash)))
  eachGone(before.secrets, after.secrets, drop)
  return writes
}

function eachChanged<K, V>(
  before: ReadonlyMap<K, V>,
  after: ReadonlyMap<K, V>,
  write: (key: K, value: V) => void,
): void {
  if (before === after) return
  for (const [key, value] of after) if (before.get(key) !== value) write(key, value)
}

function eachGone<K, V>(before: ReadonlyMap<K, V>, after: ReadonlyMap<K, V>, gone: (key: K) => void): void {
  if (before === after) return
  for (const key of before.keys()) if (!after.has(key)) gone(key)
}
