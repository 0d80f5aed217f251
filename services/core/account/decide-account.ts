// The operator's commands: cards with their holders, accounts, credits.

import { OPEN_GUARD } from '../guard/guard.ts'
import { plus } from '../money/amount.ts'
import type {
  AccountCommand,
  AccountCredit,
  AccountOpening,
  CardRegistration,
  CardStateChange,
  SubjectUnlock,
} from '../transaction/command.ts'
import { approve, decline, type Asked, type Decision } from '../transaction/decision.ts'
import { MISSING_ACCOUNT } from './decline.ts'

/**
 * On the card's record. A card registered again gets its new holder, date and restrictions, but keeps its state: an old
 * file that is imported once more must not bring a blocked card back. Code 00.
 */
export function decideCardRegistration(asked: Asked<CardRegistration>): Decision {
  const { document, expiresAt, restrictions } = asked.command
  const state = asked.state.card?.state ?? asked.command.state
  return approve(asked, 'card-registered', [
    { kind: 'card-registered', card: { holderHash: document.hash, state, expiresAt, restrictions } },
  ])
}

/** On the card's record. Codes 00, 14. */
export function decideCardStateChange(asked: Asked<CardStateChange>): Decision {
  if (!asked.state.card) return decline(asked, '14', 'card-not-registered')
  return approve(asked, 'card-state-changed', [{ kind: 'card-state-changed', state: asked.command.state }])
}

/** On the holder's slot. Opening twice is refused, so that an import can be repeated. Codes 00, 12. */
export function decideAccountOpening(asked: Asked<AccountOpening>): Decision {
  const { accountType, amountMinor } = asked.command
  if (asked.state.accounts.has(accountType)) return decline(asked, '12', 'account-exists')
  return approve(asked, 'account-opened', [{ kind: 'account-opened', accountType, amountMinor }], {
    accountType,
    amountMinor,
  })
}

/** On the holder's slot. Codes 00, 13, 39, 52, 53, 78. */
export function decideAccountCredit(asked: Asked<AccountCredit>): Decision {
  const { accountType, amountMinor } = asked.command
  const account = asked.state.accounts.get(accountType)
  if (!account) return decline(asked, MISSING_ACCOUNT[accountType], 'no-such-account')
  if (amountMinor === 0 || plus(account.balanceMinor, amountMinor) === null)
    return decline(asked, '13', 'amount-out-of-range')
  return approve(asked, 'account-credited', [{ kind: 'account-credited', accountType, amountMinor }], {
    accountType,
    amountMinor,
  })
}

/** On the subject's slot: its wrong tokens are forgotten, and it is locked no more. Code 00, also where nothing was. */
export function decideSubjectUnlock(asked: Asked<SubjectUnlock>): Decision {
  const { wrongAt, lockedUntil } = asked.state.guard
  if (wrongAt.length === 0 && lockedUntil === 0) return approve(asked, 'nothing-to-unlock', [])
  return approve(asked, 'subject-unlocked', [{ kind: 'guard-changed', guard: OPEN_GUARD }])
}

/** Which decision an account command asks for. */
export function decideAccountCommand(asked: Asked<AccountCommand>): Decision {
  const { command } = asked
  switch (command.kind) {
    case 'CARD_REGISTRATION':
      return decideCardRegistration({ ...asked, command })
    case 'CARD_STATE_CHANGE':
      return decideCardStateChange({ ...asked, command })
    case 'ACCOUNT_OPENING':
      return decideAccountOpening({ ...asked, command })
    case 'ACCOUNT_CREDIT':
      return decideAccountCredit({ ...asked, command })
    case 'SUBJECT_UNLOCK':
      return decideSubjectUnlock({ ...asked, command })
  }
}
