// The lint rules that hold the architecture, each proven to bite by a violation of it.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '..', '..')

const IMPORT = 'eslint(no-restricted-imports)'
const GLOBAL = 'eslint(no-restricted-globals)'

/** Where a line of code would be a violation, and the rule that must say so. */
const VIOLATIONS: ReadonlyArray<readonly [file: string, code: string, rule: string]> = [
  ['services/core/token/node.ts', "import 'node:fs'", IMPORT],
  ['services/core/token/package.ts', "import 'zod'", IMPORT],
  ['services/core/token/outside.ts', "import '../../ports/log.ts'", IMPORT],
  ...[
    'Date.now()',
    'new Date()',
    'setTimeout(String)',
    'setInterval(String)',
    'setImmediate(String)',
    'process.pid',
    'console.log()',
    'crypto.randomUUID()',
    'performance.now()',
    "fetch('')",
    'Buffer.alloc(1)',
    'globalThis.name',
    'queueMicrotask(String)',
  ].map((code, n) => [`services/core/token/global-${n}.ts`, `export const used = ${code}`, GLOBAL] as const),
  ['services/core/token/random.ts', 'export const used = Math.random()', 'eslint(no-restricted-properties)'],
  ['services/ports/outside.ts', "import '../runtime/topics.ts'", IMPORT],
  ['services/ports/node.ts', "import 'node:fs'", IMPORT],
  ['services/protocol/outside.ts', "import '../adapters/memory/store.ts'", IMPORT],
  ['services/protocol/node.ts', "import 'node:timers'", IMPORT],
  ['services/protocol/shared.ts', "export * from '../runtime/topics.ts'", IMPORT],
  ['services/issuer/kafka.ts', "import 'kafkajs'", IMPORT],
  ['services/issuer/redis.ts', "import 'ioredis'", IMPORT],
  ['services/issuer/avro.ts', "import 'avsc/etc/browser/avsc.js'", IMPORT],
  ['services/issuer/dynamic.ts', "export const used = import('kafkajs')", IMPORT],
  ['services/adapters/kafka/redis.ts', "import 'ioredis'", IMPORT],
  ['services/adapters/redis/kafka.ts', "import 'kafkajs'", IMPORT],
  ['services/adapters/avro/kafka.ts', "import 'kafkajs'", IMPORT],
  [
    'services/issuer/floating.ts',
    'export function work(): void { Promise.resolve(1) }',
    'typescript(no-floating-promises)',
  ],
  [
    'services/issuer/misused.ts',
    'setTimeout(async () => { await Promise.resolve() }, 1)',
    'typescript(no-misused-promises)',
  ],
  ['services/issuer/default.ts', 'export default 1', 'import(no-default-export)'],
  [
    'services/issuer/cycle-a.ts',
    "import { b } from './cycle-b.ts'\nexport const a = (): unknown => b",
    'import(no-cycle)',
  ],
  [
    'services/issuer/cycle-b.ts',
    "import { a } from './cycle-a.ts'\nexport const b = (): unknown => a",
    'import(no-cycle)',
  ],
  [
    'services/issuer/switch.ts',
    "export function f(c: 'a' | 'b'): void { switch (c) { case 'a': return } }",
    'typescript(switch-exhaustiveness-check)',
  ],
  ['services/issuer/long.ts', `export const used = [${'\n1,'.repeat(400)}]`, 'eslint(max-lines)'],
  ['services/issuer/camelCase.ts', 'export const used = 1', 'unicorn(filename-case)'],
  [
    'test/issuer/skipped.unit.test.ts',
    "import { it } from 'vitest'\nit.skip('x', () => {})",
    'vitest(no-disabled-tests)',
  ],
  ['test/issuer/only.unit.test.ts', "import { it } from 'vitest'\nit.only('x', () => {})", 'vitest(no-focused-tests)'],
]

/** Imports that the layers allow. */
const ALLOWED: ReadonlyArray<readonly [file: string, code: string]> = [
  ['services/core/purchase/allowed.ts', "import '../token/allowed.ts'"],
  ['services/core/token/allowed.ts', 'export const used = Math.max(1, 2)'],
  ['services/ports/allowed.ts', "import '../core/token/allowed.ts'\nimport './log.ts'"],
  ['services/protocol/allowed.ts', "import '../core/token/allowed.ts'\nimport '../ports/log.ts'\nimport './run.ts'"],
  ['services/adapters/kafka/allowed.ts', "import 'kafkajs'\nimport 'node:net'"],
  ['services/adapters/redis/allowed.ts', "import 'ioredis'"],
  ['services/adapters/avro/allowed.ts', "import 'avsc'"],
]

interface Diagnostic {
  readonly code: string
  readonly filename: string
}

let folder = ''
let found: readonly Diagnostic[] = []

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lint-'))
  for (const name of ['.oxlintrc.json', 'tsconfig.json']) copyFileSync(join(ROOT, name), join(folder, name))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  for (const [file, code] of [...VIOLATIONS, ...ALLOWED]) {
    mkdirSync(join(folder, dirname(file)), { recursive: true })
    writeFileSync(join(folder, file), `${code}\n`)
  }
  const { stdout } = spawnSync(join(ROOT, 'node_modules', '.bin', 'oxlint'), ['--type-aware', '-f', 'json'], {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 16 * 1024 * 1024,
  })
  found = (JSON.parse(stdout) as { diagnostics: Diagnostic[] }).diagnostics
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const codesOf = (file: string): readonly string[] =>
  found.filter(({ filename }) => filename === file).map(({ code }) => code)

describe('lint', () => {
  it.each(VIOLATIONS)('refuses in %s: %s', (file, _, rule) => {
    expect(codesOf(file)).toContain(rule)
  })

  it.each(ALLOWED)('allows in %s: %s', (file) => {
    expect(codesOf(file)).toEqual([])
  })
})
