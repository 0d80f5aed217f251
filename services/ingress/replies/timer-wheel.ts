// Many timeouts on one interval: a ring of ticks. Made for waits that nearly always end before their time.

/** A timeout that was set. `cancel` after its end does nothing. */
export interface WheelTimer {
  cancel(): void
}

export interface TimerWheel {
  /** Calls `onExpired` once, at most two ticks after `delayMs`, never before it. It must not throw. */
  set(delayMs: number, onExpired: () => void): WheelTimer
  /** Ends the interval. Timeouts still set never come. */
  stop(): void
}

interface Entry {
  /** The tick at which it is due, counted from the wheel's start. */
  readonly dueTick: number
  readonly onExpired: () => void
}

const TICK_MS = 50
/** 25.6 s a turn: longer than the default deadline, so that a slot seldom holds entries of a later turn. */
const SLOTS = 512

/** A wheel that runs until it is stopped. It does not keep the process alive. */
export function createTimerWheel(): TimerWheel {
  const slots = Array.from({ length: SLOTS }, () => new Set<Entry>())
  const startedAt = performance.now()
  const ticksSinceStart = () => Math.floor((performance.now() - startedAt) / TICK_MS)
  let handledTick = 0
  const slotAt = (tick: number) => slots[tick % SLOTS] as Set<Entry>

  /** Catches up with the time that passed, with at most one turn of slots however late the interval came. */
  const turn = () => {
    const now = ticksSinceStart()
    const first = Math.max(handledTick + 1, now - SLOTS + 1)
    handledTick = now
    for (let tick = first; tick <= now; tick += 1) {
      const slot = slotAt(tick)
      for (const entry of slot) {
        if (entry.dueTick > now) continue
        slot.delete(entry)
        entry.onExpired()
      }
    }
  }
  const interval = setInterval(turn, TICK_MS).unref()

  return {
    set: (delayMs, onExpired) => {
      const dueTick = Math.max(handledTick, ticksSinceStart()) + Math.ceil(delayMs / TICK_MS) + 1
      const entry: Entry = { dueTick, onExpired }
      const slot = slotAt(dueTick)
      slot.add(entry)
      return { cancel: () => void slot.delete(entry) }
    },
    stop: () => clearInterval(interval),
  }
}
