// A card becomes a token that can be charged once. The number is sealed before it comes here.

import type { CardTokenization } from '../transaction/command.ts'
import { approve, decline, isLate, type Asked, type Decision } from '../transaction/decision.ts'
import type { CardToken } from './card-token.ts'

const SECOND_MS = 1_000

/** On the token's slot. Codes 00, 05 (the id was drawn before), 68. */
export function decideTokenization(asked: Asked<CardTokenization>): Decision {
  const { state, command, drawn } = asked
  if (isLate(asked)) return decline(asked, '68', 'deadline-passed')
  if (state.cardTokens.has(command.tokenHash)) return decline(asked, '05', 'no-free-token')
  const { mask, brand, details, cardExpiresAt } = command
  const shown = {
    mask,
    brand,
    details,
    issuedAt: drawn.now,
    expiresAt: drawn.now + command.ttlSeconds * SECOND_MS,
  }
  const cardToken: CardToken = { ...shown, cardExpiresAt, state: 'live', sealedNumber: command.sealedNumber }
  return approve(asked, 'card-token-issued', [{ kind: 'card-token-issued', hash: command.tokenHash, cardToken }], {
    cardToken: shown,
  })
}
