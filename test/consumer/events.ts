// Events for tests of consumers: as the workers publish them, on a log in memory.

import { createAvroWire } from '../../services/adapters/avro/wire.ts'
import { createMemoryLog, type MemoryLog } from '../../services/adapters/memory/log.ts'
import { amountMinor } from '../../services/core/money/amount.ts'
import { EPOCH_HEADER } from '../../services/core/subject/epochs.ts'
import type { DecisionEvent } from '../../services/core/subject/event.ts'
import type { Fact } from '../../services/core/subject/fact.ts'
import type { ResponseCode } from '../../services/core/transaction/codes.ts'
import type { Command } from '../../services/core/transaction/command.ts'
import { scopeKey } from '../../services/core/transaction/scope.ts'
import type { LogRecord } from '../../services/ports/log.ts'
import { TOPIC, TOPICS } from '../../services/runtime/topics.ts'
import { commands } from '../protocol/commands.ts'

export const wire = createAvroWire()
export const DECIDED_AT = Date.UTC(2026, 4, 1, 12)

export interface Decided {
  readonly slot?: string
  readonly version?: number
  readonly responseCode?: ResponseCode
  readonly epoch?: number
  readonly amountMinor?: number
  readonly facts?: readonly Fact[]
}

export function decision(command: Command, given: Decided = {}): DecisionEvent {
  const { slot = 'D.i1.subject', version = 1, responseCode = '00', epoch = 1, facts = [] } = given
  const approved = responseCode === '00'
  return {
    type: 'transaction-decided',
    slot,
    version,
    previousHash: '',
    epoch,
    runId: 'run',
    command,
    drawn: { now: DECIDED_AT, authorizationNumber: '123456', candidates: [], presented: [], presentedDigits: 0 },
    seen: {},
    claims: [],
    ruleVersion: 1,
    rulesId: 'rules',
    responseCode,
    reason: 'token-bound-to-other-card',
    facts: [
      ...facts,
      {
        kind: 'outcome-recorded',
        scope: scopeKey(command.scope),
        outcome: {
          transactionCode: command.kind,
          responseCode,
          state: approved ? 'approved' : 'declined',
          fingerprint: command.fingerprint,
          decidedAt: DECIDED_AT,
          version,
          ...(approved ? { authorizationNumber: '123456' } : {}),
          ...(given.amountMinor === undefined ? {} : { amountMinor: amountMinor(given.amountMinor) }),
        },
      },
    ],
  }
}

export function recordOf(event: DecisionEvent): LogRecord {
  const { value, headers } = wire.encodeEvent(event)
  return { topic: TOPIC.events, key: event.slot, value, headers: { ...headers, [EPOCH_HEADER]: String(event.epoch) } }
}

/** A generation of this subject: version n has the consecutive `subject-n`. */
export function generation(subject: string, version: number, given: Decided = {}): LogRecord {
  const command = commands.generation(`${subject}-${version}`, { document: '1012345678' })
  return recordOf(decision(command, { slot: `D.i1.${subject}`, version, ...given }))
}

export function memoryLog(): MemoryLog {
  return createMemoryLog({ topics: TOPICS })
}
