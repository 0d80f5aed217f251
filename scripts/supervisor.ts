// Keeps one child process up: starts it, reports when it dies by itself, starts it again with backoff, a bounded number
// of times. Must not decide what happens when it gives up; the caller is told.
import { setTimeout as sleep } from 'node:timers/promises'
import { describeExit, type ServerProcess } from './processes.ts'

const MAX_RESTARTS = 10
const FIRST_BACKOFF_MS = 250
const MAX_BACKOFF_MS = 5_000
/** A process that lived this long has started well: its earlier deaths are forgotten. */
const FORGET_AFTER_MS = 60_000

export interface Supervised {
  readonly name: string
  /** Of the process that runs now. */
  pid(): number
  /** Stops the process for good, also one that is just being started again. */
  stop(): Promise<void>
}

export interface SuperviseOptions {
  readonly name: string
  /** Resolves when the process serves; throws when it does not come up. */
  readonly start: () => Promise<ServerProcess>
  readonly report: (line: string) => void
  /** Called once, when the restarts are used up. */
  readonly onGiveUp: (name: string) => void
  /** Before the first restart, ms; doubled for each further one. */
  readonly backoffMs?: number
}

/** Resolves after the first start. Throws what the first start throws: what never worked is not tried again. */
export async function supervise(options: SuperviseOptions): Promise<Supervised> {
  let current = await options.start()
  const stopping = new AbortController()
  const watching = watch()

  async function watch(): Promise<void> {
    let restarts = 0
    let born = performance.now()
    while (!stopping.signal.aborted) {
      const exit = await current.exited
      if (stopping.signal.aborted) return
      options.report(`${options.name} (pid ${current.pid}) ended by itself: ${describeExit(exit)}`)
      if (performance.now() - born > FORGET_AFTER_MS) restarts = 0
      let next: ServerProcess | undefined
      while (!next && restarts < MAX_RESTARTS && !stopping.signal.aborted) {
        next = await restart(options, restarts++, stopping.signal)
      }
      if (!next) return stopping.signal.aborted ? undefined : options.onGiveUp(options.name)
      current = next
      born = performance.now()
      options.report(`${options.name} is up again (pid ${current.pid})`)
    }
  }

  return {
    name: options.name,
    pid: () => current.pid,
    stop: async () => {
      stopping.abort()
      await current.stop()
      await watching
      // A start that was under way when the stop came has put another process there.
      await current.stop()
    },
  }
}

async function restart(
  options: SuperviseOptions,
  restarts: number,
  signal: AbortSignal,
): Promise<ServerProcess | undefined> {
  try {
    await sleep(Math.min((options.backoffMs ?? FIRST_BACKOFF_MS) * 2 ** restarts, MAX_BACKOFF_MS), undefined, {
      signal,
    })
    return await options.start()
  } catch (error) {
    if (!signal.aborted)
      options.report(`${options.name} did not come up: ${error instanceof Error ? error.message : String(error)}`)
    return undefined
  }
}
