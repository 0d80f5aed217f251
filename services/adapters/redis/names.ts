// Key names, and the marker that names the data. All keys of a slot share its hash tag.

import { randomBytes } from 'node:crypto'
import { kindOf } from '../store-limits.ts'

/**
 * In which form slots are written. One more whenever a release writes what an older one cannot read, or the other way
 * round: a store of an older form is cleared, and made anew from the log; one of a newer form is left alone.
 */
const FORM = 2

/** The value of a marker: the form, and what no other data has. */
export function newDataId(): string {
  return `${FORM}:${randomBytes(12).toString('base64url')}`
}

/** How slots beside a marker of this value are written. The first form had no number. */
export function formOf(dataId: string): 'ours' | 'older' | 'newer' {
  const form = Number(/^(\d+):/.exec(dataId)?.[1] ?? 1)
  if (form === FORM) return 'ours'
  return form < FORM ? 'older' : 'newer'
}

export interface KeyNames {
  /** `claim` of slot S is at `claim:{S}`, `token:abc` at `token:{S}:abc`. */
  entry(slot: string, name: string): string
  /** Holds the slot's tag, its base and its outbox. */
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
