// Where a command's state lives: which slot, which entries of it, and for a terminal-bound token which slot before.

import {
  cardRecordSlot,
  cardSlot,
  cardTokenSlot,
  holderSlot,
  scopeKey,
  terminalSlot,
} from '../core/transaction/scope.ts'
import type { SeenOutside } from '../core/subject/event.ts'
import type { ProtectedNumber, SubjectUnlock } from '../core/transaction/command.ts'
import type { Placed } from '../core/transaction/decide-placed.ts'
import { cardTokenName, pendingName, tokenName } from './entries.ts'
import { loadSettled, type Part, type Shell } from './operations.ts'

export interface Place {
  readonly slot: string
  /** Set for a purchase whose token is looked for at its terminal. */
  readonly tokenSlot?: string
  readonly card?: SeenOutside['card']
}

/** Resolve the subject: the document, else the card's registered holder, else the card, else the terminal. */
export function* placeOf(command: Placed, presented: string, shell: Shell): Part<Place> {
  switch (command.kind) {
    case 'CARD_REGISTRATION':
    case 'CARD_STATE_CHANGE':
      return { slot: cardRecordSlot(command.card.hash) }
    case 'ACCOUNT_OPENING':
    case 'ACCOUNT_CREDIT':
    case 'TOKEN_CLAIM':
    case 'TOKEN_CANCELLATION':
      return { slot: holderSlot(command.document.hash) }
    case 'CARD_TOKENIZATION':
      return { slot: cardTokenSlot(command.tokenHash) }
    case 'SUBJECT_UNLOCK':
      return yield* placeOfUnlock(command)
    case 'TOKEN_GENERATION': {
      const card = command.card && (yield* loadCard(command.card))
      if (command.document) return { slot: holderSlot(command.document.hash), card }
      return command.card
        ? { slot: subjectOf(command.card, card), card }
        : { slot: terminalSlot(command.acquirer.terminalHash) }
    }
    case 'TOKEN_PURCHASE':
    case 'TOKEN_WITHDRAWAL': {
      const card = yield* loadCard(command.card)
      const atTerminal = presented.length === shell.rules.terminalTokenDigits
      return {
        slot: subjectOf(command.card, card),
        card,
        tokenSlot: atTerminal ? terminalSlot(command.acquirer.terminalHash) : undefined,
      }
    }
  }
}

/** Entries of the subject's slot that a decision on this command may look at or change, besides its base. */
export function subjectNames(command: Placed, tokenHashes: readonly string[]): string[] {
  switch (command.kind) {
    case 'CARD_REGISTRATION':
    case 'CARD_STATE_CHANGE':
    case 'ACCOUNT_OPENING':
    case 'ACCOUNT_CREDIT':
    case 'SUBJECT_UNLOCK':
      return []
    case 'TOKEN_CLAIM':
    case 'TOKEN_CANCELLATION':
    case 'TOKEN_GENERATION':
      return tokenHashes.map(tokenName)
    case 'CARD_TOKENIZATION':
      return [cardTokenName(command.tokenHash)]
    case 'TOKEN_PURCHASE':
    case 'TOKEN_WITHDRAWAL':
      // A repeat may have been told otherwise about the card's range: what is pending is seen in any case.
      return [...tokenHashes.map(tokenName), pendingName(scopeKey(command.scope))]
  }
}

/** The subject that is locked, found as for a purchase: by document, card or terminal. */
function* placeOfUnlock({ document, card, terminalHash }: SubjectUnlock): Part<Place> {
  if (document) return { slot: holderSlot(document.hash) }
  if (card) {
    const seen = yield* loadCard(card)
    return { slot: subjectOf(card, seen), card: seen }
  }
  if (terminalHash === undefined) throw new Error('an unlock names its subject')
  return { slot: terminalSlot(terminalHash) }
}

function subjectOf(card: ProtectedNumber, seen: SeenOutside['card']): string {
  return seen?.record ? holderSlot(seen.record.holderHash) : cardSlot(card.hash)
}

function* loadCard(card: ProtectedNumber): Part<NonNullable<SeenOutside['card']>> {
  const slot = cardRecordSlot(card.hash)
  const { version, card: record } = (yield* loadSettled([{ slot, names: [] }])).state(slot)
  return { slot, version, record }
}
