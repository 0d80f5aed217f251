// A timeline as text.

import { headline, labelled } from './lines.ts'
import type { Entry } from './timeline.ts'

const LABEL_WIDTH = 12

export function timelineText(title: string, notes: readonly string[], entries: readonly Entry[]): string {
  return [title, ...notes, ...entries.map(entryText)].join('\n')
}

function entryText(entry: Entry): string {
  const { when, what, how } = headline(entry)
  const rest = labelled(entry).flatMap(({ label, lines }) =>
    lines.map((line, i) => `  ${(i === 0 ? label : '').padEnd(LABEL_WIDTH)}${line}`),
  )
  return ['', `${when}  ${what}  ${how}`, ...rest].join('\n')
}
