// Where the records of a range are not what a checkpoint states, by their marks. Marks tell the place and what kind of
// change it is; that there is one was proved by the root.

import type { FaultKind } from './fault.ts'

export interface Marked {
  readonly offset: bigint
  readonly mark: number
}

export interface Place {
  readonly kind: FaultKind
  readonly offset: bigint
  readonly detail: string
  /** Mark of the record that should be there, if one should. */
  readonly expected?: number
}

/**
 * @param expected marks in the order of the offsets, and then those of what follows, as far as known.
 * @param actual records of the range as found, and then those that follow, as far as known.
 * @param range how many marks and records are of the range itself.
 */
export function localize(
  expected: ArrayLike<number>,
  actual: readonly Marked[],
  range: { readonly first: bigint; readonly next: bigint; readonly marks: number; readonly records: number },
): Place {
  const count = Math.max(range.marks, range.records)
  for (let i = 0; i < count; i++) {
    const want = i < range.marks ? expected[i] : undefined
    const found = i < range.records ? actual[i] : undefined
    if (want !== undefined && want === found?.mark) continue
    return placeOf(i, expected, actual, range)
  }
  const contiguous = BigInt(range.records) === range.next - range.first
  return contiguous
    ? {
        kind: 'changed',
        offset: range.first,
        detail: `one of the records up to offset ${range.next - 1n} is not the one that was signed`,
      }
    : {
        kind: 'moved',
        offset: range.first,
        detail: `records up to offset ${range.next - 1n} have other offsets than were signed`,
      }
}

function placeOf(
  i: number,
  expected: ArrayLike<number>,
  actual: readonly Marked[],
  range: { readonly first: bigint; readonly next: bigint; readonly marks: number; readonly records: number },
): Place {
  const want = i < range.marks ? expected[i] : undefined
  const found = i < range.records ? actual[i] : undefined
  const due = i === 0 ? range.first : (actual[i - 1]?.offset ?? range.first) + 1n
  const offset = found?.offset ?? due
  const foundElsewhere = found !== undefined && Array.from(expected).indexOf(found.mark, i + 1) >= 0
  const at = want === undefined ? -1 : actual.findIndex(({ mark }, j) => j > i && mark === want)
  const other = actual[at]
  if (want === undefined)
    return { kind: 'added', offset, detail: 'a record that was not there when the range was signed' }
  if (other && (foundElsewhere || !found)) {
    return { kind: 'moved', offset, detail: `the record of this place is at offset ${other.offset}`, expected: want }
  }
  if (other)
    return { kind: 'added', offset, detail: 'a record that was not there when the range was signed', expected: want }
  if (foundElsewhere || !found)
    return { kind: 'missing', offset: due, detail: 'the record that was signed is not there', expected: want }
  return { kind: 'changed', offset, detail: 'the record is not the one that was signed', expected: want }
}
