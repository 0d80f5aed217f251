// Is the presented token right? One answer for the caller whatever the reason is (contract, "No oracle").

import { afterWrongToken, isLocked, OPEN_GUARD } from '../guard/guard.ts'
import type { Fact } from '../subject/fact.ts'
import { EXPIRED_TOKEN_MEMORY_MS, type Token, type TokenBinding } from '../token/token.ts'
import type { TokenSpending, TokenUse } from '../transaction/command.ts'
import { isLate, type Asked, type Decision } from '../transaction/decision.ts'
import type { Verdict } from '../transaction/outcome.ts'
import { scopeKey } from '../transaction/scope.ts'

export interface Judgement {
  readonly verdict: Verdict
  readonly reason: string
  /** A right token is spent and clears the guard, a wrong one counts, the rest changes nothing. */
  readonly facts: readonly Fact[]
}

/** Judge on the slot where the token would be: the subject's, or the terminal's for a terminal-bound one. */
export function judgeToken(asked: Asked<TokenSpending | TokenUse>): Judgement {
  const { state, seen, drawn, rules } = asked
  if (isLate(asked)) return { verdict: 'late', reason: 'deadline-passed', facts: [] }
  if (isLocked(state.guard, drawn.now)) return { verdict: 'locked', reason: 'guard-locked', facts: [] }
  if ((seen.terminalWrongTokens ?? 0) > rules.terminalWrongTokens) {
    return { verdict: 'limited', reason: 'terminal-limited', facts: [] }
  }
  const token = presentedToken(asked)
  const wrong = whyWrong(token, asked)
  if (wrong || !token) {
    const guard = afterWrongToken(state.guard, drawn.now, rules)
    return { verdict: 'wrong', reason: wrong ?? 'token-unknown', facts: [{ kind: 'guard-changed', guard }] }
  }
  const used = useOf(asked.command, token)
  const counted = state.guard.wrongAt.length > 0 || state.guard.lockedUntil > 0
  return {
    verdict: 'right',
    reason: 'token-right',
    facts: counted ? [used, { kind: 'guard-changed', guard: OPEN_GUARD }] : [used],
  }
}

/** The record of the presented digits, if the slot has one. */
export function presentedToken({ state, drawn }: Pick<Asked, 'state' | 'drawn'>): Token | undefined {
  const hash = drawn.presented.find((presented) => state.tokens.has(presented))
  return hash === undefined ? undefined : state.tokens.get(hash)
}

/** What becomes of a right token. */
function useOf(command: TokenSpending | TokenUse, { hash }: Token): Fact {
  const scope = scopeKey(command.scope)
  switch (command.kind) {
    case 'TOKEN_PURCHASE':
    case 'TOKEN_WITHDRAWAL':
      return { kind: 'token-spent', hash, scope }
    case 'TOKEN_CLAIM':
      return { kind: 'token-claimed', hash, clientId: command.clientId }
    case 'TOKEN_CANCELLATION':
      return { kind: 'token-ended', hash, scope }
  }
}

/** The unit of a terminal-bound token: the verdict, recorded before the account's slot is touched. */
export function decideVerdict(asked: Asked<TokenSpending>): Decision {
  const { verdict, reason, facts } = judgeToken(asked)
  return { type: 'token-judged', reason, facts: [...facts, verdictFact(asked, verdict, reason)] }
}

/** The unit by which a reversal closes the token of an original that is not decided yet. */
export function verdictFact(
  asked: Pick<Asked, 'state' | 'command'>,
  verdict: Verdict,
  reason: string,
  scope = scopeKey(asked.command.scope),
): Fact {
  return { kind: 'verdict-recorded', scope, verdict: { verdict, reason, version: asked.state.version + 1 } }
}

function whyWrong(
  token: Token | undefined,
  { command, drawn: { now } }: Asked<TokenSpending | TokenUse>,
): string | null {
  if (!token) return 'token-unknown'
  if (token.state === 'spent') return 'token-spent'
  if (token.state === 'ended') return 'token-ended'
  if (now >= token.expiresAt) return now < token.expiresAt + EXPIRED_TOKEN_MEMORY_MS ? 'token-expired' : 'token-unknown'
  if (token.claimedBy !== undefined) {
    if (command.kind === 'TOKEN_CLAIM') return 'token-claimed'
    if (token.claimedBy !== command.clientId) return 'token-claimed-by-another'
  }
  const broken = isTokenUse(command) ? brokenForUse(token.binding, command) : brokenBinding(token.binding, command)
  return broken && `token-bound-to-other-${broken}`
}

function isTokenUse(command: TokenSpending | TokenUse): command is TokenUse {
  return command.kind === 'TOKEN_CLAIM' || command.kind === 'TOKEN_CANCELLATION'
}

/** A claim or a cancellation repeats amount and metadata; account, card and acquirer wait for the purchase. */
function brokenForUse(binding: TokenBinding, command: TokenUse): string | null {
  const { amountMinor, metadata } = command
  if (binding.amountMinor !== undefined && amountMinor !== undefined && binding.amountMinor !== amountMinor)
    return 'amount'
  if (binding.metadataHash !== undefined && binding.metadataHash !== metadata?.hash) return 'metadata'
  return null
}

/** What the generation named binds: a purchase that differs in it, or leaves it out, presented a wrong token. */
function brokenBinding(binding: TokenBinding, command: TokenSpending): string | null {
  if (binding.cardHash !== undefined && binding.cardHash !== command.card.hash) return 'card'
  if (binding.accountType !== undefined && binding.accountType !== command.accountType) return 'account'
  if (binding.amountMinor !== undefined && binding.amountMinor !== command.amountMinor) return 'amount'
  if (binding.metadataHash !== undefined && binding.metadataHash !== command.metadata?.hash) return 'metadata'
  if (binding.acquirerId !== undefined && binding.acquirerId !== command.acquirer.id) return 'acquirer'
  return null
}
