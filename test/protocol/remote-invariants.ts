// What must hold when money is another authorizer's: what is taken there is exactly what our outcomes say.

import { SECRET_KINDS, secretName } from '../../services/core/card-token/card-token.ts'
import type { Outcome } from '../../services/core/transaction/outcome.ts'
import { emptySlot, type SlotState } from '../../services/core/subject/state.ts'
import { decideAgain } from '../../services/core/subject/decide-again.ts'
import { evolveAll } from '../../services/core/subject/evolve.ts'
import { DEFAULT_RULES } from '../../services/core/subject/rules.ts'
import { canonical, checkInvariants, fold, type Run } from './invariants.ts'
import type { OtherAuthorizer } from './other-authorizer.ts'

/**
 * After everything has arrived and everybody has ended. @throws Error naming the first invariant that does not hold.
 */
export async function checkRemote(run: Run, other: OtherAuthorizer): Promise<void> {
  while (other.late > 0) other.arrive()
  await checkInvariants(run)
  const slots = fold(run)
  const outcomes = new Map<string, Outcome>()
  for (const { outcomes: own, pendings } of slots.values()) {
    for (const [scope, outcome] of own) outcomes.set(scope, outcome)
    for (const scope of pendings.keys()) throw new Error(`${scope} is pending for ever`)
  }
  for (const key of new Set([...other.keys(), ...outcomes.keys()])) checkMoney(key, outcomes.get(key), other)
  checkReversals(run, other)
  checkOrders(slots, outcomes)
  await checkSecrets(run, slots)
  checkReplay(run)
}

/** Every decision, taken again from its event, is the same. */
function checkReplay({ events }: Run): void {
  const slots = new Map<string, SlotState>()
  for (const event of events) {
    if (event.type === 'transaction-refused') continue
    const state = slots.get(event.slot) ?? emptySlot(event.slot)
    if (event.version <= state.version) continue
    const { responseCode, reason, facts } = decideAgain(event, state, DEFAULT_RULES)
    const again = canonical({ responseCode, reason, facts })
    const recorded = canonical({ responseCode: event.responseCode, reason: event.reason, facts: event.facts })
    if (again !== recorded) throw new Error(`${event.slot}#${event.version} again: ${again}, recorded: ${recorded}`)
    slots.set(event.slot, { ...evolveAll(state, event.facts), version: event.version })
  }
}

function checkMoney(key: string, outcome: Outcome | undefined, other: OtherAuthorizer): void {
  const said = saidTaken(outcome)
  if (other.taken(key) !== said) throw new Error(`${key}: ${other.taken(key)} is taken there, ${said} is said here`)
}

function saidTaken(outcome: Outcome | undefined): number {
  if (outcome?.state !== 'approved' || !outcome.remote || outcome.transactionCode === 'CHARGE_REFUND') return 0
  const refunds = outcome.charge?.refunds ?? []
  if (refunds.some(({ state }) => state === 'pending')) throw new Error('a refund is pending for ever')
  const back = refunds.reduce((sum, { state, amountMinor }) => sum + (state === 'completed' ? amountMinor : 0), 0)
  const left = (outcome.amountMinor ?? 0) - back
  if (left < 0) throw new Error('more is refunded than was charged')
  return left
}

/** Whoever was told that a transaction is reversed finds nothing taken. */
function checkReversals({ replies, events }: Run, other: OtherAuthorizer): void {
  const originals = new Map<string, string>()
  for (const event of events) {
    if (event.type === 'transaction-refused') continue
    for (const { scope, claim } of event.claims) if (claim.kind === 'undoing') originals.set(scope, claim.original)
  }
  for (const { inquiry, reply } of replies) {
    const original = originals.get(reply.scope)
    if (inquiry || original === undefined || reply.responseCode !== '00') continue
    if (other.taken(original) !== 0) throw new Error(`${original} was said to be undone, and is taken there`)
  }
}

function checkOrders(slots: ReadonlyMap<string, SlotState>, outcomes: ReadonlyMap<string, Outcome>): void {
  const held = new Set<string>()
  for (const { orders } of slots.values()) {
    for (const { heldBy } of orders.values()) {
      held.add(heldBy)
      if (outcomes.get(heldBy)?.responseCode !== '00') throw new Error(`an order is held by ${heldBy}, not approved`)
    }
  }
  for (const [scope, { charge, responseCode }] of outcomes)
    if (responseCode === '00' && charge?.orderId !== undefined && !held.has(scope))
      throw new Error(`${scope} is approved without its order`)
}

async function checkSecrets({ store }: Run, slots: ReadonlyMap<string, SlotState>): Promise<void> {
  for (const [slot, { cardTokens }] of slots) {
    const spent = [...cardTokens].filter(([, { state }]) => state === 'spent')
    const names = spent.flatMap(([hash]) => SECRET_KINDS.map((kind) => secretName(kind, hash)))
    const [view] = await store.load([{ slot, names }])
    for (const name of names) if (view?.entries.has(name)) throw new Error(`${name} is left of a spent token`)
    for (const [hash, token] of spent)
      if (token.sealedNumber !== undefined) throw new Error(`${hash} is spent and has its number`)
  }
}
