// The end of a process: on a signal its steps in order, once, within a deadline; on a mistake a line and exit 1.

import type { Logger } from './logging.ts'

export interface ShutdownStep {
  readonly name: string
  run(): Promise<void> | void
}

export interface ShutdownOptions {
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error' | 'fatal'>
  /** For all steps together, milliseconds; exit 1 after it. Default 10,000: what container runtimes wait. */
  readonly deadlineMs?: number
}

/** The process, as far as its end concerns it. */
export interface Ending {
  on(event: string, listener: (reason: unknown) => void): unknown
  exit(code: number): void
}

export interface Shutdown {
  /** Begin as if a signal had come: for a part that ended by itself. @param code to exit with when all went well. */
  begin(reason: string, code?: number): Promise<void>
}

export const SHUTDOWN_DEADLINE_MS = 10_000
const SIGNALS = ['SIGTERM', 'SIGINT'] as const

/**
 * Run `steps` on SIGTERM or SIGINT, then exit 0. A step that fails is told and the next one runs; exit 1 then, or when
 * the deadline passes. A second signal exits 1 at once, and so do errors that nothing caught.
 */
export function onShutdown(
  steps: readonly ShutdownStep[],
  options: ShutdownOptions,
  ending: Ending = process,
): Shutdown {
  const { logger } = options
  let begun: Promise<void> | null = null
  const begin = (reason: string, code = 0): Promise<void> => {
    begun ??= end(steps, reason, code, options, ending)
    return begun
  }
  for (const signal of SIGNALS) {
    ending.on(signal, () => {
      if (begun !== null) {
        logger.warn({ signal }, 'second signal: not waiting any longer')
        return ending.exit(1)
      }
      void begin(signal)
    })
  }
  for (const event of ['uncaughtException', 'unhandledRejection']) {
    ending.on(event, (error) => {
      logger.fatal({ error, reason: event }, 'a mistake that nothing caught')
      ending.exit(1)
    })
  }
  return { begin }
}

async function end(
  steps: readonly ShutdownStep[],
  reason: string,
  code: number,
  { logger, deadlineMs }: ShutdownOptions,
  ending: Ending,
): Promise<void> {
  logger.info({ reason }, 'shutting down')
  let running = ''
  const timer = setTimeout(() => {
    logger.error({ step: running }, 'shutdown took too long')
    ending.exit(1)
  }, deadlineMs ?? SHUTDOWN_DEADLINE_MS)
  let failed = false
  for (const step of steps) {
    running = step.name
    try {
      await step.run()
    } catch (error) {
      failed = true
      logger.error({ error, step: step.name }, 'a step of the shutdown failed')
    }
  }
  clearTimeout(timer)
  logger.info({ reason }, 'shut down')
  ending.exit(failed ? 1 : code)
}
