// A decision becomes a unit of the store and its event: version, chain hash, writes.

import type { DecisionEvent } from '../../core/subject/event.ts'
import { RULE_VERSION, type Rules } from '../../core/subject/rules.ts'
import { baseOf, CLAIM, tagOf, writesBetween } from '../../protocol/entries.ts'
import type { Command } from '../../core/transaction/command.ts'
import type { CommitOperation } from '../../protocol/operations.ts'
import type { Unit } from '../../ports/store.ts'
import type { Wire } from '../../ports/wire.ts'
import { hashOf } from '../event-hash.ts'
import type { Term } from '../recovery/recovery.ts'
import type { PendingEvent, RoundSlots } from './round-slots.ts'

export interface UnitContext {
  readonly wire: Pick<Wire, 'encodeEvent'>
  readonly rules: Rules
  readonly rulesId: string
  /** Under which the round loaded. */
  readonly term: Term
  readonly traceparent?: string
}

/** Plans the unit and goes on with its result in `slots`, so that the next decision of the round stands on it. */
export function planUnit(operation: CommitOperation, slots: RoundSlots, context: UnitContext): Unit {
  const { state, command, decision, seen, drawn, claims } = operation
  const { before, after } = slots.evolved(state.id, decision.facts)
  const event: DecisionEvent = {
    type: decision.type,
    slot: state.id,
    version: after.version,
    previousHash: state.head,
    epoch: context.term.epoch,
    runId: context.term.runId,
    command: withoutSeal(command),
    drawn,
    seen,
    claims,
    ruleVersion: RULE_VERSION,
    rulesId: context.rulesId,
    responseCode: decision.responseCode,
    reason: decision.reason,
    facts: decision.facts,
    traceparent: context.traceparent,
  }
  const { value, headers } = context.wire.encodeEvent(event)
  const pending: PendingEvent = { version: after.version, event: value, headers }
  const committed = { ...after, head: hashOf(value) }
  slots.apply(committed, pending)
  return {
    slot: state.id,
    expectedTag: tagOf(state),
    nextTag: tagOf(committed),
    nextBase: baseOf(committed),
    absent: operation.claimAbsent ? [CLAIM] : [],
    writes: writesBetween(before, committed, drawn.now, context.rules),
    event: pending,
    generation: context.term.generation,
  }
}

/** The presented token, even sealed, has no place in an event; nor has a number that only one call needs. */
export function withoutSeal(command: Command): Command {
  switch (command.kind) {
    case 'TOKEN_PURCHASE':
    case 'TOKEN_WITHDRAWAL':
      return { ...command, sealedToken: undefined, sealedNumber: undefined }
    case 'TOKEN_CLAIM':
    case 'TOKEN_CANCELLATION':
      return { ...command, sealedToken: undefined }
    default:
      return command
  }
}
