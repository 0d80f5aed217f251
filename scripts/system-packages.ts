// Makes sure that a program the servers need is on this machine: installs its Debian package where that is allowed
// (root, or sudo without a password), and otherwise says what to install. Must not start or keep services of its own.
import { execFile, execFileSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const APT_TIMEOUT_MS = 300_000
const APT_LOCK_SECONDS = 120
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024

/** The full path of a program on the PATH, or undefined. */
export function findProgram(name: string): string | undefined {
  for (const dir of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(dir, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // not here: the next folder
    }
  }
  return undefined
}

/**
 * The path of `program`, after installing `debianPackage` if it is missing. Throws with what to install when this
 * machine is no Debian, we may not install, or the installation fails.
 */
export async function requireProgram(program: string, debianPackage: string): Promise<string> {
  const found = findProgram(program)
  if (found) return found
  const hint = `${program} is needed and not on the PATH: install it (Debian and Ubuntu: apt-get install ${debianPackage})`
  const prefix = asRoot()
  if (!findProgram('apt-get') || !prefix) throw new Error(hint)
  console.log(`${program} is missing: installing the Debian package ${debianPackage}`)
  try {
    await aptInstall(prefix, debianPackage)
  } catch (error) {
    throw new Error(`${hint}; installing it here failed`, { cause: error })
  }
  const installed = findProgram(program)
  if (!installed) throw new Error(hint)
  return installed
}

/** What to put before a command that needs root; undefined when root cannot be had without asking. */
function asRoot(): readonly string[] | undefined {
  if (process.getuid?.() === 0) return []
  try {
    execFileSync('sudo', ['-n', 'true'], { stdio: 'ignore' })
    return ['sudo', '-n']
  } catch {
    return undefined
  }
}

async function aptInstall(prefix: readonly string[], name: string): Promise<void> {
  const root = async (...command: string[]): Promise<void> => {
    const [file, ...args] = [...prefix, ...command] as [string, ...string[]]
    await run(file, args, { timeout: APT_TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES })
  }
  const lock = `-oDPkg::Lock::Timeout=${APT_LOCK_SECONDS}`
  await root('apt-get', 'update', '-qq', lock)
  // RUNLEVEL=1 tells the package's scripts not to start a service; the servers here are processes of our own.
  await root(
    'env',
    'RUNLEVEL=1',
    'DEBIAN_FRONTEND=noninteractive',
    'apt-get',
    'install',
    '-y',
    '-qq',
    '--no-install-recommends',
    lock,
    name,
  )
  if (existsSync('/run/systemd/system') && existsSync(`/lib/systemd/system/${name}.service`)) {
    await root('systemctl', 'disable', '--now', name)
  }
}
