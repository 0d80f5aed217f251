// Whether the instance can serve: asked of log and store in the background, so that no call waits to learn it.

import { setTimeout as sleep } from 'node:timers/promises'

/** Which parts are good. Ready when all of them are. */
export interface ReadinessParts {
  readonly log: boolean
  readonly store: boolean
  readonly replies: boolean
  readonly accepting: boolean
}

export interface Readiness {
  readonly ready: boolean
  parts(): ReadinessParts
  /** Starts to ask. Resolves after the first answers, good or bad. */
  start(): Promise<void>
  stop(): void
}

export interface ReadinessDeps {
  readonly logPing: () => Promise<void>
  readonly storePing: () => Promise<void>
  /** Whether replies are followed, and whether new calls are taken: known without asking. */
  readonly replies: () => boolean
  readonly accepting: () => boolean
  /** Between two questions. Milliseconds. */
  readonly intervalMs: number
}

/** How long an answer may take. Milliseconds. */
const PATIENCE_MS = 1_000

export function createReadiness({ logPing, storePing, replies, accepting, intervalMs }: ReadinessDeps): Readiness {
  const stopping = new AbortController()
  let log = false
  let store = false
  const parts = () => ({ log, store, replies: replies(), accepting: accepting() })
  const probe = async () => {
    ;[log, store] = await Promise.all([answers(logPing), answers(storePing)])
  }
  const keepProbing = async () => {
    while (!stopping.signal.aborted) {
      await Promise.allSettled([sleep(intervalMs, undefined, { signal: stopping.signal, ref: false })])
      if (!stopping.signal.aborted) await probe()
    }
  }
  return {
    get ready() {
      return log && store && replies() && accepting()
    },
    parts,
    start: async () => {
      await probe()
      void keepProbing()
    },
    stop: () => stopping.abort(),
  }
}

/** Whether it answers in time. Why not is its owner's to log. */
async function answers(ping: () => Promise<void>): Promise<boolean> {
  const tooLate = new AbortController()
  const late = sleep(PATIENCE_MS, false, { signal: tooLate.signal, ref: false }).catch(() => false)
  try {
    return await Promise.race([
      ping().then(
        () => true,
        () => false,
      ),
      late,
    ])
  } finally {
    tooLate.abort()
  }
}
