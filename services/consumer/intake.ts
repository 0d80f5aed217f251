// From a record of the topic to the event that a consumer sees, or to the reason why it sees none. Drops nothing silently:
// each record gets one word.

import type { Standing } from '../core/subject/epochs.ts'
import type { StoredRecord } from '../ports/log.ts'
import { MalformedRecordError, type Wire } from '../ports/wire.ts'
import { publicEventOf, type PublicEvent } from './public-event.ts'

export type Taken =
  | { readonly kind: 'event'; readonly event: PublicEvent }
  /** An event that is no consumer's business. */
  | { readonly kind: 'internal' }
  /** Written by a process that had lost the store: it does not count, for anybody. */
  | { readonly kind: 'void' }
  /** No event of ours. The reason quotes nothing of it. */
  | { readonly kind: 'malformed'; readonly reason: string }

/** Every schema version that was ever released is read. Errors other than malformed records are thrown. */
export function takeRecord(record: StoredRecord, standing: Standing, wire: Pick<Wire, 'decodeEvent'>): Taken {
  if (standing === 'void') return { kind: 'void' }
  if (standing === 'barrier') return { kind: 'internal' }
  try {
    const event = publicEventOf(wire.decodeEvent(record.value))
    return event ? { kind: 'event', event } : { kind: 'internal' }
  } catch (error) {
    if (!(error instanceof MalformedRecordError)) throw error
    return { kind: 'malformed', reason: error.message }
  }
}
