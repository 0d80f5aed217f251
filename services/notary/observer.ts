// What the notary tells: metrics of everything, log lines of what somebody should look at.

import { checkpointHash } from '../audit/checkpoint.ts'
import type { Logger } from '../runtime/logging.ts'
import type { NotaryMetrics } from './metrics.ts'
import type { NotaryObserver } from './notary.ts'

/** Of the same warning the first, then one in this many. */
const WARN_EVERY = 1_000

export function observerOf(logger: Logger, metrics: NotaryMetrics): NotaryObserver {
  let foreign = 0
  let strange = 0
  return {
    checkpoint(checkpoint) {
      const records = checkpoint.ranges.reduce((sum, range) => sum + range.records, 0)
      const { sequence, keyId, signedAt } = checkpoint
      metrics.checkpoint(sequence, records, signedAt)
      // Kept elsewhere, these lines prove later that no checkpoint was cut off: `audit verify --expect`.
      logger.info({ sequence, keyId, records, state: checkpointHash(checkpoint) }, 'checkpoint')
    },
    superseded: () => metrics.superseded(),
    pending: (records) => metrics.pending(records),
    foreign({ partition, offset }) {
      metrics.foreign()
      if (foreign++ % WARN_EVERY === 0) logger.warn({ partition, offset }, 'a record of the events is none')
    },
    strange(kind) {
      metrics.strange(kind)
      if (strange++ % WARN_EVERY === 0) logger.warn({ reason: kind }, 'a record of the checkpoints was passed over')
    },
    failed(error) {
      metrics.failed()
      logger.warn({ error }, 'a checkpoint was not published: it is tried again')
    },
    contradiction({ sequence, keyId }) {
      metrics.contradiction()
      logger.error({ sequence, keyId }, 'a signed checkpoint does not agree with the log: verify it')
    },
  }
}
