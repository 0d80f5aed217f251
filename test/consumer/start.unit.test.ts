import { describe, expect, it } from 'vitest'
import { parseStart, startOffsets } from '../../services/consumer/start.ts'
import { TOPIC } from '../../services/runtime/topics.ts'
import { generation, memoryLog } from './events.ts'

const NOW = Date.UTC(2026, 0, 31, 12)

describe('where a consumer begins', () => {
  it('is read as people write it', () => {
    expect(parseStart('beginning', NOW)).toBe('beginning')
    expect(parseStart('end', NOW)).toBe('end')
    expect(parseStart('2026-01-31', NOW)).toEqual({ time: Date.UTC(2026, 0, 31) })
    expect(parseStart('2026-01-31T08:00:00-05:00', NOW)).toEqual({ time: Date.UTC(2026, 0, 31, 13) })
    expect(parseStart('90s', NOW)).toEqual({ time: NOW - 90_000 })
    expect(parseStart('7d', NOW)).toEqual({ time: NOW - 7 * 86_400_000 })
    expect(parseStart('0:12,3:9', NOW)).toEqual({
      offsets: new Map([
        [0, 12n],
        [3, 9n],
      ]),
    })
  })

  it('is refused when it could mean two things', () => {
    for (const text of ['', 'now', '12', '2026-01-31T08:00', '2026-13-01', '0:', '1h30m', '-1h'])
      expect({ text, start: parseStart(text, NOW) }).toEqual({ text, start: null })
  })

  it('becomes an offset of each partition', async () => {
    const log = memoryLog()
    await log.publish([{ ...generation('a', 1), partition: 2 }])
    expect(await startOffsets(log, TOPIC.events, 'beginning')).toEqual([0n, 0n, 0n, 0n])
    expect(await startOffsets(log, TOPIC.events, 'end')).toEqual([0n, 0n, 1n, 0n])
    expect(await startOffsets(log, TOPIC.events, { time: 0 })).toEqual([0n, 0n, 0n, 0n])
    expect(await startOffsets(log, TOPIC.events, { time: Date.now() + 1_000 })).toEqual([0n, 0n, 1n, 0n])
    expect(await startOffsets(log, TOPIC.events, { offsets: new Map([[2, 1n]]) })).toEqual([0n, 0n, 1n, 0n])
  })
})
