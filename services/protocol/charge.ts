// The protocol of a charge and a refund: the order is held, the token is spent and the transaction pending on the log,
// before another authorizer is asked; its answer becomes the outcome.

import { secretName } from '../core/card-token/card-token.ts'
import { decideCharge, decideOrderFreed, decideOrderHold, decideRefund } from '../core/card-token/decide-charge.ts'
import type { SeenOutside } from '../core/subject/event.ts'
import type { SlotState } from '../core/subject/state.ts'
import type { CardCharge, ChargeRefund } from '../core/transaction/command.ts'
import type { Decision } from '../core/transaction/decision.ts'
import type { Claim } from '../core/transaction/outcome.ts'
import { cardTokenSlot, orderSlot, scopeKey, scopeSlot } from '../core/transaction/scope.ts'
import type { AuthorizationRequest } from '../ports/card-authorizer.ts'
import { plainDraw } from './draw.ts'
import { emit, refuse } from './emit.ts'
import { cardTokenName, CLAIM, orderName, outcomeName, pendingName } from './entries.ts'
import {
  commit,
  ContentionError,
  load,
  MAX_ATTEMPTS,
  publish,
  type Loaded,
  type Part,
  type Protocol,
  type ReplyBody,
  type Shell,
  type SlotAsk,
} from './operations.ts'
import { authorize, decideAsking, dropApproval, goOnPending, nothingLearnt, opened, type Learnt } from './remote.ts'

/** Steps of one charge, each of which loads again, besides the conflicts that any transaction may have. */
const MAX_STEPS = MAX_ATTEMPTS + 8

interface Job<C extends CardCharge | ChargeRefund = CardCharge | ChargeRefund> {
  readonly command: C
  readonly shell: Shell
  readonly scope: string
  /** Its own, or the one that was there first: what is decided is decided on that one's slot. */
  claim: Extract<Claim, { kind: 'claim' }>
  readonly learnt: Learnt
  /** What the order's slot says of this charge is on the log: somebody may have died between its unit and its event. */
  orderOnLog: boolean
}

/** @throws ContentionError after too many conflicts in a row. @throws UnansweredError to be taken up again later. */
export function* charge(command: CardCharge, shell: Shell): Protocol {
  const job = jobOf(command, cardTokenSlot(command.tokenHash), shell)
  const secrets = [secretName('cardkey', command.tokenHash), secretName('securitycode', command.tokenHash)]
  const { order } = command
  const asks = (slot: string): SlotAsk[] => [
    { slot, names: [cardTokenName(command.tokenHash), ...secrets] },
    ...(order ? [{ slot: orderSlot(order.hash), names: [orderName(order.hash)] }] : []),
  ]
  return yield* steps(job, asks, (loaded) => chargeStep(job, loaded))
}

/** As `charge`. The charge of a refund is on the slot that its claim names. */
export function* refund(command: ChargeRefund, shell: Shell): Protocol {
  const original = scopeKey(command.original)
  const originalAt = scopeSlot(original)
  const found = (yield* load([{ slot: originalAt, names: [CLAIM] }])).state(originalAt).claim
  const slot = found?.kind === 'claim' ? found.slot : scopeSlot(scopeKey(command.scope))
  const job = jobOf(command, slot, shell)
  const asks = (at: string): SlotAsk[] => [{ slot: at, names: [outcomeName(original)] }]
  return yield* steps(job, asks, (loaded) => refundStep(job, loaded))
}

function jobOf<C extends CardCharge | ChargeRefund>(command: C, slot: string, shell: Shell): Job<C> {
  return {
    command,
    shell,
    scope: scopeKey(command.scope),
    claim: { kind: 'claim', fingerprint: command.fingerprint, slot },
    learnt: nothingLearnt(),
    orderOnLog: false,
  }
}

/** Claim, then one step after another, each on what is loaded anew, until there is an outcome to reply. */
function* steps(job: Job, asks: (slot: string) => readonly SlotAsk[], next: (loaded: Loaded) => Part<void>): Protocol {
  const { command, shell, scope, learnt } = job
  const at = scopeSlot(scope)
  for (let step = 0; step < MAX_STEPS; step++) {
    const { claim } = job
    const loaded = yield* load([
      { slot: at, names: [CLAIM], claim: { value: claim, code: command.kind } },
      { slot: claim.slot, names: [outcomeName(scope), pendingName(scope)] },
      ...asks(claim.slot),
    ])
    const met = loaded.state(at)
    const state = loaded.state(claim.slot)
    const outcome = state.outcomes.get(scope)
    const pending = state.pendings.get(scope)
    let reply: ReplyBody | null = null
    if (met.claim?.fingerprint !== claim.fingerprint) reply = yield* refuse(command, met, shell)
    else if (met.claim.kind === 'claim' && met.claim.slot !== claim.slot) job.claim = met.claim
    else if (outcome) {
      const dropped = yield* dropApproval(scope, claim.slot, outcome, learnt)
      const settled = !dropped && !(yield* freesOrder(job, loaded, outcome.state))
      if (settled) reply = yield* emit(command, claim.slot, shell)
    } else if (pending) yield* goOnPending({ command, state, pending, learnt, claim, shell })
    else yield* next(loaded)
    if (reply) return reply
  }
  throw new ContentionError('too many conflicts')
}

/** Hold the order, or decide: declined, or pending and asked. */
function* chargeStep(job: Job<CardCharge>, loaded: Loaded): Part<void> {
  const { command, shell, scope, claim } = job
  const { order } = command
  const hold = order && loaded.state(orderSlot(order.hash)).orders.get(order.hash)
  if (order && !hold) return yield* stepOnOrder(job, loaded.state(orderSlot(order.hash)), decideOrderHold)
  if (order && hold?.heldBy === scope && !job.orderOnLog) return yield* publishOrder(job, loaded, order.hash)
  const state = loaded.state(claim.slot)
  const request = requestOf(job, state)
  const drawn = plainDraw(shell)
  const { seen, decision } = decideAsking(
    { cardReadable: request !== null, ...(hold ? { order: hold.heldBy === scope ? 'held' : 'taken' } : {}) },
    (known) => decideCharge({ state, command, seen: known, drawn, rules: shell.rules }),
    request !== null,
    shell,
  )
  const done = yield* committed(job, state, decision, seen, drawn)
  if (done && request && decision.type === 'transaction-pending') yield* authorize(request, job.learnt)
}

function* refundStep(job: Job<ChargeRefund>, loaded: Loaded): Part<void> {
  const { command, shell, claim } = job
  const state = loaded.state(claim.slot)
  const drawn = plainDraw(shell)
  const { seen, decision } = decideAsking(
    {},
    (known) => decideRefund({ state, command, seen: known, drawn, rules: shell.rules }),
    true,
    shell,
  )
  yield* committed(job, state, decision, seen, drawn)
}

/** @returns whether the unit is committed and its event on the log. */
function* committed(
  { command, scope, claim }: Job,
  state: SlotState,
  decision: Decision,
  seen: SeenOutside,
  drawn: ReturnType<typeof plainDraw>,
): Part<boolean> {
  const unit = { state, command, decision, seen, drawn, claims: [{ scope, claim }], claimAbsent: false }
  if ((yield* commit(unit)) === 'conflict') return false
  return (yield* publish([{ slot: state.id, version: state.version + 1 }])) === 'done'
}

/**
 * A charge that was not approved leaves its order to another one, before its reply.
 * @returns whether there was something to do: load again.
 */
function* freesOrder(job: Job, loaded: Loaded, state: string): Part<boolean> {
  if (!isCharge(job) || !job.command.order || state !== 'declined') return false
  const { hash } = job.command.order
  const at = loaded.state(orderSlot(hash))
  if (at.orders.get(hash)?.heldBy === job.scope) yield* stepOnOrder(job, at, decideOrderFreed)
  else if (job.orderOnLog) return false
  else yield* publishOrder(job, loaded, hash)
  return true
}

function isCharge(job: Job): job is Job<CardCharge> {
  return job.command.kind === 'CARD_CHARGE'
}

/** Whoever committed what the order's slot says by now. */
function* publishOrder(job: Job<CardCharge>, loaded: Loaded, hash: string): Part<void> {
  const { id: slot, version } = loaded.state(orderSlot(hash))
  job.orderOnLog = (yield* publish([{ slot, version }])) === 'done'
}

function* stepOnOrder(
  job: Job<CardCharge>,
  state: SlotState,
  decide: typeof decideOrderHold | typeof decideOrderFreed,
): Part<void> {
  const { command, shell } = job
  const drawn = plainDraw(shell)
  const decision = decide({ state, command, seen: {}, drawn, rules: shell.rules })
  job.orderOnLog = yield* committed(job, state, decision, {}, drawn)
}

/**
 * Number and code in memory, for the one call. The unit that spends the token deletes what opens them.
 * @returns null when there is no number that opens.
 */
function requestOf({ command, shell, scope }: Job<CardCharge>, state: SlotState): AuthorizationRequest | null {
  const { tokenHash, amountMinor } = command
  const sealed = state.cardTokens.get(tokenHash)?.sealedNumber
  const key = state.secrets.get(secretName('cardkey', tokenHash))
  const code = state.secrets.get(secretName('securitycode', tokenHash))
  if (sealed === undefined || key === undefined) return null
  const cardNumber = opened(() => shell.keys.openCard(sealed, key, tokenHash))
  if (cardNumber === null) return null
  // The code has a life of its own, shorter than the token's.
  const securityCode =
    code === undefined
      ? null
      : opened(() => shell.keys.open(Buffer.from(code, 'base64url'), secretName('securitycode', tokenHash)))
  return {
    key: scope,
    operation: 'charge',
    amountMinor,
    currency: 'COP',
    cardNumber,
    ...(securityCode === null ? {} : { securityCode }),
    merchantId: command.scope.acquirerId,
  }
}
