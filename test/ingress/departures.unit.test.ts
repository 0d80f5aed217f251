// Requests leave together only while many calls wait, never late, always in order.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createDepartures, type Departures } from '../../services/ingress/departures.ts'

const MANY = 100

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** Departures whose answers have typically taken so long. */
function departuresAfter(answerMs: number, waiting = MANY): Departures {
  const departures = createDepartures(() => waiting)
  for (let i = 0; i < 500; i++) departures.answered(answerMs)
  return departures
}

/** Joins one call a millisecond. @returns when each left, milliseconds after the first joined, in order. */
function leftAt(departures: Departures, calls: number): readonly (readonly [call: number, ms: number])[] {
  const left: [number, number][] = []
  const started = performance.now()
  for (let call = 0; call < calls; call++) {
    departures.join(() => left.push([call, Math.round(performance.now() - started)]))
    vi.advanceTimersByTime(1)
  }
  vi.advanceTimersByTime(1_000)
  return left
}

describe('departures', () => {
  it('let those that come within a fifth of an answer leave together, then within half of one, in order', () => {
    const left = leftAt(departuresAfter(40), 45)
    expect(left.map(([call]) => call)).toEqual(Array.from({ length: 45 }, (_, call) => call))
    const times = [...new Set(left.map(([, ms]) => ms))]
    expect(times).toHaveLength(3)
    const [first = 0, second = 0, third = 0] = times
    expect(first).toBeGreaterThanOrEqual(7)
    expect(first).toBeLessThanOrEqual(9)
    for (const gap of [second - first, third - second]) {
      expect(gap).toBeGreaterThanOrEqual(18)
      expect(gap).toBeLessThanOrEqual(22)
    }
  })

  it('let those that gather leave as soon as they are some more than those that are out', () => {
    const left = leftAt(departuresAfter(90, 20), 36)
    expect(left.map(([call]) => call)).toEqual(Array.from({ length: 36 }, (_, call) => call))
    expect([...new Set(left.map(([, ms]) => ms))]).toEqual([11, 23, 35])
    expect(left.filter(([, ms]) => ms === 11)).toHaveLength(12)
  })

  it('let those that gather leave before answers are given, when no more calls stay out than they are', () => {
    const departures = departuresAfter(90, 30)
    const left: number[] = []
    expect(departures.answering(30)).toBe(false)
    for (let call = 0; call < 10; call++) departures.join(() => left.push(call))
    expect(departures.answering(9)).toBe(false)
    expect(left).toEqual([])
    expect(departures.answering(10)).toBe(true)
    expect(left).toEqual(Array.from({ length: 10 }, (_, call) => call))
    expect(departures.answering(30)).toBe(false)
    vi.advanceTimersByTime(100)
    expect(left).toHaveLength(10)
  })

  it.each([1, 11])('keep nobody while %i calls wait', (waiting) => {
    const left = leftAt(departuresAfter(60, waiting), 20)
    expect(left).toEqual(Array.from({ length: 20 }, (_, call) => [call, call]))
  })

  it('keep nobody while answers are quick', () => {
    const left = leftAt(departuresAfter(2), 20)
    expect(left).toEqual(Array.from({ length: 20 }, (_, call) => [call, call]))
  })

  it('keep nobody for more than 40 ms, however long answers take', () => {
    const left = leftAt(departuresAfter(15_000), 100)
    for (const [call, ms] of left) expect(ms - call).toBeLessThanOrEqual(41)
    expect(new Set(left.map(([, ms]) => ms)).size).toBe(4)
  })

  it('follow what is typical, not the few answers that take seconds', () => {
    const departures = departuresAfter(30)
    for (let i = 0; i < 1_000; i++) departures.answered(i % 10 === 0 ? 5_000 : 30)
    const [first = 0, second = 0] = [...new Set(leftAt(departures, 40).map(([, ms]) => ms))]
    expect(second - first).toBeGreaterThanOrEqual(12)
    expect(second - first).toBeLessThanOrEqual(18)
  })

  it('keep a call that comes alone after a pause for a fifth of an answer', () => {
    const departures = departuresAfter(60)
    leftAt(departures, 5)
    const [[, ms]] = leftAt(departures, 1) as [[number, number]]
    expect(ms).toBeGreaterThanOrEqual(11)
    expect(ms).toBeLessThanOrEqual(13)
  })
})
