// What is measured of a turn, of load and floor alike: all calls of a turn begin at once, and at its end fewer are in
// flight.

/**
 * What comes of the beginning is over by then: after a pause the service answers a fifth less in the first half second,
 * and some percent less in the second and third.
 */
const SETTLING_MS = 1_500

/** Once it has settled, for so many seconds. Times are of `performance.now()`. */
export class MeasuredTime {
  readonly from = performance.now() + SETTLING_MS
  readonly until: number
  readonly #seconds: number
  #answered = 0

  constructor(seconds: number) {
    this.until = this.from + seconds * 1_000
    this.#seconds = seconds
  }

  /** A call was answered; it counts when that was within. */
  answered(at: number): void {
    if (at >= this.from && at < this.until) this.#answered++
  }

  perSecond(): number {
    return this.#answered / this.#seconds
  }
}
