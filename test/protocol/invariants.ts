// What must hold after any run, whatever its order: the invariants of the protocol's model, checked on the log and the
// store.

import { createAvroWire } from '../../services/adapters/avro/wire.ts'
import { Replay } from '../../services/audit/replay/replay.ts'
import { DEFAULT_RULES, type Rules } from '../../services/core/subject/rules.ts'
import { evolveAll } from '../../services/core/subject/evolve.ts'
import type { DecisionEvent, RefusalEvent } from '../../services/core/subject/event.ts'
import { emptySlot, type SlotState } from '../../services/core/subject/state.ts'
import { scopeKey } from '../../services/core/transaction/scope.ts'
import type { ReplyBody } from '../../services/protocol/operations.ts'
import type { Store } from '../../services/ports/store.ts'

/** What a run left behind. */
export interface Run {
  readonly events: (DecisionEvent | RefusalEvent)[]
  /** Hash of each event's bytes, by the event's place. */
  readonly hashes: string[]
  readonly replies: {
    readonly inquiry: boolean
    readonly reply: ReplyBody
    /** Events that were on the log before the reply. */
    readonly eventsBefore: number
  }[]
  readonly store: Pick<Store, 'load'>
  /** By which it was decided; the contract's when absent. */
  readonly shell?: { readonly rules: Rules }
}

const wire = createAvroWire()

const isDecision = (event: DecisionEvent | RefusalEvent): event is DecisionEvent => event.type !== 'transaction-refused'

/** Fold the log as a rebuild does: an event only at its slot's version + 1, in log order. Checks forks and chains. */
export function fold(world: Run): Map<string, SlotState> {
  const slots = new Map<string, SlotState>()
  const seen = new Map<string, string>()
  world.events.forEach((event, i) => {
    if (!isDecision(event)) return
    const hash = world.hashes[i] ?? ''
    const key = `${event.slot}#${event.version}`
    const before = seen.get(key)
    if (before !== undefined && before !== hash) throw new Error(`fork: two different events ${key}`)
    seen.set(key, hash)
    const state = slots.get(event.slot) ?? emptySlot(event.slot)
    if (event.version <= state.version) return
    if (event.version !== state.version + 1) throw new Error(`gap before ${key}: the slot is at ${state.version}`)
    if (event.previousHash !== state.head) throw new Error(`broken chain at ${key}`)
    slots.set(event.slot, { ...evolveAll(state, event.facts), version: event.version, head: hash })
  })
  return slots
}

/** @throws Error naming the first invariant that does not hold. */
export async function checkInvariants(world: Run): Promise<void> {
  const slots = fold(world)
  checkMovements(world)
  checkReplies(world)
  await checkStore(world, slots)
}

/** Every decision, taken again by the auditors' replay, is the one that was recorded. @throws Error naming the first that is not. */
export async function checkReplay(world: Run): Promise<void> {
  const rules = world.shell?.rules ?? DEFAULT_RULES
  const replay = new Replay({ rulesFor: async () => rules })
  for (const [i, event] of world.events.entries()) {
    const { value } = wire.encodeEvent(event)
    const result = await replay.take({ partition: 0, offset: BigInt(i), value, event })
    if (result.kind === 'different' || result.kind === 'not-run')
      throw new Error(`decided again, event ${i} is ${JSON.stringify(result)}`)
  }
}

function checkMovements(world: Run): void {
  const debits = new Map<string, number>()
  const credits = new Map<string, number>()
  const spent = new Map<string, string>()
  const once = new Set<string>()
  for (const event of world.events) {
    if (!isDecision(event) || once.has(`${event.slot}#${event.version}`)) continue
    once.add(`${event.slot}#${event.version}`)
    const own = scopeKey(event.command.scope)
    const undone = 'original' in event.command ? scopeKey(event.command.original) : own
    for (const fact of event.facts) {
      if (fact.kind === 'account-debited') debits.set(own, (debits.get(own) ?? 0) + 1)
      if (fact.kind === 'account-credited') credits.set(undone, (credits.get(undone) ?? 0) + 1)
      if (fact.kind !== 'token-spent') continue
      const winner = spent.get(fact.hash)
      if (winner !== undefined && winner !== fact.scope)
        throw new Error(`token ${fact.hash} won by ${winner} and ${fact.scope}`)
      spent.set(fact.hash, fact.scope)
    }
  }
  for (const [scope, count] of debits) if (count > 1) throw new Error(`${count} debits for ${scope}`)
  for (const [scope, count] of credits) if (count > 1) throw new Error(`${count} credits for ${scope}`)
}

function checkReplies(world: Run): void {
  const answers = new Map<string, string>()
  const contents = new Map<string, string>()
  for (const { inquiry, reply, eventsBefore } of world.replies) {
    if (inquiry) continue
    const key = `${reply.scope} ${reply.fingerprint}`
    // A refund shows the charge as it is now.
    const shown = reply.scope.includes(':CHARGE_REFUND:') ? '' : reply.authorizationNumber
    const answer = `${reply.responseCode} ${shown ?? ''}`
    const earlier = answers.get(key)
    if (earlier !== undefined && earlier !== answer)
      throw new Error(`replies for ${key} disagree: ${earlier} and ${answer}`)
    answers.set(key, answer)
    if (reply.responseCode !== '94') {
      const other = contents.get(reply.scope)
      if (other !== undefined && other !== reply.fingerprint)
        throw new Error(`two contents of ${reply.scope} got an answer other than 94`)
      contents.set(reply.scope, reply.fingerprint)
    }
    if (!isOnLog(world, reply.scope, eventsBefore, reply.responseCode === '94'))
      throw new Error(`${key} was answered before its event was on the log`)
  }
}

function isOnLog(world: Run, scope: string, eventsBefore: number, refused: boolean): boolean {
  return world.events.slice(0, eventsBefore).some(
    (event) =>
      (refused && event.type === 'transaction-refused' && scopeKey(event.command.scope) === scope) ||
      // 94 is an outcome too, of a charge whose order another one has.
      (isDecision(event) && event.facts.some((fact) => fact.kind === 'outcome-recorded' && fact.scope === scope)),
  )
}

/** The rebuild from the log equals the store. */
async function checkStore(world: Run, slots: ReadonlyMap<string, SlotState>): Promise<void> {
  for (const [slot, state] of slots) {
    const names = [
      ...[...state.tokens.keys()].map((hash) => `token:${hash}`),
      ...[...state.outcomes.keys()].map((scope) => `outcome:${scope}`),
      ...[...state.verdicts.keys()].map((scope) => `verdict:${scope}`),
      ...[...state.pendings.keys()].map((scope) => `pending:${scope}`),
      ...[...state.cardTokens.keys()].map((hash) => `cardtoken:${hash}`),
      ...[...state.orders.keys()].map((hash) => `order:${hash}`),
    ]
    const [view] = await world.store.load([{ slot, names }])
    if (view?.tag !== `${state.version}.${state.head}`)
      throw new Error(`${slot}: store at ${view?.tag}, log at ${state.version}`)
    const { guard, live, card, accounts } = state
    const base = canonical({
      guard: guard.wrongAt.length > 0 || guard.lockedUntil > 0 ? guard : undefined,
      live: live.length > 0 ? live : undefined,
      card: card ?? undefined,
      accounts: accounts.size > 0 ? Object.fromEntries(accounts) : undefined,
    })
    const held = canonical(JSON.parse(view.base || '{}'))
    if (held !== base) throw new Error(`${slot} base: store ${held}, rebuilt from the log ${base}`)
    const expected = new Map<string, unknown>()
    for (const [hash, token] of state.tokens) expected.set(`token:${hash}`, token)
    for (const [scope, outcome] of state.outcomes) expected.set(`outcome:${scope}`, outcome)
    for (const [scope, verdict] of state.verdicts) expected.set(`verdict:${scope}`, verdict)
    for (const [scope, pending] of state.pendings) expected.set(`pending:${scope}`, pending)
    for (const [hash, token] of state.cardTokens) expected.set(`cardtoken:${hash}`, token)
    for (const [hash, hold] of state.orders) expected.set(`order:${hash}`, hold)
    for (const name of names) {
      const stored = canonical(JSON.parse(view.entries.get(name) ?? 'null'))
      const folded = canonical(expected.get(name) ?? null)
      if (stored !== folded) throw new Error(`${slot} ${name}: store ${stored}, rebuilt from the log ${folded}`)
    }
  }
}

export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, field: unknown) =>
    field && typeof field === 'object' && !Array.isArray(field)
      ? Object.fromEntries(
          Object.entries(field)
            .filter(([, inner]) => inner !== undefined)
            .sort(([a], [b]) => (a < b ? -1 : 1)),
        )
      : field,
  )
}
