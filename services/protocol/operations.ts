// What a protocol step may ask of the world. A transaction is a generator that yields these; whoever runs it (the
// worker's rounds, the simulation) carries them out, many transactions at once. No step does anything by itself.

import type { RefusalEvent, SeenOutside, ClaimRef, Drawn } from '../core/subject/event.ts'
import type { Rules } from '../core/subject/rules.ts'
import type { SlotState } from '../core/subject/state.ts'
import type { Command } from '../core/transaction/command.ts'
import type { Decision } from '../core/transaction/decision.ts'
import type { TransactionCode } from '../core/transaction/codes.ts'
import type { Claim } from '../core/transaction/outcome.ts'
import type { Reply } from '../core/transaction/reply.ts'
import type { NotAsked } from '../core/transaction/authorizer-answer.ts'
import type { Answered, AuthorizationRequest, RefundRequest } from '../ports/card-authorizer.ts'
import type { Clock } from '../ports/clock.ts'
import type { Entropy } from '../ports/entropy.ts'
import type { KeyRing } from '../ports/keys.ts'

/** Read entries of a slot; with `claim`, set the slot's claim first if it has none. */
export interface SlotAsk {
  readonly slot: string
  readonly names: readonly string[]
  /** The code says how long it is remembered. */
  readonly claim?: { readonly value: Claim; readonly code: TransactionCode }
}

export interface LoadOperation {
  readonly kind: 'load'
  readonly asks: readonly SlotAsk[]
  /** Counters of a fixed window. */
  readonly counters: readonly string[]
  /**
   * Only what is committed will do. Otherwise units of the same round that are on their way may be seen, since a unit
   * of one's own on the same slot then conflicts with them, and a publication waits for them.
   */
  readonly settled: boolean
}

/** One unit: compare-and-set of one slot, together with its event. */
export interface CommitOperation {
  readonly kind: 'commit'
  readonly state: SlotState
  readonly command: Command
  readonly decision: Decision
  readonly seen: SeenOutside
  readonly drawn: Drawn
  readonly claims: readonly ClaimRef[]
  /** The claim of this slot must still be absent. */
  readonly claimAbsent: boolean
  /** A counter to raise when the unit is committed. */
  readonly count?: { readonly key: string; readonly expiresAt: number }
}

/** Put on the log what these slots have committed up to a version and what is not known to be there, and wait. */
export interface PublishOperation {
  readonly kind: 'publish'
  readonly outboxes: readonly { readonly slot: string; readonly version: number }[]
  readonly refusal?: Omit<RefusalEvent, 'epoch' | 'runId' | 'id'>
}

/**
 * Ask the other authorizer, outside of any round: nothing waits for it but this transaction. The first `authorize` of a
 * transaction may be refused as 'not-done' when too many are open; everything else is asked in any case.
 */
export type CallOperation = { readonly kind: 'call' } & RemoteCall

export type RemoteCall =
  | { readonly call: 'authorize'; readonly request: AuthorizationRequest }
  | { readonly call: 'refund'; readonly request: RefundRequest }
  | { readonly call: 'inquire' | 'reverse'; readonly key: string }

export type Operation = LoadOperation | CommitOperation | PublishOperation | CallOperation

/** What was loaded. Reading what was not asked for is a mistake and throws. */
export interface Loaded {
  state(slot: string): SlotState
  count(key: string): number
}

/** 'conflict': somebody else was first, or the connection changed. Load again. */
export type Answer = 'done' | 'conflict'

export type ReplyBody = Omit<Reply, 'epoch' | 'runId'>

/** A transaction's way through the protocol. Returns what is to be replied. */
/** What may come back from an operation. A reversal is 'not-done' once it is confirmed, else 'unknown'. */
export type Resumed = Loaded | Answer | Answered

export type Protocol = Generator<Operation, ReplyBody, Resumed>
export type Part<T> = Generator<Operation, T, Resumed>

/** What a step may use: time, draws and keys of the process that runs it. */
export interface Shell {
  readonly clock: Clock
  readonly entropy: Entropy
  readonly keys: KeyRing
  readonly rules: Rules
  /** Why nothing new can be asked of another authorizer at this moment. Absent, or undefined: it can. */
  readonly unaskable?: () => NotAsked | undefined
}

/** Conflicts of one transaction in a row, after which it is taken up again later with its offset kept. */
export const MAX_ATTEMPTS = 16

/** Somebody else was first too often. Retryable. */
export class ContentionError extends Error {
  override readonly name = 'ContentionError'
}

/** The other authorizer did not say what became of a transaction. Retryable: it is asked again later. */
export class UnansweredError extends Error {
  override readonly name = 'UnansweredError'
}

export function* call(remote: RemoteCall): Part<Answered> {
  return (yield { kind: 'call', ...remote }) as Answered
}

export function* load(asks: readonly SlotAsk[], counters: readonly string[] = []): Part<Loaded> {
  return (yield { kind: 'load', asks, counters, settled: false }) as Loaded
}

/** Load what is seen outside the slot that is decided on: nothing but committed state. */
export function* loadSettled(asks: readonly SlotAsk[]): Part<Loaded> {
  return (yield { kind: 'load', asks, counters: [], settled: true }) as Loaded
}

export function* commit(unit: Omit<CommitOperation, 'kind'>): Part<Answer> {
  return (yield { kind: 'commit', ...unit }) as Answer
}

export function* publish(outboxes: PublishOperation['outboxes'], refusal?: PublishOperation['refusal']): Part<Answer> {
  return (yield { kind: 'publish', outboxes, refusal }) as Answer
}
