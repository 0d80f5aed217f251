// The protocol of a generation, a purchase, a withdrawal and an account command, step by step as it was model-checked:
// claim the scope, go on with the claim's subject, decide, one unit, its event on the log, then the reply.

import { decideVerdict } from '../core/purchase/judge-token.ts'
import { purchaseKeyName } from '../core/card-token/card-token.ts'
import type { TokenSpending } from '../core/transaction/command.ts'
import type { AuthorizationRequest } from '../ports/card-authorizer.ts'
import { authorize, decideAsking, dropApproval, goOnPending, nothingLearnt, opened, type Learnt } from './remote.ts'
import { tokenDigits } from '../core/token/decide-generation.ts'
import type { Drawn, SeenOutside } from '../core/subject/event.ts'
import type { SlotState } from '../core/subject/state.ts'
import type { TokenCandidate } from '../core/token/token.ts'
import { decidePlaced, type Placed } from '../core/transaction/decide-placed.ts'
import type { Decision } from '../core/transaction/decision.ts'
import type { Claim } from '../core/transaction/outcome.ts'
import { scopeKey, scopeSlot } from '../core/transaction/scope.ts'
import { decideLateOriginal } from '../core/undoing/decide-late-original.ts'
import { CLAIM, outcomeName, readStandIn, tokenName, verdictName } from './entries.ts'
import { placeOf, subjectNames } from './place.ts'
import { plainDraw } from './draw.ts'
import { emit, refuse } from './emit.ts'
import {
  commit,
  ContentionError,
  load,
  MAX_ATTEMPTS,
  publish,
  type Answer,
  type CommitOperation,
  type Loaded,
  type Part,
  type Protocol,
  type ReplyBody,
  type Shell,
  type SlotAsk,
} from './operations.ts'

/**
 * Candidates of a generation whose first one was taken: where a subject remembers a thousand tokens of 6 digits, none of
 * four is free once in 10^12.
 */
const TOKEN_CANDIDATES = 4

type OwnClaim = Extract<Claim, { kind: 'claim' }>
type Counter = NonNullable<CommitOperation['count']>

/** A transaction on its way: where it is decided can change once, to what its claim says. */
interface Job {
  readonly command: Placed
  readonly shell: Shell
  readonly scope: string
  readonly presented: string
  readonly card: SeenOutside['card']
}

/** One attempt: what was drawn and loaded for it. */
interface Turn extends Job {
  readonly claim: OwnClaim
  readonly drawn: Drawn
  readonly loaded: Loaded
  readonly counter?: Counter
}

/**
 * @param presented the opened token of a purchase, else ''.
 * @throws ContentionError after too many conflicts in a row.
 */
export function* transact(command: Placed, presented: string, shell: Shell): Protocol {
  const scope = scopeKey(command.scope)
  const at = scopeSlot(scope)
  const atNames = [CLAIM, outcomeName(scope), ...keyNames(command)]
  const learnt = nothingLearnt()
  const { card, slot, tokenSlot } = yield* placeOf(command, presented, shell)
  const job: Job = { command, shell, scope, presented, card }
  let claim: OwnClaim = { kind: 'claim', fingerprint: command.fingerprint, slot, tokenSlot }
  let tokenSettled = false
  let candidates = 1
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const drawn = draw(job, claim, candidates)
    const counter = limiter(command, drawn.now, shell)
    const loaded = yield* load(
      [{ slot: at, names: atNames, claim: { value: claim, code: command.kind } }, ...asksFor(job, claim, drawn)],
      counter ? [counter.key] : [],
    )
    if (presented !== '') readStandIn(loaded.state(claim.tokenSlot ?? claim.slot), drawn.presented)
    const found = loaded.state(at)
    const met = found.claim
    if (!met) throw new Error('a scope that was claimed has a claim')
    let reply: ReplyBody | null = null
    if (met.fingerprint !== undefined && met.fingerprint !== command.fingerprint) {
      reply = yield* refuse(command, found, shell)
    } else if (met.kind === 'marker') {
      const decided = found.outcomes.has(scope) ? 'done' : yield* commitLate(command, found, shell)
      if (decided === 'done') reply = yield* emit(command, at, shell)
    } else if (met.kind === 'undoing') {
      throw new Error('only a reversal or a void claims as an undoing')
    } else if (met.slot !== claim.slot || met.tokenSlot !== claim.tokenSlot) {
      claim = met
    } else if (candidates < TOKEN_CANDIDATES && areTaken(drawn.candidates, loaded.state(claim.slot))) {
      candidates = TOKEN_CANDIDATES
    } else if (met.tokenSlot !== undefined && !tokenSettled) {
      tokenSettled = yield* settleToken({ ...job, claim, drawn, loaded, counter }, met.tokenSlot)
    } else if ((yield* decideOnSubject({ ...job, claim, drawn, loaded, counter }, learnt)) === 'done') {
      reply = yield* emit(command, met.slot, shell)
    }
    if (reply) return reply
  }
  throw new ContentionError('too many conflicts')
}

/**
 * Step 4: the verdict on a terminal-bound token is a unit and an event of its own, acknowledged before the account's.
 */
function* settleToken(turn: Turn, tokenSlot: string): Part<boolean> {
  const { command, scope, claim, shell, drawn, loaded, counter } = turn
  const state = loaded.state(tokenSlot)
  const verdict = state.verdicts.get(scope)
  if (verdict) return (yield* publish([{ slot: tokenSlot, version: verdict.version }])) === 'done'
  if (loaded.state(claim.slot).outcomes.has(scope)) return true
  if (!isSpending(command)) throw new Error('only a purchase presents a token')
  const seen: SeenOutside = { terminalWrongTokens: counter && loaded.count(counter.key) }
  const decision = decideVerdict({ state, command, seen, drawn, rules: shell.rules })
  const answer = yield* commit({
    state,
    command,
    decision,
    seen,
    drawn,
    claims: [{ scope, claim }],
    claimAbsent: false,
    count: wrongCount(decision, counter),
  })
  return answer === 'done' && (yield* publish([{ slot: tokenSlot, version: state.version + 1 }])) === 'done'
}

/** Steps 3 and 5: the outcome, found or decided in one unit of the claim's subject; or a step on the way to it. */
function* decideOnSubject(turn: Turn, learnt: Learnt): Part<Answer> {
  const { command, scope, claim, shell, card, drawn, loaded, counter } = turn
  const state = loaded.state(claim.slot)
  const outcome = state.outcomes.get(scope)
  if (outcome) return (yield* dropApproval(scope, state.id, outcome, learnt)) ? 'conflict' : 'done'
  const pending = state.pendings.get(scope)
  if (pending && isSpending(command)) {
    yield* goOnPending({ command, state, pending, learnt, claim, shell })
    return 'conflict'
  }
  const verdict = claim.tokenSlot === undefined ? undefined : loaded.state(claim.tokenSlot).verdicts.get(scope)?.verdict
  if (claim.tokenSlot !== undefined && !verdict) return 'conflict'
  const outside: SeenOutside = {
    card,
    verdict,
    terminalWrongTokens: verdict ? undefined : counter && loaded.count(counter.key),
  }
  const request = isRemote(command) ? requestOf(command, loaded.state(scopeSlot(scope)), shell) : null
  const { seen, decision } = decideAsking(
    outside,
    (known) => decidePlaced({ state, command, seen: known, drawn, rules: shell.rules }),
    request !== null,
    shell,
  )
  const answer = yield* commit({
    state,
    command,
    decision,
    seen,
    drawn,
    claims: [{ scope, claim }],
    claimAbsent: false,
    count: wrongCount(decision, counter),
  })
  if (decision.type !== 'transaction-pending' || answer === 'conflict' || !request) return answer
  if ((yield* publish([{ slot: state.id, version: state.version + 1 }])) === 'done') yield* authorize(request, learnt)
  return 'conflict'
}

function isSpending(command: Placed): command is TokenSpending {
  return command.kind === 'TOKEN_PURCHASE' || command.kind === 'TOKEN_WITHDRAWAL'
}

function isRemote(command: Placed): command is TokenSpending {
  return isSpending(command) && command.remote === true
}

function keyNames(command: Placed): string[] {
  if (!isRemote(command) || command.sealedNumber === undefined) return []
  return [purchaseKeyName(scopeKey(command.scope), command.sealedNumber)]
}

/** What the other authorizer is asked; null when the store has lost the key of the card's number, or it opens nothing. */
function requestOf(command: TokenSpending, { secrets }: SlotState, shell: Shell): AuthorizationRequest | null {
  const key = scopeKey(command.scope)
  const { sealedNumber } = command
  const wrapped = sealedNumber === undefined ? undefined : secrets.get(purchaseKeyName(key, sealedNumber))
  if (wrapped === undefined || sealedNumber === undefined) return null
  const cardNumber = opened(() => shell.keys.openCard(sealedNumber, wrapped, key))
  if (cardNumber === null) return null
  return {
    key,
    operation: command.kind === 'TOKEN_PURCHASE' ? 'purchase' : 'withdrawal',
    amountMinor: command.amountMinor,
    currency: 'COP',
    cardNumber,
    merchantId: command.acquirer.id,
  }
}

/** What an attempt reads besides its scope: the subject, and the terminal of a terminal-bound token. */
function asksFor({ command, scope }: Job, claim: OwnClaim, drawn: Drawn): SlotAsk[] {
  const hashes = [...drawn.presented, ...drawn.candidates.map(({ hash }) => hash)]
  const outcome = outcomeName(scope)
  if (claim.tokenSlot === undefined) return [{ slot: claim.slot, names: [outcome, ...subjectNames(command, hashes)] }]
  return [
    { slot: claim.slot, names: [outcome, ...subjectNames(command, [])] },
    { slot: claim.tokenSlot, names: [verdictName(scope), ...hashes.map(tokenName)] },
  ]
}

function* commitLate(command: Placed, state: SlotState, shell: Shell): Part<Answer> {
  const drawn: Drawn = { ...plainDraw(shell), authorizationNumber: '' }
  const decision = decideLateOriginal({ state, command, seen: {}, drawn, rules: shell.rules })
  return yield* commit({ state, command, decision, seen: {}, drawn, claims: [], claimAbsent: false })
}

/** A subject may still remember the digits of one candidate: too rare to draw, hash and read several each time. */
function areTaken(candidates: readonly TokenCandidate[], { tokens }: SlotState): boolean {
  return candidates.length > 0 && candidates.every(({ hash }) => tokens.has(hash))
}

/** Fresh draws for one attempt: a conflict draws again. Token hashes are those of the slot where the token is. */
function draw({ command, shell, presented }: Job, claim: OwnClaim, count: number): Drawn {
  const slot = claim.tokenSlot ?? claim.slot
  const candidates: TokenCandidate[] = []
  if (command.kind === 'TOKEN_GENERATION') {
    const digits = tokenDigits({ command, rules: shell.rules })
    for (let n = 0; n < count; n++) {
      const id = shell.entropy.tokenId()
      candidates.push({ id, hash: shell.keys.issue(slot, id, digits).hash })
    }
  }
  return {
    now: shell.clock.now(),
    authorizationNumber: shell.entropy.authorizationNumber(),
    candidates,
    presented: presented === '' ? [] : shell.keys.presentedHashes(slot, presented),
    presentedDigits: presented.length,
  }
}

/** The terminal's counter of wrong tokens in the running fixed window. */
function limiter(command: Placed, now: number, { rules }: Shell): Counter | undefined {
  if (!isSpending(command)) return undefined
  const start = now - (now % rules.terminalWindowMs)
  return { key: `wrong:${command.acquirer.terminalHash}:${start}`, expiresAt: start + 2 * rules.terminalWindowMs }
}

function wrongCount(decision: Decision, counter: Counter | undefined): Counter | undefined {
  return decision.facts.some((fact) => fact.kind === 'guard-changed' && fact.guard.wrongAt.length > 0)
    ? counter
    : undefined
}
