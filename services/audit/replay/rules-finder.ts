// The rules that events name by id. Workers publish them when they start, in whatever partition their id falls, so they
// are looked for ahead of what is being read, a stretch of every partition at a time.

import type { Rules } from '../../core/subject/rules.ts'
import { MalformedRecordError, type Wire } from '../../ports/wire.ts'
import { TOPIC } from '../../runtime/topics.ts'
import type { EventSource } from '../event-source.ts'

/** Offsets of one partition that are looked through before the next one's. */
const STRETCH = 5_000n
const RULES_PUBLISHED = 'rules-published'

interface Place {
  readonly partition: number
  next: bigint
  readonly end: bigint
}

export class RulesFinder {
  readonly #source: EventSource
  readonly #wire: Pick<Wire, 'decodeEvent'>
  readonly #found = new Map<string, Rules>()
  #places: Place[] | null = null

  constructor(source: EventSource, wire: Pick<Wire, 'decodeEvent'>) {
    this.#source = source
    this.#wire = wire
  }

  /** Undefined: no record has them. The log is looked through once at most, and only as far as needed. */
  async find(id: string): Promise<Rules | undefined> {
    const places = (this.#places ??= await this.#begin())
    while (!this.#found.has(id) && places.some(({ next, end }) => next < end)) {
      for (const place of places) if (place.next < place.end && !this.#found.has(id)) await this.#look(place)
    }
    return this.#found.get(id)
  }

  async #begin(): Promise<Place[]> {
    const partitions = await this.#source.partitions(TOPIC.events)
    return Promise.all(
      partitions.map(async (partition) => {
        const { start, end } = await this.#source.extent(TOPIC.events, partition)
        return { partition, next: start, end }
      }),
    )
  }

  async #look(place: Place): Promise<void> {
    const until = place.next + STRETCH < place.end ? place.next + STRETCH : place.end
    for await (const batch of this.#source.read(TOPIC.events, place.partition, place.next, until)) {
      for (const { headers, value } of batch) if (headers['ce_type'] === RULES_PUBLISHED) this.#keep(value)
    }
    place.next = until
  }

  #keep(value: Uint8Array | null): void {
    try {
      const event = this.#wire.decodeEvent(value)
      if (event.type === RULES_PUBLISHED) this.#found.set(event.id, event.rules)
    } catch (error) {
      if (!(error instanceof MalformedRecordError)) throw error
    }
  }
}
