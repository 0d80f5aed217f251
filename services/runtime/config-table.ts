// The table of variables that the docs show, generated from the variables themselves.

import type { Variable, Variables } from './env.ts'

interface Use {
  readonly process: string
  readonly fallback: string
}

interface Row {
  readonly spec: Variable<unknown>
  readonly uses: Use[]
}

/** A Markdown table of all variables of these processes, by the order in which they first come. */
export function configTable(processes: Readonly<Record<string, Variables>>): string {
  const rows = new Map<string, Row>()
  for (const [process, variables] of Object.entries(processes)) {
    for (const [name, spec] of Object.entries(variables)) {
      const row = rows.get(name) ?? { spec, uses: [] }
      row.uses.push({ process, fallback: defaultOf(spec) })
      rows.set(name, row)
    }
  }
  const lines = [...rows].map(([name, { spec, uses }]) => {
    const file = spec.secret ? `, or \`${name}_FILE\`` : ''
    const used = uses.map(({ process }) => process).join(', ')
    return `| \`${name}\`${file} | ${defaults(uses)} | ${used} | ${spec.description.replaceAll('|', '\\|')} |`
  })
  return ['| variable | default | used by | meaning |', '|---|---|---|---|', ...lines].join('\n') + '\n'
}

function defaultOf(spec: Variable<unknown>): string {
  if (spec.fallback !== undefined) return `\`${spec.fallback}\``
  return spec.optional ? 'none' : 'required'
}

/** One default where all processes agree, else each with its process. */
function defaults(uses: readonly Use[]): string {
  const distinct = new Set(uses.map(({ fallback }) => fallback))
  if (distinct.size === 1) return uses[0]?.fallback ?? ''
  return [...distinct]
    .map((fallback) => {
      const processes = uses.filter((use) => use.fallback === fallback).map(({ process }) => process)
      return `${fallback} (${processes.join(', ')})`
    })
    .join(', ')
}
