// Where two values first differ: absent and undefined are the same, the order of fields does not count.

export interface Difference {
  /** Dotted path, such as `facts[0].amountMinor`. */
  readonly field: string
  readonly recorded: unknown
  readonly again: unknown
}

/** Null when they are equal. Fields are looked at in the order of the recorded value, then those it lacks. */
export function firstDifference(recorded: unknown, again: unknown, path = ''): Difference | null {
  if (Object.is(recorded, again)) return null
  if (!isObject(recorded) || !isObject(again) || Array.isArray(recorded) !== Array.isArray(again))
    return { field: path, recorded, again }
  const isList = Array.isArray(recorded)
  for (const key of new Set([...Object.keys(recorded), ...Object.keys(again)])) {
    const inner = isList ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`
    const found = firstDifference(recorded[key], again[key], inner)
    if (found) return found
  }
  return null
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
