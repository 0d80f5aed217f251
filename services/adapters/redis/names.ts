// Key names. All keys of a slot share its hash tag.

import { kindOf } from '../store-limits.ts'

export interface KeyNames {
  /** `guard` of slot S is at `guard:{S}`, `token:abc` at `token:{S}:abc`. */
  entry(slot: string, name: string): string
  /** Holds the slot's tag and its outbox. */
  version(slot: string): string
  counter(key: string): string
  /** Identity of the data: gone or other when the store was emptied in place. */
  readonly marker: string
  /** The admitted term, who is bringing the store up to the log, and how far it is. */
  readonly term: string
  readonly owner: string
  readonly progress: string
  /** There while a `clear` is not at its end. */
  readonly clearing: string
  /** The slot and the entry's name of a key that holds one or a version; null for others. */
  parse(key: string): { readonly slot: string; readonly name: string } | null
}

/** @param prefix of every key, '' in production; it must hold no braces. */
export function keyNames(prefix: string): KeyNames {
  return {
    entry(slot, name) {
      const kind = kindOf(name)
      return `${prefix}${kind}:{${slot}}${name.slice(kind.length)}`
    },
    version: (slot) => `${prefix}version:{${slot}}`,
    counter: (key) => `${prefix}count:{${key}}`,
    marker: `${prefix}store:marker`,
    term: `${prefix}store:term`,
    owner: `${prefix}store:owner`,
    progress: `${prefix}store:progress`,
    clearing: `${prefix}store:clearing`,
    parse(key) {
      const [, kind, slot, rest] = /^([a-z]+):\{([^{}]+)\}(:.*)?$/.exec(key.slice(prefix.length)) ?? []
      return kind === undefined || slot === undefined ? null : { slot, name: `${kind}${rest ?? ''}` }
    },
  }
}
