// Which records count, told by the epochs that records and barriers carry.

import { describe, expect, it } from 'vitest'
import { Barriers, EpochHistory, type Fenced } from '../../../services/core/subject/epochs.ts'
import type { EpochEvent } from '../../../services/core/subject/event.ts'

const record = (epoch?: number | string, partition = 0): Fenced => ({
  partition,
  headers: epoch === undefined ? {} : { epoch: String(epoch) },
})
const barrier = (epoch: number, partition = 0) => ({
  partition,
  headers: { epoch: String(epoch), ce_type: 'epoch-raised' },
})
const raised = (epoch: number, runId: string, ...barriers: number[]): EpochEvent => ({
  type: 'epoch-raised',
  epoch,
  runId,
  now: 0,
  barriers,
})

describe('a barrier', () => {
  it('makes void what carries an older epoch and lies behind it, in its own partition only', () => {
    const barriers = new Barriers()
    expect(barriers.judge(record(1))).toBe('valid')
    expect(barriers.judge(barrier(2))).toBe('barrier')
    expect(barriers.judge(record(1))).toBe('void')
    expect(barriers.judge(record(2))).toBe('valid')
    expect(barriers.judge(record(1, 1))).toBe('valid')
  })

  it('of an older epoch changes nothing', () => {
    const barriers = new Barriers()
    barriers.judge(barrier(5))
    expect(barriers.judge(barrier(4))).toBe('barrier')
    expect(barriers.judge(record(4))).toBe('void')
  })

  it('is implied by the first record of its epoch, for who begins to read behind it', () => {
    const barriers = new Barriers()
    barriers.judge(record(3))
    expect(barriers.judge(record(2))).toBe('void')
  })

  it('concerns no record without an epoch, nor one whose epoch is none', () => {
    const barriers = new Barriers(() => 7)
    expect([record(), record('x'), record(0), record('1e99')].map((one) => barriers.judge(one))).toEqual(
      Array(4).fill('valid'),
    )
    expect(barriers.judge(record(6))).toBe('void')
    expect(barriers.judge(record(), 6)).toBe('void')
  })
})

describe('the history of epochs', () => {
  it('gives a number to the first that named it, and only above all before', () => {
    const history = new EpochHistory()
    expect(history.latest).toBeNull()
    history.add(raised(1, 'x'))
    history.add(raised(1, 'y'))
    expect(history.latest).toEqual({ epoch: 1, runId: 'x' })
    history.add(raised(3, 'y'))
    history.add(raised(2, 'x'))
    expect(history.latest).toEqual({ epoch: 3, runId: 'y' })
  })

  it('tells the epoch in force at an offset, once its barriers are up', () => {
    const history = new EpochHistory()
    history.add(raised(1, 'x'))
    expect(history.inForceAt(0, 100n)).toBe(0)
    history.add(raised(1, 'x', 0, 0))
    history.add(raised(2, 'y'))
    history.add(raised(2, 'y', 10, 20))
    history.add(raised(2, 'y', 30, 40))
    expect([0n, 1n, 10n, 11n, 99n].map((offset) => history.inForceAt(0, offset))).toEqual([0, 1, 1, 2, 2])
    expect(history.inForceAt(1, 20n)).toBe(1)
    expect(history.inForceAt(2, 20n)).toBe(0)
  })
})
