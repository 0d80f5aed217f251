// Events: the self-contained records of `authorization.events`, by which every decision can be taken again and proved.

import type { Card } from '../card/card.ts'
import type { TokenCandidate } from '../token/token.ts'
import type { Command } from '../transaction/command.ts'
import type { AuthorizerAnswer, NotAsked } from '../transaction/authorizer-answer.ts'
import type { Claim, Verdict } from '../transaction/outcome.ts'
import type { ResponseCode } from '../transaction/codes.ts'
import type { Fact } from './fact.ts'
import type { Rules } from './rules.ts'

/** What the shell drew for a decision. A replay gets the same. */
export interface Drawn {
  /** Unix milliseconds: the decision's time. */
  readonly now: number
  readonly authorizationNumber: string
  /** For a generation: the tokens to choose from. */
  readonly candidates: readonly TokenCandidate[]
  /** For a purchase: the presented token's hash under every token key, newest first. */
  readonly presented: readonly string[]
  /** For a purchase: how many digits were presented. */
  readonly presentedDigits: number
}

/** What a decision saw outside its own slot. */
export interface SeenOutside {
  /** The card's record and the version it was read at; null when the card is not registered. */
  readonly card?: { readonly slot: string; readonly version: number; readonly record: Card | null }
  /** The verdict on a terminal-bound token. */
  readonly verdict?: Verdict
  /** Wrong tokens of the terminal in the running window. */
  readonly terminalWrongTokens?: number
  /** What another authorizer answered, or what became certain of it. */
  readonly answer?: AuthorizerAnswer
  /** Why another authorizer was not asked. */
  readonly notAsked?: NotAsked
  /** Whether the store still had what opens the number of a card token. */
  readonly cardReadable?: boolean
  /** Whether a charge got its order, or another one has it. */
  readonly order?: 'held' | 'taken'
}

/** The claim that a decision rests on. */
export interface ClaimRef {
  readonly scope: string
  readonly claim: Claim
}

/** Store connection under which a decision was taken: records of an older epoch can be told from current ones. */
export interface StoreEpoch {
  readonly epoch: number
  readonly runId: string
}

/**
 * A transaction's outcome; or a step before it: the verdict on a terminal-bound token, an order held for a charge, a
 * transaction that another authorizer is about to be asked for; or after it: an order freed for another charge.
 */
export const DECISION_TYPES = [
  'transaction-decided',
  'token-judged',
  'transaction-pending',
  'order-held',
  'order-freed',
] as const
export type DecisionType = (typeof DECISION_TYPES)[number]

/** A decision on one slot: one unit, one version, one event. */
export interface DecisionEvent extends StoreEpoch {
  readonly type: DecisionType
  readonly slot: string
  readonly version: number
  /** Hash of the slot's previous event, '' for the first. */
  readonly previousHash: string
  readonly command: Command
  readonly drawn: Drawn
  readonly seen: SeenOutside
  /** The claims it rests on: its own, and an undoing's original's. */
  readonly claims: readonly ClaimRef[]
  readonly ruleVersion: number
  readonly rulesId: string
  /** With an outcome only. */
  readonly responseCode?: ResponseCode
  /** The true reason, which no caller sees. */
  readonly reason: string
  readonly facts: readonly Fact[]
  readonly traceparent?: string
}

/** Other content under a used consecutive (94). Outside the chains; repeats have one id. */
export interface RefusalEvent extends StoreEpoch {
  readonly type: 'transaction-refused'
  /** Hash of the scope and the refused fingerprint. */
  readonly id: string
  readonly command: Command
  readonly now: number
  /** The claim or marker it met. */
  readonly claims: readonly ClaimRef[]
  readonly traceparent?: string
}

/** The rules that events refer to by id. */
export interface RulesEvent {
  readonly type: 'rules-published'
  readonly id: string
  readonly ruleVersion: number
  readonly rules: Rules
  readonly now: number
}

/** A barrier: what was loaded under an older epoch and lies behind it is void. On `epochs`: an epoch is proposed or is up. */
export interface EpochEvent extends StoreEpoch {
  readonly type: 'epoch-raised'
  readonly now: number
  /** On `epochs` once the barriers are up: their offsets in `authorization.events`, by partition. Else empty. */
  readonly barriers: readonly number[]
}

export type AuthorizationEvent = DecisionEvent | RefusalEvent | RulesEvent | EpochEvent
