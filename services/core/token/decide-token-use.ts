// A token claimed for a client, or ended, by who knows its digits. No money moves: what it pays is decided later.

import type { ResponseCode } from '../transaction/codes.ts'
import type { TokenUse } from '../transaction/command.ts'
import { approve, decline, type Asked, type Decision } from '../transaction/decision.ts'
import { judgeToken, presentedToken } from '../purchase/judge-token.ts'

const DECLINE: Record<Exclude<ReturnType<typeof judgeToken>['verdict'], 'right'>, ResponseCode> = {
  wrong: '55',
  locked: '75',
  limited: '65',
  late: '68',
  undone: '05',
}

/** On the holder's slot. The outcome says what the token was bound to. Codes 00, 55, 68, 75. */
export function decideTokenUse(asked: Asked<TokenUse>): Decision {
  const { verdict, reason, facts } = judgeToken(asked)
  if (verdict !== 'right') return decline(asked, DECLINE[verdict], reason, facts)
  const binding = presentedToken(asked)?.binding
  return approve(asked, asked.command.kind === 'TOKEN_CLAIM' ? 'token-claimed' : 'token-ended', facts, {
    amountMinor: binding?.amountMinor,
    accountType: binding?.accountType,
  })
}
