// An acquirer's list against the log. The list is held (some 200 bytes a line), the log is streamed; of the log only
// approvals that the list lacks are held beside it.

import type { AuthorizationEvent } from '../../core/subject/event.ts'
import type { Fact } from '../../core/subject/fact.ts'
import { scopeKey } from '../../core/transaction/scope.ts'
import type { Outcome } from '../../core/transaction/outcome.ts'
import { RECONCILED_CODES, type ReconciledCode, type Row, type Settled } from './rows.ts'

/** Lines of a list, and approvals that it lacks: some 500 MB of memory for both. */
export const MAX_ROWS = 1_000_000

/** More than is held. The message says what to do. */
export class ListTooLongError extends Error {
  override readonly name = 'ListTooLongError'
}

/** How a transaction stands on the log. */
export interface Standing {
  amountMinor?: number
  state: Settled
  responseCode: string
  /** Unix milliseconds of its decision. */
  at: number
  /** Version of the event that recorded it: tells a repeat of that event from another use of the consecutive. */
  version: number
  place: string
}

interface Listed {
  readonly line: number
  readonly amountMinor: number
  readonly state: Settled
  here?: Standing
}

export interface Difference {
  readonly line: number
  readonly scope: string
  readonly what: 'amount' | 'state'
  readonly there: { readonly amountMinor: number; readonly state: Settled }
  readonly here: Standing
}

export interface Reconciled {
  readonly matched: { readonly count: number; readonly amountMinor: number }
  /** On the list, not on the log. */
  readonly missingHere: readonly { readonly line: number; readonly scope: string; readonly amountMinor: number }[]
  /** Approved on the log, not on the list. */
  readonly missingThere: readonly { readonly scope: string; readonly here: Standing }[]
  readonly different: readonly Difference[]
}

export interface ReconcileOptions {
  /** Approvals of these acquirers are missed on the list, also of those that have no line. */
  readonly acquirers?: readonly string[]
  /** Whether an approval of this time is one that the list should have. Unix milliseconds. */
  readonly isOfPeriod?: (at: number) => boolean
}

export class Reconciliation {
  readonly #options: ReconcileOptions
  readonly #listed = new Map<string, Listed>()
  readonly #unlisted = new Map<string, Standing>()
  readonly #acquirers: Set<string>
  readonly #codes = new Set<ReconciledCode>()

  constructor(options: ReconcileOptions = {}) {
    this.#options = options
    this.#acquirers = new Set(options.acquirers)
  }

  /** The whole list comes first. @returns why the line does not count, or null. @throws ListTooLongError */
  list(line: number, { acquirerId, transactionCode, consecutive, amountMinor, state }: Row): string | null {
    const key = scopeKey({ acquirerId, transactionCode, consecutive })
    const known = this.#listed.get(key)
    if (known) return `listed already in line ${known.line}`
    if (this.#listed.size >= MAX_ROWS) throw new ListTooLongError(`the list has more than ${MAX_ROWS} lines: divide it`)
    this.#acquirers.add(acquirerId)
    this.#codes.add(transactionCode)
    this.#listed.set(key, { line, amountMinor, state })
    return null
  }

  /** Then the events, each slot's in order. Repeats do no harm. @throws ListTooLongError */
  take(event: AuthorizationEvent, place: string): void {
    if (!('slot' in event)) return
    for (const fact of event.facts) this.#fact(fact, place)
  }

  get result(): Reconciled {
    const different: Difference[] = []
    const missingHere: { line: number; scope: string; amountMinor: number }[] = []
    let [count, amountMinor] = [0, 0]
    for (const [scope, { line, here, ...there }] of this.#listed) {
      const what = here && differs(there, here)
      if (!here) missingHere.push({ line, scope, amountMinor: there.amountMinor })
      else if (what) different.push({ line, scope, what, there, here })
      else {
        count++
        if (there.state === 'approved') amountMinor += there.amountMinor
      }
    }
    const missingThere = [...this.#unlisted]
      .filter(([, { state, at }]) => state === 'approved' && (this.#options.isOfPeriod?.(at) ?? true))
      .map(([scope, here]) => ({ scope, here }))
    return { matched: { count, amountMinor }, missingHere, missingThere, different }
  }

  #fact(fact: Fact, place: string): void {
    if (fact.kind === 'outcome-recorded') this.#record(fact.scope, fact.outcome, place)
    if (fact.kind !== 'outcome-undone') return
    const standing = this.#listed.get(fact.scope)?.here ?? this.#unlisted.get(fact.scope)
    if (standing) standing.state = 'undone'
  }

  #record(scope: string, outcome: Outcome, place: string): void {
    if (!isReconciled(outcome.transactionCode)) return
    const { amountMinor, responseCode, decidedAt: at, version } = outcome
    const state: Settled = outcome.state === 'approved' ? 'approved' : 'declined'
    const standing = { ...(amountMinor === undefined ? {} : { amountMinor }), state, responseCode, at, version, place }
    const listed = this.#listed.get(scope)
    if (listed) {
      if (!isRepeat(listed.here, standing)) listed.here = standing
      return
    }
    if (state !== 'approved' || !this.#isMissed(scope, outcome.transactionCode)) return
    if (isRepeat(this.#unlisted.get(scope), standing)) return
    if (this.#unlisted.size >= MAX_ROWS)
      throw new ListTooLongError(
        `the log has more than ${MAX_ROWS} approvals that the list lacks: choose less with --since and --until`,
      )
    this.#unlisted.set(scope, standing)
  }

  /** Of an acquirer and a kind that the list is about. */
  #isMissed(scope: string, code: ReconciledCode): boolean {
    const kind = this.#codes.size === 0 || this.#codes.has(code)
    return kind && this.#acquirers.has(scope.slice(0, scope.indexOf(':')))
  }
}

function isReconciled(code: string): code is ReconciledCode {
  return (RECONCILED_CODES as readonly string[]).includes(code)
}

function isRepeat(known: Standing | undefined, { version, at }: Standing): boolean {
  return known?.version === version && known.at === at
}

function differs(there: Pick<Listed, 'amountMinor' | 'state'>, here: Standing): Difference['what'] | null {
  if (there.state !== here.state) return 'state'
  return here.amountMinor !== undefined && here.amountMinor !== there.amountMinor ? 'amount' : null
}
