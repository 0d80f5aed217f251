// The code of each rule version, so that old records are decided again by the rules of their day. Whoever raises
// RULE_VERSION copies the decisions whose answers change to a folder of their version and enters them here.

import { decideAgain, type DecideAgain } from './decide-again.ts'
import { RULE_VERSION } from './rules.ts'

const BY_VERSION: ReadonlyMap<number, DecideAgain> = new Map([[1, decideAgain]])

/** Undefined: a version that this release does not have, such as a later one's. */
export function decideByVersion(ruleVersion: number): DecideAgain | undefined {
  return BY_VERSION.get(ruleVersion)
}

/** The code that decides today. @throws Error when RULE_VERSION was raised and not entered here. */
export function decideByToday(): DecideAgain {
  const today = BY_VERSION.get(RULE_VERSION)
  if (!today) throw new Error(`rule version ${RULE_VERSION} is not entered in rule-versions.ts`)
  return today
}
