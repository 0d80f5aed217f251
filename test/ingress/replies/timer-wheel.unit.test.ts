// The wheel: on time, never early, and nothing after a cancel.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createTimerWheel } from '../../../services/ingress/replies/timer-wheel.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('a timer wheel', () => {
  it('calls once, never early and at most two ticks late, also beyond one turn', () => {
    const wheel = createTimerWheel()
    const started = performance.now()
    const delays = [0, 1, 49, 50, 51, 999, 15_000, 25_600, 25_650, 60_000]
    const late = new Map<number, number[]>()
    vi.advanceTimersByTime(37)
    for (const delay of delays) {
      wheel.set(delay, () => late.set(delay, [...(late.get(delay) ?? []), performance.now() - started - 37 - delay]))
    }
    vi.advanceTimersByTime(120_000)
    expect([...late.keys()].sort((a, b) => a - b)).toEqual(delays)
    for (const times of late.values()) {
      expect(times).toHaveLength(1)
      expect(times[0]).toBeGreaterThanOrEqual(0)
      expect(times[0]).toBeLessThanOrEqual(100)
    }
    wheel.stop()
  })

  it('forgets what was cancelled, and everything once stopped', () => {
    const wheel = createTimerWheel()
    const called: string[] = []
    wheel.set(100, () => called.push('cancelled')).cancel()
    const kept = wheel.set(100, () => called.push('kept'))
    vi.advanceTimersByTime(1_000)
    kept.cancel()
    wheel.set(100, () => called.push('stopped'))
    wheel.stop()
    vi.advanceTimersByTime(1_000)
    expect(called).toEqual(['kept'])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('keeps the others of a tick when one of them is cancelled, before the tick or by another of it', () => {
    const wheel = createTimerWheel()
    const called: string[] = []
    const [, second] = ['first', 'second', 'third'].map((name) => wheel.set(100, () => called.push(name)))
    second?.cancel()
    second?.cancel()
    wheel.set(100, () => cancelled.cancel())
    const cancelled = wheel.set(100, () => called.push('cancelled'))
    wheel.set(100, () => called.push('last'))
    vi.advanceTimersByTime(1_000)
    expect(called).toEqual(['first', 'third', 'last'])
    wheel.stop()
  })

  it('loses nothing when the process was held up for longer than a turn', () => {
    const wheel = createTimerWheel()
    const called: number[] = []
    for (let delay = 0; delay < 30_000; delay += 500) wheel.set(delay, () => called.push(delay))
    const now = performance.now()
    const frozen = vi.spyOn(performance, 'now').mockReturnValue(now + 3_600_000)
    vi.advanceTimersByTime(50)
    expect(called).toHaveLength(60)
    frozen.mockRestore()
    wheel.stop()
  })
})
