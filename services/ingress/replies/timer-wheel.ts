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

const TICK_MS = 50
/** 25.6 s a turn: longer than the default deadline, so that a slot seldom holds entries of a later turn. */
const SLOTS = 512

/** A timeout, and its place in the list of its slot. */
class Entry implements WheelTimer {
  /** The tick at which it is due, counted from the wheel's start. */
  readonly dueTick: number
  /** null once it was cancelled or came. */
  #onExpired: (() => void) | null
  #before: Entry = this
  #after: Entry = this

  constructor(dueTick: number, onExpired: (() => void) | null) {
    this.dueTick = dueTick
    this.#onExpired = onExpired
  }

  /** The next one of the list: of its head the first, of the last one the head. */
  get after(): Entry {
    return this.#after
  }

  joinBefore(head: Entry): void {
    this.#before = head.#before
    this.#after = head
    head.#before.#after = this
    head.#before = this
  }

  cancel(): void {
    this.#onExpired = null
    this.#before.#after = this.#after
    this.#after.#before = this.#before
    this.#before = this
    this.#after = this
  }

  expire(): void {
    const onExpired = this.#onExpired
    this.cancel()
    onExpired?.()
  }
}

/**
 * A wheel that runs until it is stopped. It does not keep the process alive. A slot is a list and no Set: each table that
 * a Set has outgrown keeps the next one alive, with all it held, until a full garbage collection.
 */
export function createTimerWheel(): TimerWheel {
  const slots = Array.from({ length: SLOTS }, () => new Entry(0, null))
  const startedAt = performance.now()
  const ticksSinceStart = () => Math.floor((performance.now() - startedAt) / TICK_MS)
  let handledTick = 0
  const slotAt = (tick: number) => slots[tick % SLOTS] as Entry

  /** Catches up with the time that passed, with at most one turn of slots however late the interval came. */
  const turn = () => {
    const now = ticksSinceStart()
    const first = Math.max(handledTick + 1, now - SLOTS + 1)
    handledTick = now
    for (let tick = first; tick <= now; tick += 1) for (const entry of dueIn(slotAt(tick), now)) entry.expire()
  }
  const interval = setInterval(turn, TICK_MS).unref()

  return {
    set: (delayMs, onExpired) => {
      const dueTick = Math.max(handledTick, ticksSinceStart()) + Math.ceil(delayMs / TICK_MS) + 1
      const entry = new Entry(dueTick, onExpired)
      entry.joinBefore(slotAt(dueTick))
      return entry
    },
    stop: () => clearInterval(interval),
  }
}

function dueIn(slot: Entry, now: number): readonly Entry[] {
  const due: Entry[] = []
  for (let entry = slot.after; entry !== slot; entry = entry.after) if (entry.dueTick <= now) due.push(entry)
  return due
}
