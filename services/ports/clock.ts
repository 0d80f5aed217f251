// Time, as data for whoever needs it.

export interface Clock {
  /** Unix milliseconds. */
  now(): number
}
