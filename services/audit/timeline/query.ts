// What a timeline is asked about, and which events are of it. Numbers come in hashed.

import type { AuthorizationEvent, DecisionEvent, RefusalEvent } from '../../core/subject/event.ts'
import type { Command } from '../../core/transaction/command.ts'
import {
  cardRecordSlot,
  cardSlot,
  holderSlot,
  scopeKey,
  terminalSlot,
  type Scope,
} from '../../core/transaction/scope.ts'

export type Query =
  | { readonly kind: 'consecutive'; readonly consecutive: string; readonly acquirerId?: string }
  | { readonly kind: 'card' | 'document' | 'terminal'; readonly hash: string }
  /** The token's hash depends on the slot where it is looked for; newest key first. */
  | { readonly kind: 'token'; readonly hashesAt: (slot: string) => readonly string[] }

/** Events that have a command. */
export type CommandEvent = DecisionEvent | RefusalEvent

export function hasCommand(event: AuthorizationEvent): event is CommandEvent {
  return 'command' in event
}

/** Whether the event itself is asked about. */
export function isMeant(query: Query, event: CommandEvent): boolean {
  const { command } = event
  switch (query.kind) {
    case 'consecutive':
      return [command.scope, originalOf(command)].some((scope) => scope && isNamed(query, scope))
    case 'card':
      return hashIn(command, 'card') === query.hash || isAt(event, [cardSlot(query.hash), cardRecordSlot(query.hash)])
    case 'document':
      return hashIn(command, 'document') === query.hash || isAt(event, [holderSlot(query.hash)])
    case 'terminal':
      return (
        ('acquirer' in command && command.acquirer.terminalHash === query.hash) ||
        isAt(event, [terminalSlot(query.hash)])
      )
    case 'token':
      return 'slot' in event && hasToken(query.hashesAt, event)
  }
}

/** The transaction that a reversal, a void or a refund is about. */
export function originalOf(command: Command): Scope | undefined {
  return 'original' in command ? command.original : undefined
}

/** Whether it is about a transaction that was found: its repeats under other content, and what undoes or refunds it. */
export function isRelated(event: CommandEvent, scopes: ReadonlySet<string>): boolean {
  const original = originalOf(event.command)
  return scopes.has(scopeKey(event.command.scope)) || (original !== undefined && scopes.has(scopeKey(original)))
}

function isNamed({ consecutive, acquirerId }: Extract<Query, { kind: 'consecutive' }>, scope: Scope): boolean {
  return scope.consecutive === consecutive && (acquirerId === undefined || scope.acquirerId === acquirerId)
}

function isAt(event: CommandEvent, slots: readonly string[]): boolean {
  return 'slot' in event && slots.includes(event.slot)
}

function hashIn(command: Command, field: 'card' | 'document'): string | undefined {
  const found: unknown = (command as { readonly [name in typeof field]?: { readonly hash: string } })[field]?.hash
  return typeof found === 'string' ? found : undefined
}

/** Issued, presented, claimed, spent or ended here. */
function hasToken(hashesAt: (slot: string) => readonly string[], event: DecisionEvent): boolean {
  const { drawn, facts, slot, claims, command } = event
  const own = scopeKey(command.scope)
  const touched = facts.flatMap((fact) => {
    if (fact.kind === 'token-issued') return [fact.token.hash]
    return fact.kind === 'token-spent' || fact.kind === 'token-ended' || fact.kind === 'token-claimed'
      ? [fact.hash]
      : []
  })
  if (drawn.presented.length === 0 && touched.length === 0) return false
  // A terminal-bound token is looked for at its terminal, also when the account's event is another slot's.
  const claim = claims.find(({ scope }) => scope === own)?.claim
  const at = claim?.kind === 'claim' ? (claim.tokenSlot ?? slot) : slot
  const hashes = new Set([...hashesAt(at), ...hashesAt(slot)])
  return [...drawn.presented, ...touched].some((hash) => hashes.has(hash))
}
