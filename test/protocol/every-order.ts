// Every order of a small world, within a bound: who goes on at each access that others can notice, what the way to the
// other authorizer does to each call, where a worker dies. The world is run again from its beginning for each order.

import { FATES, type Fate } from './other-authorizer.ts'
import type { World } from './world.ts'

/** How much may go wrong in one order. */
export interface Bounds {
  /** Times that one is interrupted by another before an access. */
  readonly preemptions: number
  /** Calls that do not go well, and crashes. */
  readonly faults: number
}

/** Accesses of one order: a small world needs some tens. */
const MAX_ACCESSES = 2_000

/** A path through a tree of choices, the first of each unless told otherwise. */
export class Choices {
  readonly #told: readonly number[]
  readonly made: { value: number; of: number }[] = []

  constructor(told: readonly number[] = []) {
    this.#told = told
  }

  pick(of: number): number {
    if (of <= 1) return 0
    const value = this.#told[this.made.length] ?? 0
    this.made.push({ value, of })
    return value
  }

  /** The next path, or null after the last. */
  next(): readonly number[] | null {
    for (let at = this.made.length - 1; at >= 0; at--) {
      const { value, of } = this.made[at] as { value: number; of: number }
      if (value + 1 < of) return [...this.made.slice(0, at).map((choice) => choice.value), value + 1]
    }
    return null
  }
}

/** Budgets of one order, spent by its scheduler and by the fates of calls. */
export class Order {
  readonly choices: Choices
  preemptions: number
  faults: number
  /** Set-up goes well. */
  live = false

  constructor(choices: Choices, { preemptions, faults }: Bounds) {
    this.choices = choices
    this.preemptions = preemptions
    this.faults = faults
  }

  fate(): Fate {
    if (!this.live || this.faults === 0) return 'well'
    const fate = FATES[this.choices.pick(FATES.length)] as Fate
    if (fate !== 'well') this.faults--
    return fate
  }
}

/** Runs what is open to its end. @throws Error when it has none. */
export async function runOrder(world: World, order: Order): Promise<void> {
  const { choices } = order
  order.live = true
  let at = choices.pick(world.open.length)
  for (let accesses = 0; world.open.length > 0; accesses++) {
    if (accesses > MAX_ACCESSES) throw new Error('this order does not end')
    const actor = world.open[at]
    if (!actor) at = choices.pick(world.open.length)
    else if (actor.waitsFor === 'load') await world.step(at)
    else at = await visible(world, order, at)
  }
}

/** Before an access that others can notice: go on, let another one go first, or die. @returns who is next. */
async function visible(world: World, order: Order, at: number): Promise<number> {
  const others = order.preemptions > 0 ? world.open.length - 1 : 0
  const choice = order.choices.pick(1 + others + (order.faults > 0 ? 1 : 0))
  if (choice > others) {
    order.faults--
    world.crash(at)
    return order.choices.pick(world.open.length)
  }
  if (choice > 0) {
    order.preemptions--
    const other = (at + choice) % world.open.length
    // It is interrupted where it would have gone on: the other one's first access is made at once.
    await world.step(other)
    return other
  }
  const before = world.open.length
  await world.step(at)
  return world.open.length < before ? -1 : at
}
