// A record of `replies` as a reply, if it is one that counts.

import type { Barriers } from '../../core/subject/epochs.ts'
import type { Reply } from '../../core/transaction/reply.ts'
import type { StoredRecord } from '../../ports/log.ts'
import { MalformedRecordError, type Wire } from '../../ports/wire.ts'

/** 'passed': a barrier, or void behind one: a newer answer comes. */
export function replyIn(record: StoredRecord, wire: Wire, barriers: Barriers): Reply | 'passed' | 'malformed' {
  if (barriers.judge(record) === 'barrier') return 'passed'
  try {
    const reply = wire.decodeReply(record)
    return barriers.judge(record, reply.epoch) === 'valid' ? reply : 'passed'
  } catch (error) {
    if (!(error instanceof MalformedRecordError)) throw error
    return 'malformed'
  }
}
