// How slots are read: one command for many, which reads each at one moment, its outbox with it.
//
// The key of a version holds the slot's tag, its base and the events that are not known to be on the log, as the scripts
// write it: two lines, and for each event `version:length:` and its bytes.

import type { OutboxEntry, SlotRead, SlotView, Unit } from '../../ports/store.ts'
import type { KeyNames } from './names.ts'
import { PackedCommand } from './packed-command.ts'

const LINE_FEED = 0x0a
const COLON = ':'
/** No version in it, so that it is taken for none. */
const DAMAGED = 'damaged'

/** Reads the versions and entries of slots. */
export function slotCommand(reads: readonly SlotRead[], { version, entry }: KeyNames): PackedCommand {
  const keys: string[] = []
  for (const read of reads) {
    keys.push(version(read.slot))
    for (const name of namesRead(read)) keys.push(entry(read.slot, name))
  }
  return new PackedCommand('mget', keys)
}

/** What the command gave for these reads. */
export function slotViews(
  reads: readonly SlotRead[],
  values: readonly (Buffer | null)[],
  generation: number,
): readonly SlotView[] {
  let at = 0
  return reads.map((read) => {
    const { tag, base, outbox } = readVersion(values[at++] ?? null)
    const entries = new Map<string, string>()
    for (const name of namesRead(read)) {
      const value = values[at++]
      if (value) entries.set(name, value.toString())
    }
    return { slot: read.slot, tag, base, outbox, entries, generation }
  })
}

/** Tag and base as they stand before an outbox. */
export function versionLines({ nextTag, nextBase }: Pick<Unit, 'nextTag' | 'nextBase'>): string {
  return `${nextTag}\n${nextBase}\n`
}

/** What a unit makes of a version: its lines, and its event as the first of the outbox. */
export function versionBytes(unit: Pick<Unit, 'nextTag' | 'nextBase' | 'event'>): Buffer {
  const { version, event } = unit.event
  return Buffer.concat([Buffer.from(`${versionLines(unit)}${version}:${event.length}:`), event])
}

/**
 * @returns the events oldest first; '' and none where there is no version yet. What nobody of ours wrote is a tag that
 * no unit fits, and that a dump shows.
 */
export function readVersion(held: Buffer | null): Pick<SlotView, 'tag' | 'base' | 'outbox'> {
  if (!held) return { tag: '', base: '', outbox: [] }
  const first = held.indexOf(LINE_FEED)
  const second = held.indexOf(LINE_FEED, first + 1)
  const outbox = first < 0 || second < 0 ? null : readOutbox(held, second + 1)
  if (!outbox) return { tag: DAMAGED, base: '', outbox: [] }
  return {
    tag: held.toString('latin1', 0, first),
    base: held.toString('utf8', first + 1, second),
    outbox: outbox.sort((a, b) => a.version - b.version),
  }
}

/** Null when it is none. */
function readOutbox(held: Buffer, from: number): OutboxEntry[] | null {
  const outbox: OutboxEntry[] = []
  for (let at = from; at < held.length;) {
    const colon = held.indexOf(COLON, at)
    const start = held.indexOf(COLON, colon + 1) + 1
    const version = Number(held.toString('latin1', at, colon))
    const end = start + Number(held.toString('latin1', colon + 1, start - 1))
    if (colon < 0 || !(version >= 1) || !(end >= start && end <= held.length)) return null
    outbox.push({ version, event: held.subarray(start, end) })
    at = end
  }
  return outbox
}

/** Where a claim is to be set it is read too. */
function namesRead({ names, claim }: SlotRead): readonly string[] {
  return claim === undefined || names.includes('claim') ? names : [...names, 'claim']
}
