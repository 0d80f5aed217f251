// What was checked before a decision, in order, and which check decided it. Told from the recorded reason, so that it
// says what happened then; the order is that of the core.

import type { DecisionEvent } from '../../core/subject/event.ts'
import { NOT_ASKED } from '../../core/transaction/authorizer-answer.ts'
import type { Command } from '../../core/transaction/command.ts'

export type CheckResult = 'passed' | 'decided here' | 'not reached'

export interface Checked {
  readonly check: string
  readonly result: CheckResult
}

interface Check {
  readonly check: string
  /** Reasons that this check gives. */
  readonly gives: RegExp
}

const DEADLINE: Check = { check: 'before its deadline', gives: /^(deadline-passed|token-late)$/ }
const TOKEN: readonly Check[] = [
  DEADLINE,
  { check: 'the subject is not locked', gives: /^(guard-locked|token-locked)$/ },
  { check: 'the terminal is below its limit', gives: /^(terminal-limited|token-limited)$/ },
  {
    check: 'the token is right',
    gives: /^token-(unknown|spent|ended|expired|claimed|claimed-by-another|bound-to-other-.+|wrong|undone)$/,
  },
]
const CARD: readonly Check[] = [
  { check: "the card is known, and this subject's", gives: /^card-(not-registered|of-another-holder)$/ },
  { check: 'the card is in order', gives: /^card-(lost|stolen|blocked|inactive|expired)$/ },
]
const ACCOUNT: Check = { check: 'there is such an account', gives: /^no-such-account$/ }
const NOTE: Check = { check: 'the amount is a multiple of the note', gives: /^no-multiple-of-the-note$/ }
const FUNDS: Check = { check: 'there are funds', gives: /^not-enough-funds$/ }
const PURCHASE: readonly Check[] = [
  { check: 'not reversed before it arrived', gives: /^reversed-before-it-arrived$/ },
  ...TOKEN,
  ...CARD,
  ACCOUNT,
  { check: 'the card may do this', gives: /^card-no-(purchases|withdrawals)$/ },
  { check: 'the amount is within the limit', gives: /^over-the-amount-limit$/ },
  FUNDS,
]
const WITHDRAWAL = PURCHASE.flatMap((one) => (one.gives.test('over-the-amount-limit') ? [NOTE, one] : [one]))
/** What this side does not know of a card whose funds are elsewhere. */
const ELSEWHERE: ReadonlySet<Check> = new Set([ACCOUNT, FUNDS])
const ASKABLE: Check = {
  check: 'the other authorizer can be asked',
  gives: new RegExp(`^(${NOT_ASKED.join('|')})$`),
}
const REMOTE: Check = {
  check: 'the other authorizer approves',
  gives: /^(authorizer-declined-.+|authorizer-did-nothing|authorizer-unanswered|undone-before-decision)$/,
}
const UNDOING: readonly Check[] = [
  { check: 'the original is known and decided', gives: /^original-(unknown|undecided|pending)$/ },
  { check: 'the amount is that of the original', gives: /^amount-not-of-the-original$/ },
  { check: 'the original is approved and not undone', gives: /^original-(declined|reversed|voided|reversed-already)$/ },
  { check: 'the token is not spent', gives: /^token-spent$/ },
]

const CHECKS: Readonly<Record<Command['kind'], readonly Check[]>> = {
  TOKEN_GENERATION: [
    { check: 'not reversed before it arrived', gives: /^reversed-before-it-arrived$/ },
    DEADLINE,
    { check: 'few enough live tokens', gives: /^too-many-live-tokens$/ },
    ...CARD,
    { check: 'a token is free', gives: /^no-free-token$/ },
  ],
  TOKEN_PURCHASE: PURCHASE,
  TOKEN_WITHDRAWAL: WITHDRAWAL,
  TOKEN_CLAIM: TOKEN,
  // What it ends is a right token: its reason is no fault.
  TOKEN_CANCELLATION: TOKEN,
  REVERSAL: UNDOING,
  VOID: UNDOING,
  CARD_TOKENIZATION: [DEADLINE, { check: 'the id is free', gives: /^no-free-token$/ }],
  CARD_CHARGE: [
    DEADLINE,
    { check: 'the order has no other charge', gives: /^order-used$/ },
    { check: 'the card token is known', gives: /^card-token-unknown$/ },
    { check: 'the card token is not spent', gives: /^card-token-spent$/ },
    { check: 'the card token has not expired', gives: /^card-token-expired$/ },
    { check: 'the number can still be opened', gives: /^card-token-without-its-key$/ },
    ASKABLE,
  ],
  CHARGE_REFUND: [
    { check: 'there is an approved charge', gives: /^no-approved-charge$/ },
    { check: 'no more than is left', gives: /^more-than-is-left$/ },
    { check: 'few enough refunds', gives: /^too-many-refunds$/ },
    ASKABLE,
  ],
  CARD_REGISTRATION: [],
  CARD_STATE_CHANGE: [{ check: 'the card is registered', gives: /^card-not-registered$/ }],
  ACCOUNT_OPENING: [{ check: 'there is no such account yet', gives: /^account-exists$/ }],
  ACCOUNT_CREDIT: [
    { check: 'there is such an account', gives: /^no-such-account$/ },
    { check: 'the amount is in range', gives: /^amount-out-of-range$/ },
  ],
  SUBJECT_UNLOCK: [],
}

/** Empty where nothing is checked, as for an order that is held. */
export function checksOf(
  event: Pick<DecisionEvent, 'type' | 'command' | 'seen' | 'reason' | 'responseCode'>,
): readonly Checked[] {
  const checks = checksFor(event)
  // An approval of these was the last check's doing: its token ended because it was right.
  const isApproval = event.responseCode === '00' && !/^(REVERSAL|VOID)$/.test(event.command.kind)
  const decisive = isApproval ? -1 : checks.findIndex(({ gives }) => gives.test(event.reason))
  return checks.map(({ check }, i) => ({ check, result: resultOf(i, decisive) }))
}

function checksFor({
  type,
  command,
  seen,
  reason,
}: Pick<DecisionEvent, 'type' | 'command' | 'seen' | 'reason'>): readonly Check[] {
  switch (type) {
    case 'order-held':
    case 'order-freed':
      return []
    case 'token-judged':
      return command.kind === 'REVERSAL' || command.kind === 'VOID' ? [] : TOKEN
    case 'transaction-decided':
    case 'transaction-pending':
      if (seen.answer || REMOTE.gives.test(reason)) return [REMOTE]
      return 'remote' in command && command.remote
        ? [...CHECKS[command.kind].filter((check) => !ELSEWHERE.has(check)), ASKABLE]
        : CHECKS[command.kind]
  }
}

function resultOf(at: number, decisive: number): CheckResult {
  if (decisive === -1 || at < decisive) return 'passed'
  return at === decisive ? 'decided here' : 'not reached'
}
