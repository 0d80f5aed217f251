// Where a request goes: its topic, and the key that decides its partition. Order is a matter of speed only.

import type { Command, Inquiry } from '../core/transaction/command.ts'
import type { TransactionCode } from '../core/transaction/codes.ts'
import { scopeKey } from '../core/transaction/scope.ts'
import { TOPIC } from '../runtime/topics.ts'

/** What an edge sends: the HTTP edge, and for account commands the operator's command line. */
export type EdgeBody = Command | Inquiry

export interface Route {
  readonly topic: string
  readonly key: string
}

/** Generations and what concerns them go to the issuer, all else to the authorizer. */
export function routeOf(body: EdgeBody): Route {
  switch (body.kind) {
    case 'TOKEN_GENERATION':
      return { topic: topicFor(body.kind), key: body.document?.hash ?? body.card?.hash ?? body.acquirer.terminalHash }
    case 'TOKEN_PURCHASE':
    case 'TOKEN_WITHDRAWAL':
      return { topic: topicFor(body.kind), key: body.card.hash }
    case 'CARD_REGISTRATION':
    case 'CARD_STATE_CHANGE':
      return { topic: topicFor(body.kind), key: body.card.hash }
    case 'TOKEN_CLAIM':
    case 'TOKEN_CANCELLATION':
    case 'ACCOUNT_OPENING':
    case 'ACCOUNT_CREDIT':
      return { topic: topicFor(body.kind), key: body.document.hash }
    case 'SUBJECT_UNLOCK':
      return {
        topic: topicFor(body.kind),
        key: body.document?.hash ?? body.card?.hash ?? body.terminalHash ?? scopeKey(body.scope),
      }
    case 'CARD_TOKENIZATION':
    case 'CARD_CHARGE':
      return { topic: topicFor(body.kind), key: body.tokenHash }
    case 'REVERSAL':
    case 'VOID':
    case 'CHARGE_REFUND':
      return { topic: topicFor(body.original.transactionCode), key: scopeKey(body.original) }
    case 'INQUIRY':
      return { topic: topicFor(body.of.transactionCode), key: scopeKey(body.of) }
    default:
      return body satisfies never
  }
}

/** Tokens, which move no money, are the issuer's. */
const ISSUED: ReadonlySet<TransactionCode> = new Set([
  'TOKEN_GENERATION',
  'TOKEN_CLAIM',
  'TOKEN_CANCELLATION',
  'CARD_TOKENIZATION',
])

function topicFor(code: TransactionCode): string {
  return ISSUED.has(code) ? TOPIC.tokenRequests : TOPIC.purchaseRequests
}
