// Key names. All keys of a slot share its hash tag, so that one script may touch them on a cluster too.

import { kindOf } from '../store-limits.ts'

export interface KeyNames {
  /** `guard` of slot S is at `guard:{S}`, `token:abc` at `token:{S}:abc`. */
  entry(slot: string, name: string): string
  version(slot: string): string
  outbox(slot: string): string
  counter(key: string): string
  /** Identity of the data: gone or other when the store was emptied in place. */
  readonly marker: string
}

/** @param prefix of every key, '' in production; it must hold no braces. */
export function keyNames(prefix: string): KeyNames {
  return {
    entry(slot, name) {
      const kind = kindOf(name)
      return `${prefix}${kind}:{${slot}}${name.slice(kind.length)}`
    },
    version: (slot) => `${prefix}version:{${slot}}`,
    outbox: (slot) => `${prefix}outbox:{${slot}}`,
    counter: (key) => `${prefix}count:{${key}}`,
    marker: `${prefix}store:marker`,
  }
}
