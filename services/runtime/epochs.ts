// The topic of epochs, read by everything that must tell valid records from void ones before it is ready.

import { EpochHistory } from '../core/subject/epochs.ts'
import type { Log } from '../ports/log.ts'
import { MalformedRecordError, type Wire } from '../ports/wire.ts'
import { TOPIC } from './topics.ts'

/** All epochs so far. Who follows a topic from its end reads them after its position is fixed. @throws LogError */
export async function readEpochs(log: Pick<Log, 'read'>, wire: Pick<Wire, 'decodeEvent'>): Promise<EpochHistory> {
  const history = new EpochHistory()
  await readEpochsFrom(log, wire, history, 0n)
  return history
}

/** Adds what came from `next` on, up to `to` or the present end, and gives where to go on. @throws LogError */
export async function readEpochsFrom(
  log: Pick<Log, 'read'>,
  wire: Pick<Wire, 'decodeEvent'>,
  history: EpochHistory,
  next: bigint,
  to?: bigint,
): Promise<bigint> {
  for await (const record of log.read(TOPIC.epochs, 0, next, to)) {
    next = record.offset + 1n
    try {
      const event = wire.decodeEvent(record.value)
      if (event.type === 'epoch-raised') history.add(event)
    } catch (error) {
      if (!(error instanceof MalformedRecordError)) throw error
    }
  }
  return next
}
