// How far long work is, on standard error: count, rate, and time left when the total is known. Silent for the first
// seconds, so that short work prints nothing.

const EVERY_MS = 2_000

export class Progress {
  readonly #unit: string
  readonly #total: number | null
  readonly #signal: AbortSignal
  readonly #output: NodeJS.WriteStream
  readonly #began = performance.now()
  #told = this.#began
  #count = 0
  #wrote = false

  constructor(unit: string, total: number | null, signal: AbortSignal, output: NodeJS.WriteStream) {
    this.#unit = unit
    this.#total = total
    this.#signal = signal
    this.#output = output
  }

  get count(): number {
    return this.#count
  }

  get seconds(): number {
    return (performance.now() - this.#began) / 1_000
  }

  /** So many more are done. @throws the signal's reason when the work is to end. */
  add(count: number): void {
    this.#signal.throwIfAborted()
    this.#count += count
    if (performance.now() - this.#told < EVERY_MS) return
    this.#told = performance.now()
    const line = progressLine(this.#unit, this.#count, this.#total, this.seconds)
    this.#output.write(this.#output.isTTY ? `\r\u001b[K${line}` : `${line}\n`)
    this.#wrote = true
  }

  end(): void {
    if (this.#wrote && this.#output.isTTY) this.#output.write('\r\u001b[K')
    this.#wrote = false
  }
}

/** `120,000 of 1,000,000 records, 60,000 a second, 15 s left`. */
export function progressLine(unit: string, count: number, total: number | null, seconds: number): string {
  const rate = count / Math.max(seconds, 0.001)
  const number = (value: number) => Math.round(value).toLocaleString('en')
  const known = total !== null && total > 0
  const left = known && rate > 0 ? `, ${duration(Math.max(total - count, 0) / rate)} left` : ''
  return `${number(count)}${known ? ` of ${number(total)}` : ''} ${unit}, ${number(rate)} a second${left}`
}

function duration(seconds: number): string {
  const whole = Math.ceil(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3_600)} h ${Math.floor((whole % 3_600) / 60)} min`
}
