// An original that arrives after its reversal: declined, its token untouched (contract, "Undoing").

import type { Command } from '../transaction/command.ts'
import { decline, type Asked, type Decision } from '../transaction/decision.ts'

/**
 * On the scope's own slot, where the marker stands. The marker keeps the late one's fingerprint, so that 94 still
 * works.
 */
export function decideLateOriginal(asked: Asked): Decision {
  const { claim } = asked.state
  if (claim?.kind !== 'marker') throw new Error('only a marker makes an original late')
  const marker = { ...claim, fingerprint: asked.command.fingerprint }
  return decline(asked, '05', 'reversed-before-it-arrived', [{ kind: 'marker-set', marker }], amountOf(asked.command))
}

function amountOf(command: Command) {
  return 'amountMinor' in command ? { amountMinor: command.amountMinor } : {}
}
