// Hands a request to the log and waits for its reply. What it answers says exactly how much is known: a reply, surely
// nothing accepted, or unknown. It never turns silence into a decline.

import type { Reply } from '../core/transaction/reply.ts'
import { LogOverloadedError, type Log } from '../ports/log.ts'
import type { Wire } from '../ports/wire.ts'
import { describeError } from '../runtime/logging.ts'
import type { Departures } from './departures.ts'
import type { Logger } from './deps.ts'
import { waitKey, type Waiters } from './replies/waiters.ts'
import { routeOf, type EdgeBody } from './traffic.ts'

/**
 * 'refused': surely nothing was published. 'unanswered': it may have been, and no reply came by the deadline.
 */
export type Submitted = Reply | 'refused' | 'unanswered'

/**
 * @param followUp belongs to a call that was taken before: it goes out also while the instance shuts down.
 */
export type Submit = (
  body: EdgeBody,
  traceparent: string | undefined,
  options?: { readonly followUp: boolean },
) => Promise<Submitted>

export interface SubmitDeps {
  readonly log: Log
  readonly wire: Wire
  readonly logger: Logger
  readonly waiters: Waiters
  readonly departures: Departures
  readonly replyTimeoutMs: number
  /** The partition for replies, or null while none is followed. */
  readonly replyPartition: () => number | null
  /** Whether new calls are taken. */
  readonly accepting: () => boolean
}

/** @throws what encoding throws: nothing was published then. */
export function createSubmit(deps: SubmitDeps): Submit {
  const { log, wire, logger, waiters, departures, replyTimeoutMs, replyPartition, accepting } = deps
  return async (body, traceparent, options) => {
    const partition = accepting() || options?.followUp === true ? replyPartition() : null
    if (partition === null) return 'refused'
    const { topic, key } = routeOf(body)
    const { value, headers } = wire.encodeRequest({ body, replyPartition: partition, traceparent })
    // The wait comes first: a reply may be here before the log's acknowledgement is.
    const wait = waiters.wait(waitKey(body), replyTimeoutMs)
    if (wait === null) return 'refused'
    const publish = async () => {
      try {
        await log.publish([{ topic, key, value, headers }])
      } catch (error) {
        if (error instanceof LogOverloadedError) return wait.refuse()
        // It may have been published all the same, so the reply is still waited for.
        logger.warn(describeError(error), 'a request may not have reached the log')
      }
    }
    const asked = performance.now()
    departures.join(() => void publish())
    const waited = await wait.over
    if (typeof waited !== 'string') departures.answered(performance.now() - asked)
    return waited
  }
}
