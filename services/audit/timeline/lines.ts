// An entry of a timeline as labelled lines: what the text and the page both show.

import { time } from './describe.ts'
import type { Entry } from './timeline.ts'

export interface Labelled {
  readonly label: string
  readonly lines: readonly string[]
}

/** When, what, how it ended and why. */
export function headline({ at, scope, type, responseCode, reason }: Entry): {
  readonly when: string
  readonly what: string
  readonly how: string
} {
  return { when: time(at), what: scope, how: `${responseCode ?? type} ${reason}` }
}

export function labelled(entry: Entry): readonly Labelled[] {
  const { askedBy, asked, checks, seen, changes, slot, version, epoch, hash, previousHash } = entry
  const fields = Object.entries(asked).map(([name, value]) => `${name} ${value}`)
  const all: Labelled[] = [
    {
      label: 'asked by',
      lines: [`client ${askedBy.clientId}, app ${askedBy.appKey}, at ${time(askedBy.requestedAt)}`],
    },
    { label: 'asked for', lines: fields.length === 0 ? [] : [fields.join('; ')] },
    { label: 'checked', lines: checks.map(({ check, result }) => `${MARKS[result]} ${check}`) },
    { label: 'saw', lines: seen },
    { label: 'changed', lines: changesOf(changes) },
    {
      label: 'recorded',
      lines: [
        `${entry.place}, ${slot === undefined ? 'outside the chains' : `${slot} version ${version}`}, epoch ${epoch}`,
        `hash ${hash}${previousHash ? `, after ${previousHash}` : ''}`,
      ],
    },
    { label: 'proof', lines: proofOf(entry) },
  ]
  return all.filter(({ lines }) => lines.length > 0)
}

const MARKS = { passed: '[x]', 'decided here': '[!]', 'not reached': '[ ]' } as const

function changesOf(changes: Entry['changes']): readonly string[] {
  if (changes === null) return ['not known: events of its slot before it are missing, or do not fit']
  return changes.map(({ what, before, after }) => `${what}: ${before} → ${after}`)
}

function proofOf({ coverage }: Entry): readonly string[] {
  if (coverage === undefined) return []
  if (coverage === null) return ['no checkpoint covers it yet']
  const { sequence, keyId, signedAt, leaf, leaves, root, path, proved } = coverage
  const where = `checkpoint ${sequence}, signed ${time(signedAt)} with key ${keyId}, leaf ${leaf + 1} of ${leaves}`
  return proved
    ? [`${where}: proved`, `root ${root}`, `path ${path.length === 0 ? 'none: it is the root' : path.join(' ')}`]
    : [`${where}: NOT as it was signed. Run verify`]
}
