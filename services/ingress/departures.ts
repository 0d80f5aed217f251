// When requests leave for the log. While many calls wait, those that come within a part of the time that an answer takes
// leave together: a request to the broker costs all who handle it as much as dozens of records do. Who comes when the
// last departure was long ago waits for less: answers come many at once, and so do the calls that follow them. All leave
// sooner when they are more than those that are out, and when answers come and no more stay out than gather: else whoever
// decides has nothing left to do. Where few calls wait or answers are quick, nobody begins to wait; who comes while others
// do leaves with them.

/** Calls that wait, below which each leaves at once. */
const FEW = 12
/** Of the time that an answer takes. */
const PART = 1 / 2
/** However long answers take. */
const AT_MOST_MS = 40
/** Of that time, for which the first to come waits in any case. */
const AT_LEAST = 0.4
/** Of the calls that wait, those that gather are enough to leave. */
const ENOUGH = 0.6
/** Of the calls that go on waiting when answers have come, the same. */
const ENOUGH_THEN = 1 / 2
/** Timers are no finer. */
const LEAST_MS = 1
/** By which factor one answer moves what is taken for typical. */
const STEP = 1.05
/** Before there was any answer. */
const FIRST_MS = 10

export interface Departures {
  /** Runs `leave` now or within 40 ms, in the order of the calls. It must not throw. */
  join(leave: () => void): void
  /** So many answers have come, and are about to be given. @returns whether requests left that should be sent first. */
  answering(count: number): boolean
  /** An answer took so long, milliseconds. */
  answered(ms: number): void
}

/** @param waiting calls that wait for an answer, the one that joins among them. */
export function createDepartures(waiting: () => number): Departures {
  let joined: (() => void)[] = []
  let timer: NodeJS.Timeout | null = null
  let departedAt = -Infinity
  /** The time that half of the answers take, nearly: a mean would follow the few that ask another authorizer. */
  let typicalMs = FIRST_MS

  const depart = () => {
    if (timer) clearTimeout(timer)
    timer = null
    departedAt = performance.now()
    const leaving = joined
    joined = []
    for (const leave of leaving) leave()
  }

  return {
    join: (leave) => {
      joined.push(leave)
      if (joined.length >= waiting() * ENOUGH) return depart()
      if (timer) return
      const gatherMs = Math.min(AT_MOST_MS, typicalMs * PART)
      const waitMs = Math.max(departedAt + gatherMs - performance.now(), gatherMs * AT_LEAST)
      if (waiting() < FEW || waitMs < LEAST_MS) depart()
      else timer = setTimeout(depart, waitMs)
    },
    answering: (count) => {
      const leaves = joined.length > 0 && joined.length >= (waiting() - count) * ENOUGH_THEN
      if (leaves) depart()
      return leaves
    },
    answered: (ms) => {
      typicalMs *= ms > typicalMs ? STEP : 1 / STEP
    },
  }
}
