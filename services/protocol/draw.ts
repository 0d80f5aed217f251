// What is drawn for a decision that no token is presented or issued in.

import type { Drawn } from '../core/subject/event.ts'
import type { Shell } from './operations.ts'

/** The time and an authorization number. */
export function plainDraw(shell: Shell): Drawn {
  return {
    now: shell.clock.now(),
    authorizationNumber: shell.entropy.authorizationNumber(),
    candidates: [],
    presented: [],
    presentedDigits: 0,
  }
}
