// Which decision an event records, so that it can be taken again from what the event holds. Total over event types and
// commands: a new kind of either does not compile until it is here.

import { decideCharge, decideOrderFreed, decideOrderHold, decideRefund } from '../card-token/decide-charge.ts'
import { decideVerdict } from '../purchase/judge-token.ts'
import type { CardCharge, Command } from '../transaction/command.ts'
import { decideAnswer, decideUnanswered } from '../transaction/decide-answer.ts'
import { decidePlaced } from '../transaction/decide-placed.ts'
import type { Asked, Decision } from '../transaction/decision.ts'
import { scopeKey, scopeSlot } from '../transaction/scope.ts'
import { decideLateOriginal } from '../undoing/decide-late-original.ts'
import { decideTokenUndone, decideUndoing, decideUndoingUnknown } from '../undoing/decide-undoing.ts'
import type { DecisionEvent } from './event.ts'
import type { Rules } from './rules.ts'
import type { SlotState } from './state.ts'

/** What of an event its decision was taken from. The outcome is not among it. */
export type RecordedInputs = Pick<DecisionEvent, 'type' | 'slot' | 'command' | 'drawn' | 'seen' | 'claims'>

export type DecideAgain = (recorded: RecordedInputs, state: SlotState, rules: Rules) => Decision

/**
 * The decision on `state`, the slot as it was before the event.
 * @throws Error when the event cannot stand on that state, such as an answer without its pending transaction.
 */
export function decideAgain(recorded: RecordedInputs, state: SlotState, rules: Rules): Decision {
  const { command, drawn, seen } = recorded
  const asked: Asked = { state, command, drawn, seen, rules }
  switch (recorded.type) {
    case 'transaction-pending':
      if (state.pendings.has(scopeKey(command.scope))) return decideUnanswered(asked)
      return decideTransaction(asked, recorded)
    case 'transaction-decided':
      return decideTransaction(asked, recorded)
    case 'token-judged':
      return decideToken(asked)
    case 'order-held':
      return decideOrderHold({ ...asked, command: chargeOf(command) })
    case 'order-freed':
      return decideOrderFreed({ ...asked, command: chargeOf(command) })
  }
}

/** Whether a transaction was decided or went to another authorizer first is what its decision said, not what it was asked. */
function decideTransaction(asked: Asked, { slot, claims }: RecordedInputs): Decision {
  const { command, seen } = asked
  switch (command.kind) {
    case 'REVERSAL':
    case 'VOID': {
      const original = scopeKey(command.original)
      const claim = claims.find(({ scope }) => scope === original)?.claim
      return claim?.kind === 'claim'
        ? decideUndoing({ ...asked, command }, claim)
        : decideUndoingUnknown({ ...asked, command })
    }
    case 'CARD_CHARGE':
      return seen.answer ? decideAnswer({ ...asked, command }) : decideCharge({ ...asked, command })
    case 'CHARGE_REFUND':
      return seen.answer ? decideAnswer({ ...asked, command }) : decideRefund({ ...asked, command })
    case 'TOKEN_PURCHASE':
    case 'TOKEN_WITHDRAWAL':
      if (seen.answer) return decideAnswer({ ...asked, command })
      return isLateOriginal(slot, command) ? decideLateOriginal(asked) : decidePlaced({ ...asked, command })
    case 'TOKEN_GENERATION':
    case 'TOKEN_CLAIM':
    case 'TOKEN_CANCELLATION':
    case 'CARD_TOKENIZATION':
    case 'CARD_REGISTRATION':
    case 'CARD_STATE_CHANGE':
    case 'ACCOUNT_OPENING':
    case 'ACCOUNT_CREDIT':
    case 'SUBJECT_UNLOCK':
      return isLateOriginal(slot, command) ? decideLateOriginal(asked) : decidePlaced({ ...asked, command })
  }
}

/** The verdict on a terminal-bound token: its own, or the one by which a reversal closes it. */
function decideToken(asked: Asked): Decision {
  const { command } = asked
  switch (command.kind) {
    case 'TOKEN_PURCHASE':
    case 'TOKEN_WITHDRAWAL':
      return decideVerdict({ ...asked, command })
    case 'REVERSAL':
    case 'VOID':
      return decideTokenUndone({ ...asked, command })
    default:
      throw new Error(`a ${command.kind} has no verdict`)
  }
}

/** Only what met a marker is decided where its scope is, and not on its subject. */
function isLateOriginal(slot: string, command: Command): boolean {
  return slot === scopeSlot(scopeKey(command.scope))
}

function chargeOf(command: Command): CardCharge {
  if (command.kind !== 'CARD_CHARGE') throw new Error(`a ${command.kind} has no order`)
  return command
}
