// Which entries of a slot an event may rest on or change, besides its base: more than the worker loads, never less.

import type { DecisionEvent } from '../../core/subject/event.ts'
import type { Fact } from '../../core/subject/fact.ts'
import type { SlotState } from '../../core/subject/state.ts'
import { scopeKey } from '../../core/transaction/scope.ts'
import {
  cardTokenName,
  CLAIM,
  orderName,
  outcomeName,
  pendingName,
  tokenName,
  verdictName,
} from '../../protocol/entries.ts'

export function namesOf({ command, drawn, facts }: DecisionEvent): ReadonlySet<string> {
  const names = new Set([CLAIM])
  const scopes = 'original' in command ? [command.scope, command.original] : [command.scope]
  for (const scope of scopes.map(scopeKey)) for (const name of namesOfScope(scope)) names.add(name)
  for (const hash of drawn.presented) names.add(tokenName(hash))
  for (const { hash } of drawn.candidates) names.add(tokenName(hash))
  if ('tokenHash' in command) names.add(cardTokenName(command.tokenHash))
  if ('order' in command && command.order) names.add(orderName(command.order.hash))
  for (const fact of facts) for (const name of namesOfFact(fact)) names.add(name)
  return names
}

/** Tokens that an undone generation issued: known once its outcome is. */
export function tokenNamesOf({ command }: DecisionEvent, { outcomes }: SlotState): readonly string[] {
  const original = 'original' in command ? outcomes.get(scopeKey(command.original)) : undefined
  return original?.token ? [tokenName(original.token.hash)] : []
}

function namesOfScope(scope: string): readonly string[] {
  return [outcomeName(scope), verdictName(scope), pendingName(scope)]
}

function namesOfFact(fact: Fact): readonly string[] {
  switch (fact.kind) {
    case 'token-issued':
      return [tokenName(fact.token.hash)]
    case 'token-spent':
    case 'token-ended':
    case 'token-claimed':
      return [tokenName(fact.hash)]
    case 'card-token-issued':
    case 'card-token-spent':
      return [cardTokenName(fact.hash)]
    case 'order-held':
    case 'order-freed':
      return [orderName(fact.hash)]
    case 'outcome-recorded':
    case 'outcome-undone':
    case 'verdict-recorded':
    case 'pending-recorded':
    case 'undo-wanted':
    case 'refund-recorded':
      return namesOfScope(fact.scope)
    case 'guard-changed':
    case 'account-opened':
    case 'account-debited':
    case 'account-credited':
    case 'card-registered':
    case 'card-state-changed':
    case 'marker-set':
      return []
  }
}
