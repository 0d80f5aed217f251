// Generation of a payment token: may the subject have one more, and is its card in order?

import { cardDecline } from '../card/standing.ts'
import { approve, decline, isLate, type Asked, type Decision } from '../transaction/decision.ts'
import type { TokenGeneration } from '../transaction/command.ts'
import type { Token, TokenBinding } from './token.ts'

const SECOND_MS = 1_000

/** How many digits the token of a generation has: a terminal-bound one is told by its length (contract, "Shape"). */
export function tokenDigits({ command, rules }: Pick<Asked<TokenGeneration>, 'command' | 'rules'>): number {
  return command.card || command.document ? rules.tokenDigits : rules.terminalTokenDigits
}

/** Codes 00, 05, 14, 41, 43, 54, 62, 65, 68. */
export function decideGeneration(asked: Asked<TokenGeneration>): Decision {
  const { state, command, seen, drawn, rules } = asked
  const asDeclined = { amountMinor: command.amountMinor }
  if (isLate(asked)) return decline(asked, '68', 'deadline-passed', [], asDeclined)
  const live = state.live.filter((token) => drawn.now < token.expiresAt)
  if (live.length >= rules.maxLiveTokens) return decline(asked, '65', 'too-many-live-tokens', [], asDeclined)
  const refusal =
    command.card &&
    cardDecline(state.id, command.card.hash, seen.card?.record ?? null, drawn.now, command.document !== undefined)
  if (refusal) return decline(asked, refusal.code, refusal.reason, [], asDeclined)
  const free = drawn.candidates.find((candidate) => !state.tokens.has(candidate.hash))
  if (!free) return decline(asked, '05', 'no-free-token', [], asDeclined)
  const token: Token = {
    ...free,
    digits: tokenDigits(asked),
    binding: bindingOf(command),
    issuedAt: drawn.now,
    expiresAt: drawn.now + command.ttlSeconds * SECOND_MS,
    state: 'live',
  }
  const { id, hash, digits, expiresAt } = token
  return approve(asked, 'token-issued', [{ kind: 'token-issued', token }], {
    token: { id, hash, digits, expiresAt },
    amountMinor: command.amountMinor,
  })
}

function bindingOf(command: TokenGeneration): TokenBinding {
  return {
    cardHash: command.card?.hash,
    documentHash: command.document?.hash,
    accountType: command.accountType,
    amountMinor: command.amountMinor,
    metadataHash: command.metadata?.hash,
    acquirerId: command.restrictToAcquirer ? command.acquirer.id : undefined,
  }
}
