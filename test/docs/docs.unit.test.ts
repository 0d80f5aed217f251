// The documents: their generated tables are those of the source, and their links lead somewhere.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { COMMAND, DOCUMENTS, staleDocuments, withTables } from '../../scripts/docs.ts'
import { routesOfTree, TABLES } from '../../scripts/docs-tables.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const NOTES = 'services/decisions'
const notes = readdirSync(join(ROOT, NOTES))
const pages = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  ...notes.map((name) => `${NOTES}/${name}`),
]
const textOf = (page: string) => readFileSync(join(ROOT, page), 'utf8')

describe('the generated tables', () => {
  it(`are those of the source (else run: ${COMMAND})`, async () => {
    expect(await staleDocuments(false)).toEqual([])
  })

  it.each(Object.keys(TABLES))('stand in a document: %s', (name) => {
    expect(DOCUMENTS.some((document) => textOf(document).includes(`<!-- generated: ${name} -->`))).toBe(true)
  })

  it('are made anew between their markers, and nowhere else', async () => {
    const text = 'before\n<!-- generated: topics -->\nold\n<!-- end -->\nafter\n'
    const fresh = await withTables(text)
    expect(fresh).toMatch(/^before\n<!-- generated: topics -->\n\n\| topic [\s\S]*\|\n\n<!-- end -->\nafter\n$/)
    expect(fresh).not.toContain('old')
    expect(await withTables(fresh)).toBe(fresh)
  })

  it('are refused when a marker names none of them, or has no end', async () => {
    await expect(withTables('<!-- generated: weather -->\n<!-- end -->')).rejects.toThrow(
      'no generated table "weather"',
    )
    await expect(withTables('<!-- generated: topics -->\n')).rejects.toThrow('has no end')
  })

  it('read nested routes out of the drawing of the app', () => {
    const tree = '├── /a (GET, HEAD)\n│   ├── /b (POST)\n│   │   └── /c (GET)\n└── /d\n    └── /e (PUT)\n'
    expect(routesOfTree(tree)).toEqual(['GET /a', 'HEAD /a', 'POST /a/b', 'GET /a/b/c', 'PUT /d/e'])
  })
})

describe('the documents', () => {
  it.each(pages)('have no link to a file that is not there: %s', (page) => {
    const links = [...textOf(page).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, link]) => link as string)
    const lost = links.filter((link) => !/^[a-z]+:/.test(link) && !existsSync(join(ROOT, dirname(page), link)))
    expect(lost).toEqual([])
  })

  it('name every script of package.json in the README or in CONTRIBUTING', () => {
    const { scripts } = JSON.parse(textOf('package.json')) as { readonly scripts: Readonly<Record<string, string>> }
    const told = textOf('README.md') + textOf('CONTRIBUTING.md')
    const short = new Set(['start', 'test'])
    const missing = Object.keys(scripts).filter(
      (name) => !told.includes(short.has(name) ? `npm ${name}` : `npm run ${name}`),
    )
    expect(missing).toEqual([])
  })

  it('number the decision notes without a gap', () => {
    expect(notes.map((name) => name.slice(0, 4))).toEqual(notes.map((_, index) => String(index + 1).padStart(4, '0')))
  })

  it.each(notes)('say in a decision note what was decided, what was refused and why: %s', (name) => {
    const lines = textOf(`${NOTES}/${name}`).split('\n')
    expect(lines[0]).toMatch(new RegExp(`^# ${name.slice(0, 4)} .`))
    expect(lines.filter((line) => line.startsWith('## '))).toEqual(['## Decided', '## Refused', '## Why', '## Checked'])
  })
})
