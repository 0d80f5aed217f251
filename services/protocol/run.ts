// Which protocol a request follows.

import type { Command, Inquiry } from '../core/transaction/command.ts'
import { scopeKey } from '../core/transaction/scope.ts'
import { charge, refund } from './charge.ts'
import { inquire } from './inquire.ts'
import type { Protocol, Shell } from './operations.ts'
import { transact } from './transact.ts'
import { undo } from './undo.ts'

/**
 * Begin a request's way through the protocol.
 * @throws SealError when the presented token does not open: the request is no message of ours.
 */
export function begin(body: Command | Inquiry, shell: Shell): Protocol {
  switch (body.kind) {
    case 'INQUIRY':
      return inquire(body, shell)
    case 'REVERSAL':
    case 'VOID':
      return undo(body, shell)
    case 'TOKEN_PURCHASE':
    case 'TOKEN_WITHDRAWAL':
    case 'TOKEN_CLAIM':
    case 'TOKEN_CANCELLATION':
      return transact(body, shell.keys.open(body.sealedToken ?? new Uint8Array(), scopeKey(body.scope)), shell)
    case 'CARD_CHARGE':
      return charge(body, shell)
    case 'CHARGE_REFUND':
      return refund(body, shell)
    case 'CARD_TOKENIZATION':
    case 'SUBJECT_UNLOCK':
    case 'TOKEN_GENERATION':
    case 'CARD_REGISTRATION':
    case 'CARD_STATE_CHANGE':
    case 'ACCOUNT_OPENING':
    case 'ACCOUNT_CREDIT':
      return transact(body, '', shell)
  }
}
