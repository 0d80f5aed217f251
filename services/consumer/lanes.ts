// Work in order for each key, at the same time for different keys, bounded twice: how many are taken up, and how many of
// them run. What waits for its next attempt does not run.

export class Lanes {
  readonly #maxTaken: number
  readonly #maxRunning: number
  readonly #onTaken: (count: number) => void
  /** The last work of each key. */
  readonly #last = new Map<string, Promise<void>>()
  #closed = false
  #taken = 0
  #running = 0
  #waitingToRun: (() => void)[] = []
  #waitingForRoom: (() => void)[] = []

  /** @param onTaken told how many are taken up, whenever that changes */
  constructor(maxTaken: number, maxRunning: number, onTaken: (count: number) => void = () => undefined) {
    this.#maxTaken = maxTaken
    this.#maxRunning = maxRunning
    this.#onTaken = onTaken
  }

  get taken(): number {
    return this.#taken
  }

  /** Waits for room and takes it, for one `add`. @returns false when no more is taken up: there will be no `add`. */
  async reserve(): Promise<boolean> {
    while (this.#taken >= this.#maxTaken && !this.#closed) {
      await new Promise<void>((resolve) => this.#waitingForRoom.push(resolve))
    }
    if (this.#closed) return false
    this.#onTaken(++this.#taken)
    return true
  }

  /** Take nothing more up; who waits for room is told. */
  close(): void {
    this.#closed = true
    for (const resume of this.#waitingForRoom.splice(0)) resume()
  }

  /** After `reserve`: the work begins when the earlier work of its key has ended. `work` must not reject. */
  add(key: string, work: () => Promise<void>): void {
    const before = this.#last.get(key) ?? Promise.resolve()
    const now = before.then(work).finally(() => {
      this.#onTaken(--this.#taken)
      if (this.#last.get(key) === now) this.#last.delete(key)
      for (const resume of this.#waitingForRoom.splice(0)) resume()
    })
    this.#last.set(key, now)
  }

  /** Run one step, when fewer than the limit run. */
  async run<T>(step: () => Promise<T>): Promise<T> {
    while (this.#running >= this.#maxRunning) await new Promise<void>((resolve) => this.#waitingToRun.push(resolve))
    this.#running++
    try {
      return await step()
    } finally {
      this.#running--
      this.#waitingToRun.shift()?.()
    }
  }

  /** Resolves when all that was taken up has ended. */
  async drained(): Promise<void> {
    while (this.#last.size > 0) await Promise.all(this.#last.values())
  }
}
