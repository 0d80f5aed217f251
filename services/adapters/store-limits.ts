// What every store refuses before anything is sent: sizes without a bound, and names that would break a key apart.
// Such a call is a bug of the caller, so it throws RangeError and not StoreError, which would be retried.

import type { Secret, SlotRead, Store, Unit } from '../ports/store.ts'

export type Ack = Parameters<Store['acknowledge']>[0][number]
export type Increment = Parameters<Store['count']>[0][number]

/** Reads or units of one round trip. More are sent as several, one after another, so that none holds Redis for long. */
export const MAX_PIPELINE = 500
/** Reads, units or acknowledgements of one call: far above any batch. */
export const MAX_OPERATIONS = 20_000
/** Entries that one unit writes: a slot's tokens and outcomes are a few dozen. */
export const MAX_ENTRIES = 256
/**
 * Entries that one read names, or versions of one acknowledgement: a round may hold thousands of transactions of one
 * slot.
 */
export const MAX_NAMES = 50_000
/** Characters of a value and bytes of an event: a record of the log may hold 1 MiB. */
export const MAX_VALUE_LENGTH = 1_048_576
/** Characters of a slot's or an entry's name: a scope has 96, a token's hash 33. */
export const MAX_NAME_LENGTH = 256

const SLOT = /^[A-Za-z0-9@._:~-]+$/
/** Of any kind but those that the stores use themselves. */
const NAME = /^(?!(?:version|base|outbox|count|store)(?::|$))[a-z]+(:[A-Za-z0-9@._:~-]+)?$/

/** @throws RangeError when a slot or name is not plain, or there is too much of something. */
export function checkReads(reads: readonly SlotRead[]): void {
  checkCount(reads.length)
  for (const read of reads) {
    checkSlot(read.slot)
    checkNames(read.names.length)
    for (const name of read.names) checkName(name)
    if (read.claim === undefined) continue
    checkExpiry(read.claim.expiresAt)
    checkValue(read.claim.value ?? '')
  }
}

/** @throws RangeError as `checkReads`, and for a unit that would leave its slot without a version. */
export function checkUnits(units: readonly Unit[]): void {
  checkCount(units.length)
  for (const unit of units) {
    checkSlot(unit.slot)
    if (unit.nextTag === '' || unit.nextTag === unit.expectedTag) throw new RangeError('a unit raises the version')
    if (unit.nextTag.includes('\n')) throw new RangeError('a tag is one line')
    if (unit.nextBase.includes('\n')) throw new RangeError("a slot's base is one line")
    checkValue(unit.nextBase)
    checkEntries(unit.absent.length + unit.writes.length)
    for (const name of unit.absent) checkName(name)
    for (const write of unit.writes) {
      checkName(write.name)
      if (write.value !== null) checkValue(write.value)
      if (write.expiresAt !== null) checkExpiry(write.expiresAt)
    }
    checkVersion(unit.event.version)
    if (unit.event.event.length > MAX_VALUE_LENGTH) throw new RangeError('an event is too long for the store')
  }
}

/** @throws RangeError */
export function checkSecrets(slot: string, secrets: readonly Secret[]): void {
  checkSlot(slot)
  checkEntries(secrets.length)
  for (const { name, value, expiresAt } of secrets) {
    checkName(name)
    checkValue(value)
    checkExpiry(expiresAt)
  }
}

/** @throws RangeError */
export function checkAcks(acks: readonly Ack[]): void {
  checkCount(acks.length)
  for (const ack of acks) {
    checkSlot(ack.slot)
    checkNames(ack.versions.length)
    for (const version of ack.versions) checkVersion(version)
  }
}

/** @throws RangeError */
export function checkCounterKeys(keys: readonly string[]): void {
  checkCount(keys.length)
  for (const key of keys) checkSlot(key)
}

/** @throws RangeError */
export function checkIncrements(steps: readonly Increment[]): void {
  checkCount(steps.length)
  for (const step of steps) {
    checkSlot(step.key)
    checkVersion(step.by)
    checkExpiry(step.expiresAt)
  }
}

/** Runs of at most `size` items, in order. */
export function inChunks<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  if (items.length <= size) return items.length === 0 ? [] : [items]
  const chunks: (readonly T[])[] = []
  for (let start = 0; start < items.length; start += size) chunks.push(items.slice(start, start + size))
  return chunks
}

function checkCount(count: number): void {
  if (count > MAX_OPERATIONS) throw new RangeError(`at most ${MAX_OPERATIONS} operations in one call of the store`)
}

function checkEntries(count: number): void {
  if (count > MAX_ENTRIES) throw new RangeError(`at most ${MAX_ENTRIES} entries of a slot at once`)
}

function checkNames(count: number): void {
  if (count > MAX_NAMES) throw new RangeError(`at most ${MAX_NAMES} entries of a slot in one read`)
}

function checkSlot(slot: string): void {
  if (slot.length > MAX_NAME_LENGTH || !SLOT.test(slot)) throw new RangeError('a slot has a name that no key can hold')
}

function checkName(name: string): void {
  const plain = name.length <= MAX_NAME_LENGTH && NAME.test(name)
  if (!plain) throw new RangeError('an entry has a name that no key can hold')
}

/** The part of an entry's name that says what it is. */
export function kindOf(name: string): string {
  const colon = name.indexOf(':')
  return colon < 0 ? name : name.slice(0, colon)
}

function checkValue(value: string): void {
  if (value.length > MAX_VALUE_LENGTH) throw new RangeError('a value is too long for the store')
}

function checkExpiry(expiresAt: number): void {
  if (!Number.isSafeInteger(expiresAt) || expiresAt <= 0) throw new RangeError('an expiry is whole Unix milliseconds')
}

function checkVersion(version: number): void {
  if (!Number.isSafeInteger(version) || version < 1) throw new RangeError('a version is a whole number of one or more')
}
