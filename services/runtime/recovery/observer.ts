// What a recovery tells: metrics, and log lines with its progress.

import type { RecoveryMetrics } from '../metrics.ts'
import { describeError, type Logger } from '../logging.ts'
import type { RecoveryObserver } from './recovery.ts'

const TELL_EVERY_MS = 5_000
/** A fault that lasts is told again after this. */
const REPEAT_MS = 60_000

export function recoveryObserver(metrics: RecoveryMetrics, logger: Logger): RecoveryObserver {
  let begun = 0
  let told = 0
  let failure = { message: '', at: 0 }
  return {
    suspended: (reason) => {
      metrics.deciding(false)
      logger.warn({ reason }, 'nothing is decided until the store is known to hold what the log says')
    },
    catchingUp: (epoch, records) => {
      begun = told = performance.now()
      logger.info({ epoch, records }, 'bringing the store up to the log')
    },
    progress: ({ done, total }) => {
      const now = performance.now()
      if (now - told < TELL_EVERY_MS) return
      told = now
      const rate = done / ((now - begun) / 1_000)
      const seconds = Math.round((total - done) / Math.max(rate, 1))
      logger.info(
        { records: done, count: total, seconds },
        'bringing the store up to the log: records, of so many, seconds left',
      )
    },
    admitted: ({ epoch, runId }, records, ms) => {
      metrics.deciding(true)
      metrics.recovered(records)
      metrics.epoch(epoch)
      logger.info({ epoch, runId, records, ms: Math.round(ms) }, 'the store holds what the log says: deciding')
    },
    failed: (error) => {
      if (error.message === failure.message && performance.now() - failure.at < REPEAT_MS) return
      failure = { message: error.message, at: performance.now() }
      logger.warn(describeError(error), 'the store could not be brought up to the log yet')
    },
  }
}
