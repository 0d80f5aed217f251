// npm run check: types, lint, format and the test lanes that need no server. Meant to stay under a minute.
import { spawn } from 'node:child_process'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')
const BIN = join(ROOT, 'node_modules', '.bin')
/** What did not change since the last run is not looked at again. */
const CACHE = join(ROOT, '.cache', 'check')
const LANES = ['unit', 'contract', 'sim']

interface Step {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
}

const STEPS: readonly Step[] = [
  {
    name: 'types',
    command: join(BIN, 'tsc'),
    args: ['-p', ROOT, '--incremental', '--tsBuildInfoFile', join(CACHE, 'types')],
  },
  { name: 'lint', command: join(BIN, 'oxlint'), args: ['--type-aware', '--deny-warnings'] },
  {
    name: 'format',
    command: join(BIN, 'prettier'),
    args: [
      '--check',
      '--log-level',
      'warn',
      '--cache',
      '--cache-strategy',
      'content',
      '--cache-location',
      join(CACHE, 'format'),
      ROOT,
    ],
  },
  {
    name: 'tests without servers',
    command: process.execPath,
    args: [join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...LANES.flatMap((lane) => ['--project', lane])],
  },
]

/** What a step prints stands together, when it has ended: all run at once. The tests, which take longest, print as they go. */
async function runStep(step: Step): Promise<boolean> {
  const started = performance.now()
  const last = step === STEPS.at(-1)
  const child = spawn(step.command, [...step.args, ...(last ? process.argv.slice(2) : [])], {
    cwd: ROOT,
    stdio: last ? 'inherit' : ['ignore', 'pipe', 'pipe'],
  })
  const printed: Buffer[] = []
  for (const output of [child.stdout, child.stderr]) output?.on('data', (chunk: Buffer) => printed.push(chunk))
  const ok = await new Promise<boolean>((resolve) => {
    child.once('error', () => resolve(false))
    child.once('close', (code) => resolve(code === 0))
  })
  process.stdout.write(Buffer.concat(printed))
  console.log(`${step.name}: ${ok ? 'ok' : 'FAILED'} in ${((performance.now() - started) / 1000).toFixed(1)} s`)
  return ok
}

// All steps run even when one fails, so that one run shows everything there is to mend.
const passed = await Promise.all(STEPS.map(runStep))
const failed = STEPS.filter((_, i) => !passed[i]).map(({ name }) => name)
console.log(failed.length === 0 ? 'check: all ok' : `check: failed: ${failed.join(', ')}`)
process.exitCode = failed.length === 0 ? 0 : 1
