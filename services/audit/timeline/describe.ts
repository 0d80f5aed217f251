// What people read of a slot's entries, of a command and of what a decision saw. Shows what the log holds: hashes
// shortened, masks, amounts; nothing that is secret is there.

import type { AccountType } from '../../core/account/account.ts'
import type { Guard } from '../../core/guard/guard.ts'
import type { CardToken, OrderHold } from '../../core/card-token/card-token.ts'
import type { Card } from '../../core/card/card.ts'
import { DEFAULT_RULES } from '../../core/subject/rules.ts'
import { emptySlot, type SlotState } from '../../core/subject/state.ts'
import type { SeenOutside } from '../../core/subject/event.ts'
import type { LiveToken, Token } from '../../core/token/token.ts'
import type { Command, ProtectedNumber } from '../../core/transaction/command.ts'
import type { Claim, Outcome, Pending, VerdictRecord } from '../../core/transaction/outcome.ts'
import { scopeKey } from '../../core/transaction/scope.ts'
import { baseOf, partsOf, writesBetween } from '../../protocol/entries.ts'

export interface Change {
  /** Name of the entry, such as `account:10`. */
  readonly entry: string
  readonly what: string
  readonly before: string
  readonly after: string
}

const ACCOUNTS: Readonly<Record<AccountType, string>> = {
  10: 'savings',
  20: 'checking',
  30: 'credit',
  80: 'pocket 80',
  81: 'pocket 81',
  82: 'pocket 82',
  83: 'pocket 83',
  84: 'pocket 84',
}
/** Of a keyed hash, behind its key's id: enough to tell two apart by eye. */
const SHOWN_OF_HASH = 8

/** What differs between two states of a slot, part by part. @param now when it changed, Unix milliseconds. */
export function changesBetween(before: SlotState, after: SlotState, now: number): readonly Change[] {
  const [was, is] = [partsAt(before, now), partsAt(after, now)]
  const names = [...new Set([...was.keys(), ...is.keys()])]
  return names
    .filter((name) => was.get(name) !== is.get(name))
    .map((entry) => ({
      entry,
      what: nameOf(entry),
      before: described(entry, was.get(entry)),
      after: described(entry, is.get(entry)),
    }))
}

/** Base and entries of a slot; of its live tokens those that are not over. */
function partsAt(slot: SlotState, now: number): ReadonlyMap<string, string> {
  const state = { ...slot, live: slot.live.filter(({ expiresAt }) => now < expiresAt) }
  const writes = [...partsOf(baseOf(state)), ...writesBetween(emptySlot(state.id), state, 0, DEFAULT_RULES)]
  return new Map(writes.flatMap(({ name, value }) => (value === null ? [] : [[name, value] as const])))
}

function nameOf(entry: string): string {
  const [kind, rest] = split(entry)
  switch (kind) {
    case 'guard':
      return 'wrong tokens'
    case 'live':
      return 'live tokens'
    case 'claim':
      return 'scope'
    case 'account':
      return ACCOUNTS[rest as AccountType] ?? rest
    case 'token':
    case 'order':
      return `${kind} ${shortHash(rest)}`
    case 'cardtoken':
      return `card token ${shortHash(rest)}`
    case 'card':
      return 'card'
    default:
      return `${kind} of ${rest}`
  }
}

function described(entry: string, text: string | undefined): string {
  if (text === undefined) return entry === 'guard' || entry === 'live' ? '0' : 'none'
  const value: unknown = JSON.parse(text)
  switch (split(entry)[0]) {
    case 'guard':
      return guardText(value as Guard)
    case 'live':
      return String((value as LiveToken[]).length)
    case 'card':
      return cardText(value as Card)
    case 'claim':
      return claimText(value as Claim)
    case 'token':
      return tokenText(value as Token)
    case 'account':
      return money((value as { balanceMinor: number }).balanceMinor)
    case 'outcome':
      return outcomeText(value as Outcome)
    case 'verdict':
      return (value as VerdictRecord).reason
    case 'pending':
      return pendingText(value as Pending)
    case 'cardtoken':
      return cardTokenText(value as CardToken)
    case 'order':
      return `held by ${(value as OrderHold).heldBy}`
    default:
      return text
  }
}

function guardText({ wrongAt, lockedUntil }: Guard): string {
  return `${wrongAt.length}${lockedUntil > 0 ? `, locked until ${time(lockedUntil)}` : ''}`
}

function cardText({ state, holderHash, expiresAt, restrictions }: Card): string {
  return [state, `holder ${shortHash(holderHash)}`, `good until ${time(expiresAt)}`, ...restrictions].join(', ')
}

function claimText(claim: Claim): string {
  return claim.kind === 'marker' ? `reversed before it arrived, by ${claim.by}` : claim.kind
}

function tokenText({ state, usedBy, claimedBy, expiresAt, digits, binding }: Token): string {
  const bound = Object.keys(binding).map((name) => name.replace(/(Hash|Minor|Id)$/, ''))
  return [
    usedBy === undefined ? state : `${state} by ${usedBy}`,
    ...(claimedBy === undefined ? [] : [`claimed for ${claimedBy}`]),
    `${digits} digits until ${time(expiresAt)}`,
    ...(bound.length === 0 ? [] : [`bound to ${bound.join(', ')}`]),
  ].join(', ')
}

function outcomeText({ responseCode, state, authorizationNumber, amountMinor, charge }: Outcome): string {
  const refunds = charge?.refunds ?? []
  return [
    `${responseCode} ${state}`,
    ...(authorizationNumber === undefined ? [] : [`authorization ${authorizationNumber}`]),
    ...(amountMinor === undefined ? [] : [money(amountMinor)]),
    ...refunds.map((refund) => `refund of ${money(refund.amountMinor)} ${refund.state}`),
  ].join(', ')
}

function pendingText({ amountMinor, since, undoneBy }: Pending): string {
  return `${money(amountMinor)} since ${time(since)}${undoneBy === undefined ? '' : `, to be undone for ${undoneBy}`}`
}

function cardTokenText({ state, usedBy, mask, brand, expiresAt }: CardToken): string {
  return `${usedBy === undefined ? state : `${state} by ${usedBy}`}, ${brand} ${mask}, until ${time(expiresAt)}`
}

/** What was asked for: each named field, protected as it came. */
export function askedOf(command: Command): ReadonlyMap<string, string> {
  const asked = new Map<string, string>()
  const put = (name: string, value: string | number | boolean | undefined) => {
    if (value !== undefined) asked.set(name, String(value))
  }
  if ('amountMinor' in command && command.amountMinor !== undefined) put('amount', money(command.amountMinor))
  if ('accountType' in command && command.accountType)
    put('account', `${command.accountType} ${ACCOUNTS[command.accountType]}`)
  if ('card' in command) put('card', numberText(command.card))
  if ('document' in command) put('document', numberText(command.document))
  if ('acquirer' in command) {
    const { id, storeId, terminalId } = command.acquirer
    put('terminal', `${id}:${storeId}:${terminalId}`)
  }
  if ('original' in command) put('original', scopeKey(command.original))
  if ('metadata' in command) put('metadata', command.metadata?.text)
  if ('order' in command) put('order', command.order?.id)
  if ('mask' in command) put('card', `${command.brand} ${command.mask}`)
  if ('state' in command) put('state', command.state)
  if ('ttlSeconds' in command) put('life', `${command.ttlSeconds} s`)
  if ('remote' in command && command.remote) put('funds', 'of another authorizer')
  return asked
}

/** What the decision saw outside of its slot. */
export function seenOf({
  card,
  verdict,
  terminalWrongTokens,
  answer,
  notAsked,
  cardReadable,
  order,
}: SeenOutside): readonly string[] {
  return [
    ...(card
      ? [card.record ? `card at version ${card.version}: ${cardText(card.record)}` : 'card: not registered']
      : []),
    ...(verdict === undefined ? [] : [`verdict on the token: ${verdict}`]),
    ...(terminalWrongTokens === undefined
      ? []
      : [`wrong tokens of the terminal in its window: ${terminalWrongTokens}`]),
    ...(answer ? [`the other authorizer: ${answer.kind}${answer.kind === 'declined' ? ` ${answer.code}` : ''}`] : []),
    ...(notAsked === undefined ? [] : [`the other authorizer was not asked: ${notAsked}`]),
    ...(cardReadable === undefined ? [] : [`the number could be opened: ${cardReadable ? 'yes' : 'no'}`]),
    ...(order === undefined ? [] : [`the order: ${order}`]),
  ]
}

export function time(unixMs: number): string {
  return new Date(unixMs).toISOString()
}

export function money(minor: number): string {
  return (minor / 100).toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 })
}

function numberText(number: ProtectedNumber | undefined): string | undefined {
  return number && `${number.mask} (${shortHash(number.hash)})`
}

function shortHash(hash: string): string {
  const tail = hash.slice(hash.lastIndexOf('.') + 1)
  return tail.length > SHOWN_OF_HASH ? `${tail.slice(0, SHOWN_OF_HASH)}…` : tail
}

function split(entry: string): [string, string] {
  const colon = entry.indexOf(':')
  return colon < 0 ? [entry, ''] : [entry.slice(0, colon), entry.slice(colon + 1)]
}
