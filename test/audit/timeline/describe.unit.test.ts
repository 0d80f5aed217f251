import { expect, it } from 'vitest'
import { changesBetween } from '../../../services/audit/timeline/describe.ts'
import { emptySlot } from '../../../services/core/subject/state.ts'

it('counts live tokens that are not over by then, and shows nothing of those that only ran out', () => {
  const over = { hash: 't.over', expiresAt: 1_000 }
  const fresh = { hash: 't.fresh', expiresAt: 9_000 }
  const before = { ...emptySlot('D.x'), live: [over] }
  expect(changesBetween(before, { ...before, live: [fresh] }, 1_000)).toEqual([
    { entry: 'live', what: 'live tokens', before: '0', after: '1' },
  ])
  expect(changesBetween(before, { ...before, live: [over, fresh] }, 999)).toEqual([
    { entry: 'live', what: 'live tokens', before: '1', after: '2' },
  ])
  expect(changesBetween(before, emptySlot('D.x'), 1_000)).toEqual([])
})
