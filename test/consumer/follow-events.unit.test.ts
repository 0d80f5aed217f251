import { afterEach, describe, expect, it } from 'vitest'
import type { MemoryLog } from '../../services/adapters/memory/log.ts'
import {
  followEvents,
  StopConsumingError,
  type EventBatch,
  type FollowEventsOptions,
  type FollowingEvents,
} from '../../services/consumer/index.ts'
import { until } from '../ports/log-probes.ts'
import { generation, memoryLog, wire } from './events.ts'

const FAST = { attempts: 3, firstMs: 1, maxMs: 2 }
const FROM_BEGINNING = [0n, 0n, 0n, 0n]
const running: FollowingEvents[] = []

afterEach(async () => {
  await Promise.all(running.splice(0).map((following) => following.stop()))
})

async function follow(log: MemoryLog, given: Partial<FollowEventsOptions> & Pick<FollowEventsOptions, 'handle'>) {
  const following = await followEvents({ log, wire, from: FROM_BEGINNING, retry: FAST, ...given })
  running.push(following)
  return following
}

describe('a consumer that keeps its own place', () => {
  it('gets each event once and the place behind it, and goes on from there', async () => {
    const log = memoryLog()
    await log.publish([1, 2, 2, 3].map((version) => ({ ...generation('a', version), partition: 2 })))
    const batches: EventBatch[] = []
    const first = await follow(log, { handle: (batch) => void batches.push(batch) })
    await until(() => batches.length > 0)
    await first.stop()
    const seen = batches.flatMap(({ events }) => events.map(({ consecutive }) => consecutive))
    expect(seen).toEqual(['a-1', 'a-2', 'a-3'])
    const next = batches.at(-1)?.next ?? 0n
    expect(next).toBe(4n)
    await log.publish([3, 4].map((version) => ({ ...generation('a', version), partition: 2 })))
    const later: string[] = []
    await follow(log, {
      from: FROM_BEGINNING.with(2, next),
      remembered: ['D.i1.a#3'],
      handle: ({ events }) => void later.push(...events.map(({ consecutive }) => consecutive)),
    })
    await until(() => later.length > 0)
    expect(later).toEqual(['a-4'])
  })

  it('is asked one batch at a time, whichever partitions they are of', async () => {
    const log = memoryLog()
    await log.publish([0, 1, 2, 3].map((partition) => ({ ...generation(`s${partition}`, 1), partition })))
    let [open, most, handled] = [0, 0, 0]
    await follow(log, {
      handle: async () => {
        most = Math.max(most, ++open)
        await new Promise((resolve) => setTimeout(resolve, 3))
        open--
        handled++
      },
    })
    await until(() => handled === 4)
    expect(most).toBe(1)
  })

  it('gets a batch again that it did not keep, and ends when the attempts are used up', async () => {
    const log = memoryLog()
    await log.publish([generation('a', 1)])
    const attempts: number[] = []
    const following = await follow(log, {
      onFailure: (_reason, attempt) => attempts.push(attempt),
      handle: () => {
        throw Object.assign(new Error('no space at /some/where'), { code: 'ENOSPC' })
      },
    })
    await expect(following.failed).rejects.toThrow('gave up: ENOSPC')
    expect(attempts).toEqual([1, 2, 3])
  })

  it('ends at once when it says so', async () => {
    const log = memoryLog()
    await log.publish([generation('a', 1)])
    let calls = 0
    const following = await follow(log, {
      handle: () => {
        calls++
        throw new StopConsumingError('not mine')
      },
    })
    await expect(following.failed).rejects.toThrow('not mine')
    expect(calls).toBe(1)
  })
})
