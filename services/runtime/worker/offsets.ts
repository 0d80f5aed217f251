// Which offsets need no redelivery: the longest run of finished records of each partition, from the front.

import type { Batch } from '../../ports/log.ts'

interface Taken {
  readonly offset: bigint
  readonly done: Batch['done']
  finished: boolean
}

export class Offsets {
  readonly #partitions = new Map<string, Taken[]>()

  /** Records of a partition that are taken up, or finished behind one that is not: what would come again now. */
  open(topic: string, partition: number): number {
    return this.#partitions.get(`${topic}/${partition}`)?.length ?? 0
  }

  /**
   * Take a record up. Call the result when it needs no redelivery.
   * A partition that starts again (it was taken away and came back) forgets what it had.
   */
  take(batch: Batch, offset: bigint): () => void {
    const name = `${batch.topic}/${batch.partition}`
    let queue = this.#partitions.get(name)
    const last = queue?.at(-1)
    if (!queue || (last && last.offset >= offset)) {
      queue = []
      this.#partitions.set(name, queue)
    }
    const taken: Taken = { offset, done: batch.done.bind(batch), finished: false }
    queue.push(taken)
    const own = queue
    return () => {
      taken.finished = true
      advance(own)
    }
  }
}

function advance(queue: Taken[]): void {
  let count = 0
  while (queue[count]?.finished) count++
  const last = queue[count - 1]
  if (!last) return
  queue.splice(0, count)
  last.done(last.offset)
}
