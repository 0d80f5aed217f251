// The timeline of a transaction or a subject: its events in order, with the state of their slots before and after. Reads
// the log twice: what is meant is known only once it was found, and the state only from the first event on.

import { hashOf } from '../../runtime/event-hash.ts'
import type { AuthorizationEvent, DecisionEvent, RefusalEvent } from '../../core/subject/event.ts'
import { DEFAULT_RULES, type Rules } from '../../core/subject/rules.ts'
import type { Command } from '../../core/transaction/command.ts'
import { scopeKey, scopeSlot } from '../../core/transaction/scope.ts'
import { FoldedSlots } from '../replay/folded-slots.ts'
import { checksOf, type Checked } from './checks.ts'
import type { Coverage, Place } from './coverage.ts'
import { askedOf, changesBetween, seenOf, type Change } from './describe.ts'
import { hasCommand, isMeant, isRelated, type Query } from './query.ts'

/** Events of one timeline. More cannot be read by anybody. */
export const MAX_ENTRIES = 20_000

export interface SourceRecord extends Place {
  readonly value: Uint8Array
  readonly event: AuthorizationEvent
}

export interface Entry {
  readonly place: string
  readonly partition: number
  readonly offset: bigint
  /** Unix milliseconds of the decision. */
  readonly at: number
  readonly type: string
  readonly scope: string
  /** `operator`'s apps are people. */
  readonly askedBy: { readonly clientId: string; readonly appKey: string; readonly requestedAt: number }
  readonly asked: Readonly<Record<string, string>>
  readonly responseCode?: string
  /** The true reason. */
  readonly reason: string
  readonly checks: readonly Checked[]
  readonly seen: readonly string[]
  readonly slot?: string
  readonly version?: number
  readonly epoch: number
  readonly hash: string
  readonly previousHash?: string
  /** Null: the events before it are not all there. */
  readonly changes: readonly Change[] | null
  /** Undefined: not looked for. Null: no checkpoint covers it. */
  readonly coverage?: Coverage | null
}

/** More than can be shown. */
export class TimelineTooLongError extends Error {
  override readonly name = 'TimelineTooLongError'
}

export interface Found {
  /** Scope keys of all transactions that are meant. */
  readonly scopes: ReadonlySet<string>
  /** Slots whose state is shown. */
  readonly slots: ReadonlySet<string>
}

/** The first reading: what is meant. */
export class Finder {
  readonly #query: Query
  readonly #scopes = new Set<string>()
  readonly #slots = new Set<string>()
  #acquirers = new Set<string>()

  constructor(query: Query) {
    this.#query = query
  }

  /** @throws TimelineTooLongError */
  look(event: AuthorizationEvent): void {
    if (!hasCommand(event) || !isMeant(this.#query, event)) return
    const { command } = event
    const own = scopeKey(command.scope)
    this.#scopes.add(own)
    this.#acquirers.add(acquirerOf(command))
    if ('slot' in event) this.#slots.add(event.slot)
    // Where a reversal that came first, and what came too late, are decided.
    this.#slots.add(scopeSlot(own))
    if (this.#scopes.size > MAX_ENTRIES) throw new TimelineTooLongError(`more than ${MAX_ENTRIES} transactions`)
  }

  get found(): Found {
    return { scopes: this.#scopes, slots: this.#slots }
  }

  /** Acquirers whose transactions are meant: several used one consecutive when there are more than one. */
  get acquirers(): ReadonlySet<string> {
    return this.#acquirers
  }
}

/** An operator's cancelling is the acquirer's story. */
function acquirerOf(command: Command): string {
  return 'original' in command ? command.original.acquirerId : command.scope.acquirerId
}

/** The second reading, partition after partition. */
export class Collector {
  readonly #query: Query
  readonly #found: Found
  readonly #rulesFor: (id: string) => Promise<Rules | undefined>
  readonly #wanted: (record: Place) => boolean
  readonly #slots = new FoldedSlots()
  readonly #entries: Entry[] = []
  readonly #refusals = new Set<string>()
  #partition = -1

  constructor(
    query: Query,
    found: Found,
    rulesFor: (id: string) => Promise<Rules | undefined>,
    wanted: (record: Place) => boolean = () => true,
  ) {
    this.#query = query
    this.#found = found
    this.#rulesFor = rulesFor
    this.#wanted = wanted
  }

  /** @throws TimelineTooLongError */
  async take(record: SourceRecord): Promise<void> {
    const { event } = record
    if (record.partition !== this.#partition) {
      this.#partition = record.partition
      this.#slots.clear()
    }
    if (!hasCommand(event)) return
    const isShown = this.#wanted(record) && (isMeant(this.#query, event) || isRelated(event, this.#found.scopes))
    if (event.type === 'transaction-refused') {
      if (!isShown || this.#refusals.has(event.id)) return
      this.#refusals.add(event.id)
      this.#keep(refused(record, event))
      return
    }
    if (!isShown && !this.#found.slots.has(event.slot)) return
    const rules = (await this.#rulesFor(event.rulesId)) ?? DEFAULT_RULES
    const entry = this.#fold(record, event, rules)
    if (isShown && entry) this.#keep(entry)
  }

  /** In order of time; events of one slot in theirs, whatever the clocks said. */
  get entries(): readonly Entry[] {
    const latest = new Map<string, number>()
    const keyed = this.#entries.map((entry) => {
      const slot = entry.slot ?? entry.place
      const at = Math.max(entry.at, latest.get(slot) ?? 0)
      latest.set(slot, at)
      return { entry, at }
    })
    return keyed.sort((a, b) => a.at - b.at).map(({ entry }) => entry)
  }

  #fold(record: SourceRecord, event: DecisionEvent, rules: Rules): Entry | null {
    const slots = this.#slots
    const hash = hashOf(record.value)
    const position = slots.positionOf(event, hash)
    if (position === 'repeated') return null
    let changes: readonly Change[] | null = null
    if (position === 'next' && slots.isComplete(event.slot)) {
      try {
        const before = slots.before(event)
        changes = changesBetween(before, slots.fold(event, hash, rules), event.drawn.now)
      } catch {
        // Facts that do not fit are shown as they are, without what they changed: `replay` says more.
        slots.skipTo(event, hash)
      }
    } else if (position !== 'forked') slots.skipTo(event, hash)
    return decided(record, event, hash, changes)
  }

  #keep(entry: Entry): void {
    if (this.#entries.length >= MAX_ENTRIES) throw new TimelineTooLongError(`more than ${MAX_ENTRIES} events`)
    this.#entries.push(entry)
  }
}

function decided(record: SourceRecord, event: DecisionEvent, hash: string, changes: Entry['changes']): Entry {
  const { command, responseCode, reason, slot, version, previousHash } = event
  return {
    ...common(record, command, event.type, event.drawn.now),
    ...(responseCode === undefined ? {} : { responseCode }),
    reason,
    checks: checksOf(event),
    seen: seenOf(event.seen),
    slot,
    version,
    epoch: event.epoch,
    hash,
    previousHash,
    changes,
  }
}

function refused(record: SourceRecord, event: RefusalEvent): Entry {
  return {
    ...common(record, event.command, event.type, event.now),
    responseCode: '94',
    reason: 'other-content',
    checks: [{ check: 'the consecutive was not used with other content', result: 'decided here' }],
    seen: event.claims.map(({ scope, claim }) => `${scope} belongs to a ${claim.kind} of other content`),
    epoch: event.epoch,
    hash: hashOf(record.value),
    changes: [],
  }
}

function common({ partition, offset }: Place, command: Command, type: string, at: number) {
  const { clientId, appKey, requestedAt, scope } = command
  return {
    place: `${partition}/${offset}`,
    partition,
    offset,
    at,
    type,
    scope: scopeKey(scope),
    askedBy: { clientId, appKey, requestedAt },
    asked: Object.fromEntries(askedOf(command)),
  }
}
