// Sessions and nonces in memory, for embedded mode and tests. They survive no process, and need not: payloads that were
// signed for a session that is gone are refused for want of it.

import type { Clock } from '../../ports/clock.ts'
import type { Session, Sessions } from '../../ports/sessions.ts'
import { StoreError } from '../../ports/store.ts'

export interface MemorySessions extends Sessions {
  /** Forgets everything, as a store does that lost its data. */
  lose(): void
}

/** Entries that are looked at for their expiry with each call: more than it adds, so that the maps stay bounded. */
const SWEPT_PER_CALL = 4
/** Nonces that are remembered; some hundred megabytes. Beyond it calls are refused rather than a nonce forgotten. */
const MAX_NONCES = 1_000_000

interface Kept<T> {
  readonly value: T
  readonly until: number
}

export function createMemorySessions({ clock }: { readonly clock: Clock }): MemorySessions {
  const nonces = new Map<string, Kept<true>>()
  const sessions = new Map<string, Kept<Session>>()
  const owners = new Map<string, Kept<string>>()
  let since = 0
  let closed = false

  const check = () => {
    if (closed) throw new StoreError('sessions: closed')
  }
  const alive = <T>(map: ReadonlyMap<string, Kept<T>>, key: string): T | null => {
    const kept = map.get(key)
    return kept !== undefined && clock.now() < kept.until ? kept.value : null
  }
  return {
    admit: async ({ app, nonceHash, nonceKeptUntil, tokenHash }) => {
      check()
      for (const map of [nonces, owners]) sweep(map, clock.now())
      if (nonces.size >= MAX_NONCES) throw new StoreError('admit: too many nonces')
      const fresh = alive(nonces, nonceHash) === null
      if (fresh) keep(nonces, nonceHash, { value: true, until: nonceKeptUntil })
      const tokenApp = tokenHash === null ? null : alive(owners, tokenHash)
      return { fresh, since, session: alive(sessions, app), tokenApp }
    },
    open: async (app, session, keptUntil) => {
      check()
      keep(sessions, app, { value: session, until: keptUntil })
      keep(owners, session.tokenHash, { value: app, until: keptUntil })
    },
    close: async () => {
      closed = true
    },
    lose: () => {
      for (const map of [nonces, sessions, owners]) map.clear()
      since = clock.now()
    },
  }
}

/** Last in the map's order, whether it was there or not: the order is about that of expiry. */
function keep<T>(map: Map<string, Kept<T>>, key: string, kept: Kept<T>): void {
  map.delete(key)
  map.set(key, kept)
}

function sweep(map: Map<string, Kept<unknown>>, now: number): void {
  let seen = 0
  for (const [key, { until }] of map) {
    if (seen >= SWEPT_PER_CALL || now < until) return
    map.delete(key)
    seen += 1
  }
}
