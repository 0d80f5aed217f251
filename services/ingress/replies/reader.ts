// Reads the instance's partition of `replies` and hands each reply to who waits for it. Follows again after a cut.
// A record that is no reply is counted and passed over: it never stops the reading.

import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Barriers } from '../../core/subject/epochs.ts'
import type { Reply } from '../../core/transaction/reply.ts'
import type { FollowOptions, Log, StoredRecord, Subscription } from '../../ports/log.ts'
import type { Wire } from '../../ports/wire.ts'
import { readEpochs } from '../../runtime/epochs.ts'
import { describeError } from '../../runtime/logging.ts'
import { TOPIC } from '../../runtime/topics.ts'
import type { Logger } from '../deps.ts'
import { replyIn } from './decode.ts'

export interface ReplyReader {
  /** The partition that requests name for their replies, or null while none is followed: nothing may be asked then. */
  readonly partition: number | null
  /** Starts to follow, in the background. Resolves at the first success, or after `waitMs` without one. */
  start(waitMs: number): Promise<void>
  stop(): Promise<void>
}

export interface ReplyReaderDeps {
  readonly log: Log
  readonly wire: Wire
  readonly logger: Logger
  /** Absent: one is drawn at the start. */
  readonly partition?: number
  /** So many records have come; they are handed on when it resolves. */
  readonly onArrival?: (count: number) => Promise<void>
  readonly onReply: (reply: Reply) => void
  readonly onMalformed: () => void
}

/** Between two attempts to follow. */
const RETRY_MS = 500
/** Of attempts that fail one after the other, the first and then one in this many are logged. */
const LOG_EVERY = 60

export function createReplyReader(deps: ReplyReaderDeps): ReplyReader {
  const { log, wire, logger, partition: wanted, onArrival } = deps
  const stopping = new AbortController()
  let followed: number | null = null
  let subscription: Subscription | null = null
  /** Where to go on after a cut: replies of open calls may have come in between. */
  let next: bigint | 'end' = 'end'

  const read = async (records: readonly StoredRecord[], barriers: Barriers) => {
    await onArrival?.(records.length)
    for (const record of records) {
      next = record.offset + 1n
      handOn(record, barriers, deps)
    }
  }
  const fence = once(async () => {
    const { latest } = await readEpochs(log, wire)
    return new Barriers(() => latest?.epoch ?? 0)
  })
  const partition = once(async () => {
    const count = await log.partitions(TOPIC.replies)
    if (wanted !== undefined && wanted >= count) throw new RangeError('the topic of replies lacks the partition')
    return wanted ?? randomInt(count)
  })

  /** Follows until it is cut off. @throws why it could not, or was cut off. */
  const followOnce = async (onFollowing: () => void) => {
    const own = await partition()
    const following = await followFenced(log, { partition: own, from: next }, fence, read)
    subscription = following
    if (stopping.signal.aborted) return following.stop()
    followed = own
    onFollowing()
    await following.failed
  }

  const keepFollowing = async (onFollowing: () => void) => {
    for (let failures = 0; !stopping.signal.aborted; failures += 1) {
      try {
        await followOnce(() => {
          failures = 0
          onFollowing()
        })
      } catch (error) {
        if (stopping.signal.aborted) return
        followed = null
        if (failures % LOG_EVERY === 0) logger.warn(describeError(error), 'replies are not followed')
        await Promise.allSettled([subscription?.stop()])
        subscription = null
        await Promise.allSettled([sleep(RETRY_MS, undefined, { signal: stopping.signal })])
      }
    }
  }

  return {
    get partition() {
      return followed
    },
    start: async (waitMs) => {
      const { promise: following, resolve } = Promise.withResolvers<void>()
      void keepFollowing(resolve)
      await Promise.race([following, sleep(waitMs, undefined, { ref: false })])
    },
    stop: async () => {
      stopping.abort()
      followed = null
      await subscription?.stop()
    },
  }
}

function handOn(record: StoredRecord, barriers: Barriers, { wire, onReply, onMalformed }: ReplyReaderDeps): void {
  const reply = replyIn(record, wire, barriers)
  if (reply === 'malformed') onMalformed()
  else if (reply !== 'passed') onReply(reply)
}

/**
 * Follows replies, and hands none on before it is known which count. The epochs are read once the position is fixed:
 * barriers before it are in there, and those behind it are met.
 */
async function followFenced(
  log: Log,
  place: Pick<FollowOptions, 'partition' | 'from'>,
  fence: () => Promise<Barriers>,
  read: (records: readonly StoredRecord[], barriers: Barriers) => Promise<void>,
): Promise<Subscription> {
  const { promise: fenced, resolve } = Promise.withResolvers<Barriers | null>()
  const following = await log.follow({
    topic: TOPIC.replies,
    ...place,
    onRecords: async (records) => {
      const barriers = await fenced
      if (barriers) await read(records, barriers)
    },
  })
  try {
    resolve(await fence())
    return following
  } catch (error) {
    resolve(null)
    await following.stop()
    throw error
  }
}

/** Keeps the first success: a drawn partition stays the same over reconnections. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: { readonly value: T } | null = null
  return async () => (made ??= { value: await make() }).value
}
