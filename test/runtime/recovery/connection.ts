// One worker's connection to a store in memory, as one to Redis is: it has a generation of its own, notices only by a
// call that the store is other data, and its calls and their answers take their time.

import type { MemoryStore } from '../../../services/adapters/memory/store.ts'
import { StoreError, type SlotRead, type SlotView, type Unit } from '../../../services/ports/store.ts'
import type { RecoverableStore, SlotRestore, StoreUpkeep } from '../../../services/ports/store-upkeep.ts'

export interface ConnectionOptions {
  readonly base: MemoryStore
  /** Until the schedule lets it go on. */
  readonly turn: (what: string) => Promise<void>
  /** The mistake: what was loaded before the connection changed is committed after it. */
  readonly commitsWhatItHad?: boolean
  /** The mistake: a catch-up does not delete the secrets of what was spent. */
  readonly leavesSecrets?: boolean
}

export class Connection implements RecoverableStore {
  generation = 1
  /** Who has tried to seize it by this connection. */
  owner = ''
  readonly upkeep: StoreUpkeep
  readonly #options: ConnectionOptions
  #runId: string
  #term = ''

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#runId = options.base.runId
    this.upkeep = this.#upkeep(options.base.upkeep)
  }

  get runId(): string {
    return this.#runId
  }

  async load(reads: readonly SlotRead[]): Promise<readonly SlotView[]> {
    const views = await this.#call('load', () => this.#options.base.load(reads))
    return views.map((view) => ({ ...view, generation: this.generation }))
  }

  async commit(units: readonly Unit[]): Promise<readonly ('committed' | 'conflict')[]> {
    const { base, commitsWhatItHad = false } = this.#options
    const mine = (unit: Unit) => commitsWhatItHad || unit.generation === this.generation
    return this.#call('commit', async () => {
      const placed = units.filter(mine).map((unit) => ({ ...unit, generation: base.generation }))
      const results = [...(await base.commit(placed))]
      return units.map((unit) => (mine(unit) ? (results.shift() ?? 'conflict') : 'conflict'))
    })
  }

  acknowledge: RecoverableStore['acknowledge'] = (acks) =>
    this.#call('acknowledge', () => this.#options.base.acknowledge(acks))
  counts: RecoverableStore['counts'] = (keys) => this.#call('counts', () => this.#options.base.counts(keys))
  count: RecoverableStore['count'] = (increments) => this.#call('count', () => this.#options.base.count(increments))
  stash: RecoverableStore['stash'] = (slot, secrets) =>
    this.#call('stash', () => this.#options.base.stash(slot, secrets))
  ping = () => this.#call('ping', () => this.#options.base.ping())
  close = async () => {}

  /** The connection is cut; the data is as it was. */
  cut(): void {
    this.generation++
  }

  #upkeep(upkeep: StoreUpkeep): StoreUpkeep {
    const call = <T>(what: string, work: () => Promise<T>) => this.#call(what, work, true)
    return {
      enter: (term) => void (this.#term = term),
      renew: () => this.cut(),
      notes: () => call('notes', () => upkeep.notes()),
      seize: (owner, ttlMs) => {
        this.owner = owner
        return call('seize', () => upkeep.seize(owner, ttlMs))
      },
      release: (owner) => call('release', () => upkeep.release(owner)),
      suspend: (owner) => call('suspend', () => upkeep.suspend(owner)),
      peek: async (reads) => {
        const views = await call('peek', () => upkeep.peek(reads))
        return views.map((view) => ({ ...view, generation: this.generation }))
      },
      restore: (claims, slots) => {
        const what = slots.map(({ slot, nextTag }) => `${slot} ${nextTag.split('.')[0]}`).join(' ')
        return call(`restore ${what}`, () =>
          upkeep.restore(
            claims,
            slots.map((slot) => this.#mistaken(slot)),
          ),
        )
      },
      advance: (holder, progress) => call('advance', () => upkeep.advance(holder, progress)),
      admit: (owner, term) => call(`admit ${term}`, () => upkeep.admit(owner, term)),
      clear: (owner, ttlMs, kinds) => call('clear', () => upkeep.clear(owner, ttlMs, kinds)),
      held: () => upkeep.held(),
    }
  }

  #mistaken(slot: SlotRestore): SlotRestore {
    if (!this.#options.leavesSecrets) return slot
    return { ...slot, writes: slot.writes.filter(({ name }) => !/^(cardkey|securitycode):/.test(name)) }
  }

  /** The store does what it is asked for at one moment, under this connection's term. */
  async #call<T>(what: string, work: () => Promise<T>, notices = !this.#options.commitsWhatItHad): Promise<T> {
    const { base, turn } = this.#options
    const { generation } = this
    await turn(what)
    if (notices && generation !== this.generation) throw new StoreError(`${what}: the connection to the store changed`)
    if (notices && base.runId !== this.#runId) return this.#lost(what)
    if (notices) base.upkeep.enter(this.#term)
    else base.upkeep.enter((await base.upkeep.notes().catch(() => ({ term: '' }))).term)
    try {
      const answer = await work()
      await turn(`${what} answered`)
      if (!notices || generation === this.generation) return answer
    } catch (error) {
      this.generation++
      this.#runId = base.runId
      throw error
    }
    throw new StoreError(`${what}: the connection to the store changed`)
  }

  #lost(what: string): never {
    this.#runId = this.#options.base.runId
    this.generation++
    throw new StoreError(`${what}: the connection to the store changed`)
  }
}
