// What a replay found, grouped by change: how a decision was recorded, and how it would be taken. Bounded, however long
// the log is.

import type { AuthorizationEvent } from '../../core/subject/event.ts'
import { scopeKey } from '../../core/transaction/scope.ts'
import type { Ending, Result } from './replay.ts'

/** Groups that are told apart; differences of further ones are counted together. */
const MAX_GROUPS = 500
/** Characters of a value that are shown. */
const MAX_SHOWN = 120

export interface Example {
  readonly place: string
  readonly scope: string
  readonly slot?: string
  readonly version?: number
  /** The first field that differs. */
  readonly field?: string
  readonly recorded?: string
  readonly again?: string
}

export interface Change {
  readonly before: Ending
  readonly now: Ending
  count: number
  readonly examples: Example[]
}

export interface Failure {
  readonly why: string
  count: number
  readonly examples: Example[]
}

export interface Placed {
  readonly partition: number
  readonly offset: bigint
  readonly event: AuthorizationEvent
}

export class ReplayReport {
  readonly #maxExamples: number
  readonly #changes = new Map<string, Change>()
  readonly #failures = new Map<string, Failure>()
  same = 0
  different = 0
  notRun = 0
  repeated = 0
  /** Changes beyond the groups that are told apart. */
  ungrouped = 0

  constructor(maxExamples: number) {
    this.#maxExamples = maxExamples
  }

  add(placed: Placed, result: Result): void {
    switch (result.kind) {
      case 'same':
        this.same++
        return
      case 'repeated':
        this.repeated++
        return
      case 'passed':
        return
      case 'different': {
        this.different++
        const { before, now, first } = result
        const shown = { field: first.field, recorded: text(first.recorded), again: text(first.again) }
        // Decisions that end alike differ in what they change: told apart by where.
        const key = name(before) === name(now) ? `${name(now)} ${first.field}` : `${name(before)} ${name(now)}`
        this.#put(this.#changes, key, { before, now, count: 0, examples: [] }, { ...exampleOf(placed), ...shown })
        return
      }
      case 'not-run':
        this.notRun++
        this.#put(this.#failures, result.why, { why: result.why, count: 0, examples: [] }, exampleOf(placed))
    }
  }

  /** The most frequent first. */
  get changes(): readonly Change[] {
    return [...this.#changes.values()].sort((a, b) => b.count - a.count)
  }

  get failures(): readonly Failure[] {
    return [...this.#failures.values()].sort((a, b) => b.count - a.count)
  }

  #put<G extends Change | Failure>(groups: Map<string, G>, key: string, fresh: G, example: Example): void {
    const group = groups.get(key) ?? (groups.size < MAX_GROUPS ? fresh : undefined)
    if (!group) {
      this.ungrouped++
      return
    }
    groups.set(key, group)
    group.count++
    if (group.examples.length < this.#maxExamples) group.examples.push(example)
  }
}

/** `00 paid`; what has no code is named by its type. */
export function name({ type, responseCode, reason }: Ending): string {
  return `${responseCode ?? type} ${reason}`
}

function exampleOf({ partition, offset, event }: Placed): Example {
  const place = `${partition}/${offset}`
  if (!('command' in event)) return { place, scope: '' }
  const scope = scopeKey(event.command.scope)
  return 'slot' in event ? { place, scope, slot: event.slot, version: event.version } : { place, scope }
}

function text(value: unknown): string {
  const whole = value === undefined ? 'absent' : JSON.stringify(value)
  return whole.length > MAX_SHOWN ? `${whole.slice(0, MAX_SHOWN)}…` : whole
}
