// What an operator asks for, as commands through the log like any other. The operator's name stands in the event, as the
// app of the client `operator`. Numbers come in as keyed hashes and masks.

import type { CardState } from '../core/card/card.ts'
import type {
  CardStateChange,
  Command,
  Inquiry,
  ProtectedNumber,
  SubjectUnlock,
  Undoing,
} from '../core/transaction/command.ts'
import { TRANSACTION_CODES, type TransactionCode } from '../core/transaction/codes.ts'
import type { Reply } from '../core/transaction/reply.ts'
import type { KeyRing } from '../ports/keys.ts'
import { OPERATOR } from './account-import.ts'

/** What may stand in an event as a person's name: no space, since it is an identifier. */
export const OPERATOR_NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/

export interface OperatorContext {
  readonly operator: string
  readonly keys: Pick<KeyRing, 'hash'>
  /** Unix milliseconds. */
  readonly now: number
  /** Drawn for this command: repeating it under the same id does nothing twice. */
  readonly id: string
}

/** Whose wrong tokens are forgotten: one of the three. */
export type UnlockedSubject = Pick<SubjectUnlock, 'document' | 'card' | 'terminalHash'>

export function unlockCommand(subject: UnlockedSubject, context: OperatorContext): SubjectUnlock {
  const kind = 'SUBJECT_UNLOCK'
  const content = [subject.document?.hash, subject.card?.hash, subject.terminalHash]
  const scope = { acquirerId: OPERATOR, transactionCode: kind, consecutive: context.id } as const
  return { ...base(kind, content, context), kind, scope, ...subject }
}

export function cardStateCommand(card: ProtectedNumber, state: CardState, context: OperatorContext): CardStateChange {
  const kind = 'CARD_STATE_CHANGE'
  const scope = { acquirerId: OPERATOR, transactionCode: kind, consecutive: context.id } as const
  return { ...base(kind, [card.hash, state], context), kind, scope, card, state }
}

/** A void of a generation ends its token. It never gets in the way of a void by the acquirer itself. */
export function cancelCommand(acquirerId: string, consecutive: string, context: OperatorContext): Undoing {
  const kind = 'VOID'
  const original = { acquirerId, transactionCode: 'TOKEN_GENERATION', consecutive } as const
  const scope = { acquirerId: OPERATOR, transactionCode: kind, consecutive: context.id } as const
  const place = { id: OPERATOR, storeId: OPERATOR, terminalId: OPERATOR }
  const terminalHash = context.keys.hash('terminal', `${OPERATOR}:${OPERATOR}:${OPERATOR}`)
  return {
    ...base(kind, [acquirerId, consecutive], context),
    kind,
    scope,
    acquirer: { ...place, terminalHash },
    original,
  }
}

/** A question about each transaction code that the consecutive may have been used with. Leaves no event. */
export function inquiries(
  acquirerId: string,
  consecutive: string,
  codes: readonly TransactionCode[] = TRANSACTION_CODES,
  drawId: () => string,
): readonly Inquiry[] {
  return codes.map((transactionCode) => ({
    kind: 'INQUIRY',
    inquiryId: drawId(),
    of: { acquirerId, transactionCode, consecutive },
  }))
}

/** Why a token could not be cancelled, from what is known of its generation. */
export function whyNotCancelled(code: string | undefined, generation: Reply | null): string {
  if (code === '25') return 'no token was generated under this consecutive, or it is not decided yet'
  if (!generation?.found) return 'it was reversed before it arrived: there is no token, and there will be none'
  switch (generation.state) {
    case 'approved':
      return 'its token is spent: nothing was changed'
    case 'voided':
    case 'reversed':
      return `it was ${generation.state} before: its token is ended`
    default:
      return `it was declined with ${generation.responseCode ?? 'no code'}: there is no token`
  }
}

function base(kind: Command['kind'], content: readonly unknown[], { operator, keys, now, id }: OperatorContext) {
  return {
    fingerprint: keys.hash('fingerprint', JSON.stringify([kind, id, operator, ...content])),
    clientId: OPERATOR,
    appKey: operator,
    requestedAt: now,
  }
}
