// npm run check: types, lint, format and the test lanes that need no server. Meant to stay under a minute.
import { spawn } from 'node:child_process'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')
const BIN = join(ROOT, 'node_modules', '.bin')
const LANES = ['unit', 'contract', 'sim']

interface Step {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
}

const STEPS: readonly Step[] = [
  { name: 'types', command: join(BIN, 'tsc'), args: ['-p', ROOT] },
  { name: 'lint', command: join(BIN, 'oxlint'), args: ['--type-aware', '--deny-warnings'] },
  { name: 'format', command: join(BIN, 'prettier'), args: ['--check', '--log-level', 'warn', ROOT] },
  {
    name: 'tests without servers',
    command: process.execPath,
    args: [join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...LANES.flatMap((lane) => ['--project', lane])],
  },
]

async function runStep(step: Step): Promise<boolean> {
  const started = performance.now()
  const child = spawn(step.command, [...step.args, ...(step === STEPS.at(-1) ? process.argv.slice(2) : [])], {
    cwd: ROOT,
    stdio: 'inherit',
  })
  const ok = await new Promise<boolean>((resolve) => {
    child.once('error', () => resolve(false))
    child.once('exit', (code) => resolve(code === 0))
  })
  console.log(`${step.name}: ${ok ? 'ok' : 'FAILED'} in ${((performance.now() - started) / 1000).toFixed(1)} s`)
  return ok
}

// All steps run even when one fails, so that one run shows everything there is to mend.
const failed: string[] = []
for (const step of STEPS) {
  if (!(await runStep(step))) failed.push(step.name)
}
console.log(failed.length === 0 ? 'check: all ok' : `check: failed: ${failed.join(', ')}`)
process.exitCode = failed.length === 0 ? 0 : 1
