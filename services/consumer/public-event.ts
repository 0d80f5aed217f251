// The event as consumers outside see it: stable, flat, and without what only the service and its auditors may know (true
// reasons of declines, hashes, drawn values, rules). Fields are only ever added. Pure.

import type { AuthorizationEvent, DecisionEvent, RefusalEvent } from '../core/subject/event.ts'
import type { Fact } from '../core/subject/fact.ts'
import { ACCOUNT_CODES } from '../core/transaction/codes.ts'
import type { Command } from '../core/transaction/command.ts'
import { scopeKey } from '../core/transaction/scope.ts'

/**
 * `transaction.…`: what an acquirer asked for. `administration.…`: what an operator did to cards and accounts.
 * `…approved` and `…declined` are decisions; `…refused` is other content under a used consecutive (94), which changed
 * nothing.
 */
export const PUBLIC_EVENT_TYPES = [
  'transaction.approved',
  'transaction.declined',
  'transaction.refused',
  'administration.approved',
  'administration.declined',
  'administration.refused',
] as const

export type PublicEventType = (typeof PUBLIC_EVENT_TYPES)[number]

export interface PublicEvent {
  /** Unique, and the same whenever this event is delivered again: the `ce_id` of its record. */
  readonly id: string
  readonly type: PublicEventType
  /** When it was decided, RFC 3339 in UTC. */
  readonly time: string
  /** Whose state it changed: opaque, equal for equal subjects. Events of one subject come in order. null: nobody's. */
  readonly subject: string | null
  /** Number of the subject's event, from 1 without gaps; gaps that a consumer sees are events that have no type here. */
  readonly version: number | null
  /** TOKEN_GENERATION, TOKEN_PURCHASE, TOKEN_WITHDRAWAL, REVERSAL, VOID, CARD_CHARGE, …: new ones may come. */
  readonly transactionCode: string
  readonly consecutive: string
  /** Store and terminal are null where the caller has none. */
  readonly acquirer: { readonly id: string; readonly storeId: string | null; readonly terminalId: string | null }
  /** The organisation that asked. */
  readonly clientId: string
  /** `00` when approved. */
  readonly responseCode: string
  /** Six digits, with an approval only. */
  readonly authorizationNumber: string | null
  /** Minor units (centavos). Of a reversal, void or refund: what was given back. null where there is no amount. */
  readonly amountMinor: number | null
  readonly currency: 'COP'
  readonly accountType: string | null
  /** First six and last four digits. */
  readonly cardMask: string | null
  /** Type and last digits. */
  readonly documentMask: string | null
  /** The caller's own text, card numbers in it masked. */
  readonly metadata: string | null
  /** What a caller said of a generation for consumers, card numbers masked. */
  readonly tags: Readonly<Record<string, string>> | null
  /** Of a charge or refund, card numbers masked. */
  readonly description: string | null
  /** The merchant's own number of the order that was charged. */
  readonly orderId: string | null
  /**
   * Of a reversal, void or refund: what it was to undo, and what became of that by this event; a refund may be of a part.
   * State null: nothing changed.
   */
  readonly original: {
    readonly transactionCode: string
    readonly consecutive: string
    readonly state: 'reversed' | 'voided' | 'refunded' | 'declined' | null
  } | null
  /** W3C trace context of the caller. */
  readonly traceparent: string | null
}

/** @returns null for what is no consumer's business: rules, and steps on the way to a decision. */
export function publicEventOf(event: AuthorizationEvent): PublicEvent | null {
  switch (event.type) {
    case 'transaction-decided':
      return decided(event)
    case 'transaction-refused':
      return refused(event)
    default:
      return null
  }
}

function decided(event: DecisionEvent): PublicEvent {
  const { slot, version, drawn, command, facts, responseCode = '' } = event
  const approved = responseCode === '00'
  const scope = scopeKey(command.scope)
  const own = facts.find((fact) => fact.kind === 'outcome-recorded' && fact.scope === scope)
  const outcome = own?.kind === 'outcome-recorded' ? own.outcome : undefined
  const told = asked(command)
  return {
    id: `${slot}#${version}`,
    type: `${kindOf(command)}.${approved ? 'approved' : 'declined'}`,
    time: new Date(drawn.now).toISOString(),
    subject: slot,
    version,
    ...told,
    responseCode,
    cardMask: told.cardMask ?? outcome?.charge?.card.mask ?? null,
    authorizationNumber: outcome?.authorizationNumber ?? null,
    amountMinor: outcome?.amountMinor ?? creditOf(command, facts) ?? amountOf(command),
    accountType: outcome?.accountType ?? ('accountType' in command ? (command.accountType ?? null) : null),
    original: originalOf(command, facts),
    traceparent: event.traceparent ?? null,
  }
}

function refused({ id, now, command, traceparent }: RefusalEvent): PublicEvent {
  return {
    id,
    type: `${kindOf(command)}.refused`,
    time: new Date(now).toISOString(),
    subject: null,
    version: null,
    ...asked(command),
    responseCode: '94',
    authorizationNumber: null,
    amountMinor: amountOf(command),
    accountType: 'accountType' in command ? (command.accountType ?? null) : null,
    original: originalOf(command, []),
    traceparent: traceparent ?? null,
  }
}

function asked(command: Command) {
  const { scope, clientId } = command
  const place = 'acquirer' in command ? command.acquirer : undefined
  return {
    transactionCode: scope.transactionCode,
    consecutive: scope.consecutive,
    acquirer: { id: scope.acquirerId, storeId: place?.storeId ?? null, terminalId: place?.terminalId ?? null },
    clientId,
    currency: 'COP' as const,
    cardMask: 'card' in command ? (command.card?.mask ?? null) : 'mask' in command ? command.mask : null,
    documentMask: 'document' in command ? (command.document?.mask ?? null) : null,
    metadata: 'metadata' in command ? (command.metadata?.text ?? null) : null,
    tags: 'tags' in command ? (command.tags ?? null) : null,
    description: 'description' in command ? (command.description ?? null) : null,
    orderId: 'order' in command ? (command.order?.id ?? null) : null,
  }
}

function kindOf({ kind }: Command): 'transaction' | 'administration' {
  return ACCOUNT_CODES.some((code) => code === kind) ? 'administration' : 'transaction'
}

function amountOf(command: Command): number | null {
  return 'amountMinor' in command ? (command.amountMinor ?? null) : null
}

/** What an undoing gave back. */
function creditOf(command: Command, facts: readonly Fact[]): number | undefined {
  if (!('original' in command)) return undefined
  const credit = facts.find((fact) => fact.kind === 'account-credited')
  return credit?.kind === 'account-credited' ? credit.amountMinor : undefined
}

function originalOf(command: Command, facts: readonly Fact[]): PublicEvent['original'] {
  if (!('original' in command)) return null
  const { transactionCode, consecutive } = command.original
  const scope = scopeKey(command.original)
  const states = facts.map((fact) => ('scope' in fact && fact.scope === scope ? becameOf(fact) : null))
  return { transactionCode, consecutive, state: states.find((state) => state !== null) ?? null }
}

function becameOf(fact: Fact): NonNullable<PublicEvent['original']>['state'] {
  switch (fact.kind) {
    case 'outcome-undone':
      return fact.state === 'approved' ? null : fact.state
    case 'refund-recorded':
      return fact.refund.state === 'completed' ? 'refunded' : null
    // A reversal that came before the decision: the original is declined here, and gets no event of its own.
    case 'outcome-recorded':
      return 'declined'
    default:
      return null
  }
}
