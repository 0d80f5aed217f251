// How often the epochs are looked at, and for whom.
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createMemoryLog, type MemoryLog } from '../../../services/adapters/memory/log.ts'
import { createMemoryStore } from '../../../services/adapters/memory/store.ts'
import { DEFAULT_RULES } from '../../../services/core/subject/rules.ts'
import { Recovery, type Term } from '../../../services/runtime/recovery/recovery.ts'
import { TOPIC, TOPICS } from '../../../services/runtime/topics.ts'
import { wire } from '../worker/harness.ts'

const clock = { now: () => Date.now() }
let log: MemoryLog
let recovery: Recovery
let term: Term
let looks: number

beforeEach(async () => {
  log = createMemoryLog({ topics: TOPICS })
  const store = createMemoryStore({ clock })
  recovery = new Recovery({ log, store, wire, clock, rules: DEFAULT_RULES, owner: 'me', observer: {} })
  recovery.start()
  term = await recovery.open()
  looks = 0
  const end = log.end.bind(log)
  vi.spyOn(log, 'end').mockImplementation(async (topic, partition) => {
    if (topic === TOPIC.epochs) looks++
    return end(topic, partition)
  })
})
afterEach(() => recovery.stop())

async function raiseAnother(): Promise<void> {
  const next = { type: 'epoch-raised' as const, epoch: term.epoch + 1, runId: 'another', now: 1, barriers: [] }
  await log.publish([{ topic: TOPIC.epochs, key: 'x', partition: 0, ...wire.encodeEvent(next) }])
}

it('looks once for all who ask before the look begins', async () => {
  expect(await Promise.all([recovery.confirm(term), recovery.confirm(term), recovery.confirm(term)])).toEqual([
    true,
    true,
    true,
  ])
  expect(looks).toBe(1)
})

it('confirms what nobody waits for by the look of another', async () => {
  const later = [recovery.confirmLater(term), recovery.confirmLater(term)]
  await new Promise((resolve) => setTimeout(resolve, 5))
  expect(looks).toBe(0)
  expect(await recovery.confirm(term)).toBe(true)
  expect(await Promise.all(later)).toEqual([true, true])
  expect(looks).toBe(1)
})

it('confirms it by a look of its own where nobody else looks', async () => {
  expect(await recovery.confirmLater(term)).toBe(true)
  expect(looks).toBe(1)
})

it('confirms nothing by a look that had begun before', async () => {
  const held = Promise.withResolvers<void>()
  const end = log.end.bind(log)
  vi.spyOn(log, 'end').mockImplementationOnce(async (topic, partition) => {
    const seen = await end(topic, partition)
    await held.promise
    return seen
  })
  const first = recovery.confirm(term)
  await vi.waitFor(() => expect(looks).toBe(1))
  const [now, later] = [recovery.confirm(term), recovery.confirmLater(term)]
  await raiseAnother()
  held.resolve()
  expect(await first).toBe(true)
  expect([await now, await later]).toEqual([false, false])
  expect(looks).toBeGreaterThan(1)
})

it('confirms nothing once another epoch began, now or later', async () => {
  const later = recovery.confirmLater(term)
  await raiseAnother()
  expect(await recovery.confirm(term)).toBe(false)
  expect(await later).toBe(false)
})
