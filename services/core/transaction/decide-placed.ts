// Which decision a command asks for that is decided on its subject, with nobody else asked first. The protocol and the
// replay both take it from here.

import { decideAccountCommand } from '../account/decide-account.ts'
import { decideTokenization } from '../card-token/decide-tokenization.ts'
import { decidePurchase } from '../purchase/decide-purchase.ts'
import { decideGeneration } from '../token/decide-generation.ts'
import { decideTokenUse } from '../token/decide-token-use.ts'
import type { AccountCommand, CardTokenization, TokenGeneration, TokenSpending, TokenUse } from './command.ts'
import type { Asked, Decision } from './decision.ts'

/** A command whose subject, and with it its slot, is found before anything is decided. */
export type Placed = TokenGeneration | TokenSpending | TokenUse | CardTokenization | AccountCommand

/** On the slot of the command's subject. */
export function decidePlaced(asked: Asked<Placed>): Decision {
  const { command } = asked
  switch (command.kind) {
    case 'TOKEN_GENERATION':
      return decideGeneration({ ...asked, command })
    case 'TOKEN_PURCHASE':
    case 'TOKEN_WITHDRAWAL':
      return decidePurchase({ ...asked, command })
    case 'TOKEN_CLAIM':
    case 'TOKEN_CANCELLATION':
      return decideTokenUse({ ...asked, command })
    case 'CARD_TOKENIZATION':
      return decideTokenization({ ...asked, command })
    case 'CARD_REGISTRATION':
    case 'CARD_STATE_CHANGE':
    case 'ACCOUNT_OPENING':
    case 'ACCOUNT_CREDIT':
    case 'SUBJECT_UNLOCK':
      return decideAccountCommand({ ...asked, command })
  }
}
