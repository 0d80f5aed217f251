// Asks through the log as the ingress does, for command lines and the embedded start: publish, and wait for the reply.

import { randomInt } from 'node:crypto'
import { Barriers } from '../core/subject/epochs.ts'
import { replyIn } from '../ingress/replies/decode.ts'
import { createTimerWheel } from '../ingress/replies/timer-wheel.ts'
import { createWaiters } from '../ingress/replies/waiters.ts'
import { createDepartures } from '../ingress/departures.ts'
import { createSubmit, type Submitted } from '../ingress/submit.ts'
import type { EdgeBody } from '../ingress/traffic.ts'
import type { Log } from '../ports/log.ts'
import type { Wire } from '../ports/wire.ts'
import { readEpochs } from '../runtime/epochs.ts'
import { TOPIC } from '../runtime/topics.ts'

/** Commands asked and not answered at one time. */
const MAX_ASKED = 10_000

/** A command that may not have reached the log is asked again by who asks: no line is needed. */
const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined }

export interface Requester {
  /** 'refused': surely not published. 'unanswered': unknown; asking again is harmless. */
  ask(body: EdgeBody): Promise<Submitted>
  close(): Promise<void>
}

/** Follows a partition of the replies first, so that none is missed. @throws LogError */
export async function createRequester(log: Log, wire: Wire, timeoutMs: number): Promise<Requester> {
  const wheel = createTimerWheel()
  const waiters = createWaiters({ maxOpenCalls: MAX_ASKED, maxCallsPerReply: MAX_ASKED }, wheel, () => undefined)
  const partition = randomInt(await log.partitions(TOPIC.replies))
  const { promise: fenced, resolve } = Promise.withResolvers<Barriers>()
  const subscription = await log.follow({
    topic: TOPIC.replies,
    partition,
    from: 'end',
    onRecords: async (records) => {
      const barriers = await fenced
      for (const record of records) {
        const reply = replyIn(record, wire, barriers)
        if (typeof reply !== 'string') waiters.answer(reply)
      }
    },
  })
  const { latest } = await readEpochs(log, wire)
  resolve(new Barriers(() => latest?.epoch ?? 0))
  const submit = createSubmit({
    log,
    wire,
    logger: SILENT,
    waiters,
    departures: createDepartures(() => waiters.open),
    replyTimeoutMs: timeoutMs,
    accepting: () => true,
    replyPartition: () => partition,
  })
  return {
    ask: (body) => submit(body, undefined),
    close: async () => {
      wheel.stop()
      await subscription.stop()
    },
  }
}
