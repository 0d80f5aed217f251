// Decides every recorded command again from what its event holds, on the state that the events before it made. Folds what
// is recorded, whatever the decision is now: one difference is one difference, not many.
// It trusts what an event says it saw; whether events are as they were is `verify`'s business.

import { decideByToday, decideByVersion } from '../../core/subject/rule-versions.ts'
import type { DecideAgain } from '../../core/subject/decide-again.ts'
import type { AuthorizationEvent, DecisionEvent, RefusalEvent } from '../../core/subject/event.ts'
import { DEFAULT_RULES, type Rules } from '../../core/subject/rules.ts'
import type { SlotState } from '../../core/subject/state.ts'
import type { Decision } from '../../core/transaction/decision.ts'
import { scopeKey } from '../../core/transaction/scope.ts'
import { hashOf } from '../../runtime/event-hash.ts'
import { firstDifference, type Difference } from './first-difference.ts'
import { CLOCK_SKEW_MS, FoldedSlots } from './folded-slots.ts'

export interface ReplayedRecord {
  readonly partition: number
  readonly offset: bigint
  readonly value: Uint8Array
  readonly event: AuthorizationEvent
}

/** How a decision ended, in short. */
export interface Ending {
  readonly type: string
  readonly responseCode?: string
  readonly reason: string
}

export type Result =
  | { readonly kind: 'same' }
  | ({ readonly kind: 'different'; readonly before: Ending; readonly now: Ending } & { readonly first: Difference })
  | { readonly kind: 'not-run'; readonly why: string }
  /** The same event once more, as a lost acknowledgement leaves it. */
  | { readonly kind: 'repeated' }
  /** Nothing that was decided: rules, epochs, and what was not asked for. */
  | { readonly kind: 'passed' }

export interface ReplayOptions {
  /** The rules that events name by id; undefined when the log does not have them. */
  readonly rulesFor: (rulesId: string) => Promise<Rules | undefined>
  /** Decide by these rules and today's code instead of those of the record. */
  readonly today?: Rules
  /** Which records are decided again; all are folded. */
  readonly wanted?: (record: Pick<ReplayedRecord, 'partition' | 'offset'>) => boolean
  /** Events between two looks at what the store would have forgotten. */
  readonly sweepEvery?: number
}

const SAME: Result = { kind: 'same' }
const PASSED: Result = { kind: 'passed' }
const REPEATED: Result = { kind: 'repeated' }

export class Replay {
  readonly #options: ReplayOptions
  readonly #slots: FoldedSlots
  #partition = -1

  constructor(options: ReplayOptions) {
    this.#options = options
    this.#slots = new FoldedSlots(options.sweepEvery)
  }

  /** Records of one partition after another, each in offset order. */
  async take(record: ReplayedRecord): Promise<Result> {
    if (record.partition !== this.#partition) {
      this.#partition = record.partition
      this.#slots.clear()
    }
    const { event } = record
    switch (event.type) {
      case 'rules-published':
      case 'epoch-raised':
        return PASSED
      case 'transaction-refused':
        return this.#isWanted(record) ? refusalAgain(event) : PASSED
      default: {
        const rules = await this.#options.rulesFor(event.rulesId)
        return this.#take(event, record, rules)
      }
    }
  }

  /** Entries of slots held now: of one partition, without what the store would have forgotten. */
  get held(): number {
    return this.#slots.size
  }

  #isWanted(record: ReplayedRecord): boolean {
    return this.#options.wanted?.(record) ?? true
  }

  #take(event: DecisionEvent, record: ReplayedRecord, rules: Rules | undefined): Result {
    const slots = this.#slots
    const hash = hashOf(record.value)
    const position = slots.positionOf(event, hash)
    if (position === 'repeated') return REPEATED
    if (position === 'forked') return notRun('another event of its slot has the same version')
    if (position === 'gap' || !slots.isComplete(event.slot)) {
      slots.skipTo(event, hash)
      return this.#isWanted(record) ? notRun('events of its slot before it are missing, or do not fit') : PASSED
    }
    const chained = event.previousHash === slots.head(event.slot)
    const before = slots.before(event)
    const result = this.#isWanted(record) ? this.#decideAgain(event, before, rules) : PASSED
    try {
      slots.fold(event, hash, rules ?? DEFAULT_RULES, before)
    } catch (error) {
      return notRun(`its facts do not fit the state before it (${sentence(error)})`)
    }
    if (result.kind === 'same' && !chained) return notRun('the event before it in its slot is not the one it names')
    return result
  }

  #decideAgain(event: DecisionEvent, before: SlotState, recordedRules: Rules | undefined): Result {
    const { today } = this.#options
    const rules = today ?? recordedRules
    if (!rules) return notRun(`its rules ${event.rulesId} are not on the log`)
    const decide = today ? decideByToday() : decideByVersion(event.ruleVersion)
    if (!decide)
      return notRun(`this release does not have rule version ${event.ruleVersion}: run the one that wrote it`)
    const result = compare(event, decide, before, rules)
    if (result.kind !== 'different' || !this.#slots.isNearExpiry(event)) return result
    // What expired about then may have been there by the store's clock, or gone.
    for (const skew of [-CLOCK_SKEW_MS, CLOCK_SKEW_MS]) {
      const state = this.#slots.before(event, event.drawn.now + skew)
      if (compare(event, decide, state, rules).kind === 'same') return SAME
    }
    return result
  }
}

function compare(event: DecisionEvent, decide: DecideAgain, state: SlotState, rules: Rules): Result {
  let decision: Decision
  try {
    decision = decide(event, state, rules)
  } catch (error) {
    return notRun(`it cannot be decided on the state before it (${sentence(error)})`)
  }
  const { responseCode, type, reason, facts } = event
  const first = firstDifference({ responseCode, type, reason, facts }, decision)
  return first ? { kind: 'different', before: endingOf(event), now: endingOf(decision), first } : SAME
}

/** 94 needs a claim of other content on the same scope. */
function refusalAgain({ command, claims }: RefusalEvent): Result {
  const scope = scopeKey(command.scope)
  const met = claims.find((claim) => claim.scope === scope)
  if (!met) return notRun('it does not say which claim it met')
  const { fingerprint } = met.claim
  if (fingerprint !== undefined && fingerprint !== command.fingerprint) return SAME
  return {
    kind: 'different',
    before: { type: 'transaction-refused', responseCode: '94', reason: 'other-content' },
    now: { type: 'transaction-decided', reason: 'content-of-the-claim' },
    first: { field: 'claims[0].claim.fingerprint', recorded: fingerprint, again: 'another fingerprint' },
  }
}

function endingOf({ type, responseCode, reason }: Ending): Ending {
  return { type, ...(responseCode === undefined ? {} : { responseCode }), reason }
}

function notRun(why: string): Result {
  return { kind: 'not-run', why }
}

/** Messages of the core name kinds and never values. */
function sentence(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown'
}
