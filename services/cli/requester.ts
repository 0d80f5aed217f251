// Asks through the log as the ingress does, for command lines and the embedded start: publish, and wait for the reply.

import { randomInt } from 'node:crypto'
import type { AccountCommand } from '../core/transaction/command.ts'
import type { Reply } from '../core/transaction/reply.ts'
import { createTimerWheel } from '../ingress/replies/timer-wheel.ts'
import { createWaiters, waitKey } from '../ingress/replies/waiters.ts'
import { LogError, LogOverloadedError, type Log } from '../ports/log.ts'
import { MalformedRecordError, type Wire } from '../ports/wire.ts'
import { TOPIC } from '../runtime/topics.ts'

/** Commands asked and not answered at one time. */
const MAX_ASKED = 10_000

export interface Requester {
  /** 'refused': surely not published. 'unanswered': unknown; asking again is harmless. */
  ask(command: AccountCommand): Promise<Reply | 'refused' | 'unanswered'>
  close(): Promise<void>
}

/** Follows a partition of the replies first, so that none is missed. @throws LogError */
export async function createRequester(log: Log, wire: Wire, timeoutMs: number): Promise<Requester> {
  const wheel = createTimerWheel()
  const waiters = createWaiters({ maxOpenCalls: MAX_ASKED, maxCallsPerReply: MAX_ASKED }, wheel, () => undefined)
  const partition = randomInt(await log.partitions(TOPIC.replies))
  const subscription = await log.follow({
    topic: TOPIC.replies,
    partition,
    from: 'end',
    onRecords: (records) => {
      for (const record of records) {
        try {
          waiters.answer(wire.decodeReply(record))
        } catch (error) {
          if (!(error instanceof MalformedRecordError)) throw error
        }
      }
    },
  })
  return {
    ask: async (command) => {
      const wait = waiters.wait(waitKey(command), timeoutMs)
      if (!wait) return 'refused'
      const request = wire.encodeRequest({ body: command, replyPartition: partition })
      try {
        await log.publish([{ topic: TOPIC.purchaseRequests, key: partitionKey(command), ...request }])
      } catch (error) {
        if (!(error instanceof LogError)) throw error
        // Anything else may have been published all the same, so the reply is still waited for.
        if (error instanceof LogOverloadedError) {
          wait.cancel()
          return 'refused'
        }
      }
      return wait.over
    },
    close: async () => {
      wheel.stop()
      await subscription.stop()
    },
  }
}

/** The subject that the command changes: a card's record or a holder. */
function partitionKey(command: AccountCommand): string {
  return 'card' in command ? command.card.hash : command.document.hash
}
