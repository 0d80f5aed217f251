// What a decision is, and the two ways it can end.

import type { DecisionType, Drawn, SeenOutside } from '../subject/event.ts'
import type { Fact } from '../subject/fact.ts'
import type { Rules } from '../subject/rules.ts'
import type { SlotState } from '../subject/state.ts'
import type { ResponseCode } from './codes.ts'
import type { Command } from './command.ts'
import type { Outcome, Pending } from './outcome.ts'
import { scopeKey } from './scope.ts'

/** Everything a decision may look at. */
export interface Asked<C extends Command = Command> {
  /** The slot the decision changes. */
  readonly state: SlotState
  readonly command: C
  readonly seen: SeenOutside
  readonly drawn: Drawn
  readonly rules: Rules
}

export interface Decision {
  readonly type: DecisionType
  /** With an outcome only. */
  readonly responseCode?: ResponseCode
  /** The true reason, for the log only. */
  readonly reason: string
  readonly facts: readonly Fact[]
}

type Extra = Pick<Outcome, 'token' | 'amountMinor' | 'accountType' | 'remote' | 'cardToken' | 'charge'>

/** Approved: the facts, and the outcome with its authorization number: the other authorizer's where it gave one. */
export function approve(asked: Asked, reason: string, facts: readonly Fact[], extra: Extra = {}): Decision {
  const answer = asked.seen.answer
  const authorizationNumber =
    (answer?.kind === 'approved' ? answer.authorizationNumber : undefined) ?? asked.drawn.authorizationNumber
  return {
    type: 'transaction-decided',
    responseCode: '00',
    reason,
    facts: [...facts, recorded(asked, { responseCode: '00', authorizationNumber, state: 'approved', ...extra })],
  }
}

/** Declined: the outcome, and what a decline changes all the same (a wrong token counts, a right one is spent). */
export function decline(
  asked: Asked,
  responseCode: ResponseCode,
  reason: string,
  facts: readonly Fact[] = [],
  extra: Extra = {},
): Decision {
  return {
    type: 'transaction-decided',
    responseCode,
    reason,
    facts: [...facts, recorded(asked, { responseCode, state: 'declined', ...extra })],
  }
}

/** Another authorizer has to be asked: what is settled by then, and that it is about to be asked. */
export function ask(
  asked: Asked,
  reason: string,
  facts: readonly Fact[],
  paid: Pick<Pending, 'amountMinor' | 'accountType'>,
): Decision {
  const { state, command, drawn } = asked
  const pending: Pending = {
    transactionCode: command.kind,
    fingerprint: command.fingerprint,
    ...paid,
    since: drawn.now,
    version: state.version + 1,
  }
  return {
    type: 'transaction-pending',
    reason,
    facts: [...facts, { kind: 'pending-recorded', scope: scopeKey(command.scope), pending }],
  }
}

/** Whether the command came to its decision after its deadline. */
export function isLate({ command, drawn }: Asked): boolean {
  return command.deadline !== undefined && drawn.now > command.deadline
}

function recorded(
  asked: Asked,
  outcome: Pick<Outcome, 'responseCode' | 'authorizationNumber' | 'state'> & Extra,
): Fact {
  const { state, command, drawn } = asked
  return {
    kind: 'outcome-recorded',
    scope: scopeKey(command.scope),
    outcome: {
      transactionCode: command.kind,
      fingerprint: command.fingerprint,
      decidedAt: drawn.now,
      version: state.version + 1,
      ...outcome,
    },
  }
}
