// The launcher of every npm script: arguments, exit code and signals reach and leave the entry unchanged.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '..', '..')
let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'run-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Ended {
  readonly code: number | null
  readonly out: string
}

async function launch(
  code: string,
  args: readonly string[],
  onLine?: (pid: number) => void,
  npm = false,
): Promise<Ended> {
  const entry = join(folder, `${Math.random().toString(36).slice(2)}.ts`)
  writeFileSync(entry, code)
  const env: NodeJS.ProcessEnv = { ...process.env }
  delete env['npm_lifecycle_event']
  const command = [process.execPath, join(ROOT, 'scripts', 'run.mjs'), relative(ROOT, entry), ...args]
  // As npm does it: a shell that stays in between, and dies of a signal without passing it on.
  const child = npm
    ? spawn('sh', ['-c', `${command.join(' ')}; true`], { env: { ...env, npm_lifecycle_event: 'x' } })
    : spawn(command[0] as string, command.slice(1), { env })
  let out = ''
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString()
    if (out.includes('\n')) onLine?.(child.pid as number)
    onLine = out.includes('\n') ? undefined : onLine
  })
  // Its streams close when the entry has ended, even if the shell in between is long gone.
  return new Promise((resolve) => child.on('close', (status) => resolve({ code: status, out })))
}

const SLEEPER = `process.on('SIGTERM', () => { console.log('told to end'); process.exit(5) })
console.log('up')
setInterval(() => {}, 1000)`

describe('run.mjs', () => {
  it('runs TypeScript with Node 24 and hands arguments and exit code through', async () => {
    const code = `const major: number = Number(process.versions.node.split('.')[0])
console.log(major >= 24, JSON.stringify(process.argv.slice(2)))
process.exitCode = 3`
    expect(await launch(code, ['--one', 'two'])).toEqual({ code: 3, out: 'true ["--one","two"]\n' })
  })

  it('hands SIGTERM to the entry and waits for its end', async () => {
    expect(await launch(SLEEPER, [], (pid) => process.kill(pid, 'SIGTERM'))).toEqual({
      code: 5,
      out: 'up\ntold to end\n',
    })
  })

  it("ends the entry when npm's shell is gone", async () => {
    expect((await launch(SLEEPER, [], (pid) => process.kill(pid, 'SIGKILL'), true)).out).toBe('up\ntold to end\n')
  })
})
