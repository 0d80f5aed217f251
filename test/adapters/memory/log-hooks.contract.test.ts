// What the log in memory does on demand for simulations: fail, stall, lose a process, forget.

import { describe, expect, it } from 'vitest'
import { createMemoryLog, type MemoryLogOptions } from '../../../services/adapters/memory/log.ts'
import {
  LogError,
  LogOverloadedError,
  type Log,
  type LogRecord,
  type StoredRecord,
} from '../../../services/ports/log.ts'

const QUIET_MS = 20

function make(options: Partial<MemoryLogOptions> = {}) {
  return createMemoryLog({ topics: [{ name: 't', partitions: 1, retentionMs: -1, purpose: 'test' }], ...options })
}

describe('the hooks of the log in memory', () => {
  it('fail the next publications before they take effect, or after', async () => {
    const log = make()
    log.failPublishes(2)
    await expect(log.publish([recordOf('0')])).rejects.toBeInstanceOf(LogError)
    await expect(log.publish([recordOf('1')])).rejects.toBeInstanceOf(LogError)
    await log.publish([recordOf('2')])
    log.failPublishes(1, 'after')
    await expect(log.publish([recordOf('3')])).rejects.toBeInstanceOf(LogError)
    expect(await values(log)).toEqual(['2', '3'])
  })

  it('stall everything, and go on where it stood', async () => {
    const log = make({ maxQueuedRecords: 1 })
    const seen: string[] = []
    await log.follow({ topic: 't', partition: 0, from: 'end', onRecords: into(seen) })
    log.pause()
    const published = log.publish([recordOf('0')])
    await expect(log.publish([recordOf('1')])).rejects.toBeInstanceOf(LogOverloadedError)
    await expect(log.ping()).rejects.toBeInstanceOf(LogError)
    await sleep(QUIET_MS)
    expect(seen).toEqual([])
    log.resume()
    await published
    await sleep(QUIET_MS)
    expect(seen).toEqual(['0'])
  })

  it('lose a process: what it queued never comes, others get its partitions, what it says counts no more', async () => {
    const log = make()
    const dying = log.client()
    await log.publish([recordOf('0')])
    let late = () => {}
    await dying.consume('g', ['t'], async (batch) => {
      late = () => batch.done(0n)
    })
    await sleep(QUIET_MS)
    let settled = false
    const mark = () => void (settled = true)
    void dying.publish([recordOf('lost')]).then(mark, mark)
    dying.crash()
    late()
    const seen: string[] = []
    await log.consume('g', ['t'], async ({ records }) => void seen.push(...records.map(text)))
    await sleep(QUIET_MS)
    expect(seen).toEqual(['0'])
    expect(settled).toBe(false)
  })

  it('forget the oldest records by age and by size, and keep the offsets of the rest', async () => {
    let now = 1_000
    const topics = [{ name: 't', partitions: 1, retentionMs: 100, purpose: 'test' }]
    const log = make({ topics, clock: { now: () => now } })
    await log.publish([recordOf('old')])
    now += 101
    await log.publish([recordOf('new')])
    expect(await values(log)).toEqual(['new'])
    expect(await log.end('t', 0)).toBe(2n)

    const small = make({ maxPartitionBytes: 10_000 })
    for (let i = 0; i < 3_000; i++) await small.publish([recordOf(String(i))])
    const kept = (await values(small)).map(Number)
    expect(kept.at(-1)).toBe(2_999)
    expect(kept.length).toBeLessThan(300)
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => 3_000 - kept.length + i))
    expect(await small.end('t', 0)).toBe(3_000n)
  })

  it('keep what was published, whatever becomes of the bytes afterwards', async () => {
    const log = make()
    const value = Buffer.from('before')
    await log.publish([{ ...recordOf(''), value }])
    value.fill('x')
    expect(await values(log)).toEqual(['before'])
  })

  it('give the order of events to whoever schedules them', async () => {
    const tasks: (() => void)[] = []
    const log = make({ schedule: (task) => void tasks.push(task) })
    let acknowledged = false
    const published = log.publish([recordOf('0')]).then(() => void (acknowledged = true))
    await sleep(QUIET_MS)
    expect(acknowledged).toBe(false)
    for (const task of tasks.splice(0)) task()
    await published
  })
})

function recordOf(value: string): LogRecord {
  return { topic: 't', key: 'k', value: Buffer.from(value), headers: {} }
}

function into(values: string[]): (records: readonly StoredRecord[]) => void {
  return (records) => void values.push(...records.map(text))
}

function text({ value }: StoredRecord): string {
  return Buffer.from(value ?? []).toString()
}

async function values(log: Log): Promise<string[]> {
  const collected: string[] = []
  for await (const record of log.read('t', 0)) collected.push(text(record))
  return collected
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
