// npm run docs: writes the generated tables between their markers in the documents; with --check it only looks.
// Must not touch a line outside the markers.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ASYNCAPI_FILE, asyncApiText } from './asyncapi.ts'
import { TABLES } from './docs-tables.ts'

const ROOT = join(import.meta.dirname, '..')
/** What to run when a document is stale. */
export const COMMAND = 'npm run docs'

/** The documents with generated tables, from the project's folder. */
export const DOCUMENTS = ['README.md'] as const

/** Files that are generated as a whole. */
const FILES: Readonly<Record<string, () => string>> = { [ASYNCAPI_FILE]: asyncApiText }

/** `<!-- generated: NAME -->`, the table, `<!-- end -->`. */
const SECTION = /(<!-- generated: ([a-z ]+) -->\n)([\s\S]*?)(<!-- end -->)/g
const OPENING = /<!-- generated: /g

/**
 * The text with every table made anew. @throws Error when a marker names no table, or has no end.
 */
export async function withTables(text: string): Promise<string> {
  const made = new Map<string, string>()
  const names = [...text.matchAll(SECTION)].map(([, , name]) => name as string)
  if (names.length !== [...text.matchAll(OPENING)].length)
    throw new Error('a marker of a generated table is malformed or has no end')
  for (const name of names) {
    const make = TABLES[name]
    if (!make) throw new Error(`there is no generated table "${name}": ${Object.keys(TABLES).join(', ')}`)
    made.set(name, await make())
  }
  return text.replaceAll(
    SECTION,
    (_whole, opening: string, name: string, _old: string, end: string) => `${opening}\n${made.get(name)}\n${end}`,
  )
}

/** Those of the documents that would change. With `write` they are changed. */
export async function staleDocuments(write: boolean): Promise<readonly string[]> {
  const stale: string[] = []
  const compare = (name: string, text: string, fresh: string) => {
    if (fresh === text) return
    stale.push(name)
    if (write) writeFileSync(join(ROOT, name), fresh)
  }
  for (const name of DOCUMENTS) {
    const text = readFileSync(join(ROOT, name), 'utf8')
    compare(name, text, await withTables(text))
  }
  for (const [name, make] of Object.entries(FILES)) {
    const path = join(ROOT, name)
    compare(name, existsSync(path) ? readFileSync(path, 'utf8') : '', make())
  }
  return stale
}

const USAGE = `usage: ${COMMAND} -- [--check]
  Writes the generated tables of ${DOCUMENTS.join(', ')}: ${Object.keys(TABLES).join(', ')}.
  Writes ${Object.keys(FILES).join(', ')}.
  --check   change nothing; exit 1 when a document is stale
`

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(USAGE)
    return 0
  }
  const stale = await staleDocuments(!values.check)
  if (stale.length === 0) console.log('docs: all tables are as the source says')
  else if (values.check) console.error(`docs: stale: ${stale.join(', ')}; run ${COMMAND}`)
  else console.log(`docs: written: ${stale.join(', ')}`)
  return values.check && stale.length > 0 ? 1 : 0
}

if (import.meta.main) {
  process.exitCode = await main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error))
    return 1
  })
}
