// Starts a server as a plain child process and ends it again: orderly, hard, or frozen for a while.
// Must not know what kind of server it is; readiness is a probe given by the caller.
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const PROBE_EVERY_MS = 50
/** How much of its log a server that failed to start shows, in lines. */
const LOG_TAIL_LINES = 25

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface ServerProcess {
  readonly name: string
  readonly pid: number
  readonly exited: Promise<Exit>
  /** SIGTERM, then SIGKILL once `stopWithinMs` have passed. Resolves when the process is gone. */
  stop(): Promise<Exit>
  /** SIGKILL: what a power cut does to a process. Resolves when it is gone. */
  kill(): Promise<Exit>
  /** SIGSTOP: alive to the kernel, silent to its clients. */
  suspend(): void
  resume(): void
}

export interface ProcessOptions {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  /** File that gets stdout and stderr, or 'inherit'. */
  readonly log: string
  readonly stopWithinMs: number
}

const running = new Set<number>()
process.on('exit', () => {
  for (const pid of running) signal(pid, 'SIGKILL')
})

/**
 * Starts the process in a process group of its own, so that Ctrl-C in a terminal reaches only the parent, which then
 * stops its children in its own order. Throws when the command cannot be started at all.
 */
export async function startProcess(options: ProcessOptions): Promise<ServerProcess> {
  const inherit = options.log === 'inherit'
  if (!inherit) mkdirSync(dirname(options.log), { recursive: true })
  const out = inherit ? ('inherit' as const) : openSync(options.log, 'a')
  const child = spawn(options.command, [...options.args], {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ['ignore', out, out],
    detached: true,
  })
  if (typeof out === 'number') closeSync(out)
  const exited = new Promise<Exit>((resolve) => child.once('exit', (code, sig) => resolve({ code, signal: sig })))
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (error) =>
      reject(new Error(`${options.name}: cannot start ${options.command}`, { cause: error })),
    )
  })
  const pid = child.pid as number
  running.add(pid)
  void exited.then(() => running.delete(pid))
  return control(options, pid, exited)
}

function control(options: ProcessOptions, pid: number, exited: Promise<Exit>): ServerProcess {
  const send = (name: NodeJS.Signals): void => {
    if (running.has(pid)) signal(pid, name)
  }
  return {
    name: options.name,
    pid,
    exited,
    async stop() {
      send('SIGCONT')
      send('SIGTERM')
      const late = setTimeout(() => send('SIGKILL'), options.stopWithinMs)
      return exited.finally(() => clearTimeout(late))
    },
    async kill() {
      send('SIGKILL')
      return exited
    },
    suspend: () => send('SIGSTOP'),
    resume: () => send('SIGCONT'),
  }
}

/**
 * Waits until `probe` says yes. Throws, with the end of the log, when the process ends first or `withinMs` pass; the
 * process is gone then.
 */
export async function untilReady(
  server: ServerProcess,
  log: string,
  withinMs: number,
  probe: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + withinMs
  let exit: Exit | undefined
  void server.exited.then((e) => {
    exit = e
  })
  while (!(await probe())) {
    if (exit) throw new Error(`${server.name} ended while starting (${describeExit(exit)})${tail(log)}`)
    if (performance.now() > deadline) {
      await server.kill()
      throw new Error(`${server.name} did not answer within ${withinMs} ms${tail(log)}`)
    }
    await sleep(PROBE_EVERY_MS)
  }
}

export function describeExit(exit: Exit): string {
  return exit.signal ? `signal ${exit.signal}` : `exit code ${exit.code}`
}

function tail(log: string): string {
  if (log === 'inherit') return ''
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES)
  return `; the end of ${log}:\n${lines.join('\n')}`
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
