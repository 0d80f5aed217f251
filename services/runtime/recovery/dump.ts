// The logical state of a store, and of a fold of the log, as canonical lines that can be compared: sorted, and without
// what only frees memory. Held in memory as a whole; a comparison of large stores goes slot group by slot group.

import { createHash } from 'node:crypto'
import { createMemoryStore } from '../../adapters/memory/store.ts'
import { SECRET_KINDS } from '../../core/card-token/card-token.ts'
import type { Rules } from '../../core/subject/rules.ts'
import type { Log } from '../../ports/log.ts'
import type { HeldEntry, StoreUpkeep } from '../../ports/store-upkeep.ts'
import type { Wire } from '../../ports/wire.ts'
import { partsOf } from '../../protocol/entries.ts'
import { TOPIC } from '../topics.ts'
import { catchUp, SEIZED_MS, type CatchUpState } from './catch-up.ts'
import { endsOf } from './recovery.ts'

/** Of a slot, by name: values with sorted fields, and when memory may be freed of them. */
export type Dump = ReadonlyMap<string, { readonly value: string; readonly expiresAt: number | null }>

/** What ends within this of now may be gone already, or not yet: it is not compared. Milliseconds. */
const SLACK_MS = 60_000
const FOLD_OWNER = 'fold'
/** Slots by the first bits of a hash of their names, so that a comparison can take them group by group. */
const HASH_BITS = 32

/** Whether a slot is of group `index` of `count`. */
export interface Group {
  readonly index: number
  readonly count: number
}

export const ALL_SLOTS: Group = { index: 0, count: 1 }

export function inGroup(slot: string, { index, count }: Group): boolean {
  if (count === 1) return true
  return createHash('sha1').update(slot).digest().readUInt32BE(0) % Math.min(count, 2 ** HASH_BITS) === index
}

/** Keys and codes are the store's alone: no event tells of them, and no dump may carry them out of it. */
function isSecret({ name }: HeldEntry): boolean {
  return SECRET_KINDS.some((kind) => name.startsWith(`${kind}:`))
}

/** What a store holds, but for secrets. */
export async function dumpStore(upkeep: Pick<StoreUpkeep, 'held'>, group: Group = ALL_SLOTS): Promise<Dump> {
  const dump = new Map<string, { value: string; expiresAt: number | null }>()
  for await (const held of upkeep.held()) {
    if (!inGroup(held.slot, group) || isSecret(held)) continue
    for (const entry of partsHeld(held))
      dump.set(lineName(entry), { value: canonical(entry), expiresAt: entry.expiresAt })
  }
  return dump
}

/** What a store would hold that was never short of anything: a fold of the log up to its present end. */
export async function dumpLog(
  log: Log,
  wire: Wire,
  rules: Rules,
  options: { readonly group?: Group; readonly onProgress?: (state: CatchUpState) => void } = {},
): Promise<Dump> {
  const { group = ALL_SLOTS, onProgress } = options
  // At the beginning of time nothing is over.
  const clock = { now: () => 1 }
  const { upkeep } = createMemoryStore({ clock })
  await upkeep.seize(FOLD_OWNER, SEIZED_MS)
  const ends = await endsOf(log, TOPIC.events)
  await catchUp({
    log,
    wire,
    upkeep,
    rules,
    clock,
    owner: FOLD_OWNER,
    progress: new Map(),
    ends,
    epoch: 0,
    ...(onProgress ? { onProgress } : {}),
    stopped: () => false,
    only: (slot) => inGroup(slot, group),
  })
  return dumpStore(upkeep)
}

/** Lines of a dump at a time, sorted: `slot name value`. What is over by then is left out. */
export function linesOf(dump: Dump, now: number): readonly string[] {
  return [...dump]
    .filter(([, entry]) => !isOver(entry, now))
    .map(([name, { value }]) => `${name} ${value}`)
    .toSorted()
}

export interface Difference {
  /** Slot and entry. */
  readonly name: string
  readonly kind: 'missing' | 'different' | 'extra'
}

/**
 * Where a store is not as the log says. Claims that no event tells of yet are no difference, and neither is what has
 * ended or is about to.
 */
export function differences(log: Dump, store: Dump, now: number): readonly Difference[] {
  const found: Difference[] = []
  for (const [name, entry] of log) {
    if (isOver(entry, now)) continue
    const held = store.get(name)
    if (!held) found.push({ name, kind: 'missing' })
    else if (held.value !== entry.value) found.push({ name, kind: 'different' })
  }
  for (const [name, entry] of store) {
    if (!log.has(name) && !isOver(entry, now) && !name.endsWith(' claim')) found.push({ name, kind: 'extra' })
  }
  return found
}

function isOver({ expiresAt }: { readonly expiresAt: number | null }, now: number): boolean {
  return expiresAt !== null && expiresAt <= now + SLACK_MS
}

/**
 * A base part by part: so a line says what it is about, and what is over of it can be left out. No entry can have the
 * name of a part. What somebody damaged stays whole.
 */
function partsHeld(held: HeldEntry): readonly HeldEntry[] {
  const { slot, name: whole, value: base } = held
  if (whole !== 'base') return [held]
  try {
    return partsOf(base).map(({ name, value, expiresAt }) => ({
      slot,
      name: `base.${name}`,
      value: value ?? '',
      expiresAt,
    }))
  } catch {
    return [held]
  }
}

function lineName({ slot, name }: HeldEntry): string {
  return `${slot} ${name}`
}

/** Fields sorted by name. What is no JSON stays as it is: a version, or what somebody damaged. */
function canonical({ name, value }: HeldEntry): string {
  if (name === 'version' || !/^[[{]/.test(value)) return value
  try {
    return JSON.stringify(JSON.parse(value), (_field, inner: unknown) =>
      inner && typeof inner === 'object' && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
        : inner,
    )
  } catch {
    return value
  }
}
