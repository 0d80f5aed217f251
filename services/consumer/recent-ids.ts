// The ids of the last events that were handled: what is among them is a repeat. Bounded; the oldest are forgotten.

export class RecentIds {
  readonly #limit: number
  readonly #ids: Set<string>

  /** @param limit how many are remembered @param ids known from earlier, oldest first */
  constructor(limit: number, ids: Iterable<string> = []) {
    this.#limit = limit
    this.#ids = new Set()
    for (const id of ids) this.add(id)
  }

  has(id: string): boolean {
    return this.#ids.has(id)
  }

  add(id: string): void {
    this.#ids.add(id)
    if (this.#ids.size <= this.#limit) return
    for (const oldest of this.#ids) {
      this.#ids.delete(oldest)
      return
    }
  }
}
