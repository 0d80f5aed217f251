// The supervisor with real, tiny child processes: what dies comes back, what is stopped stays away, what never works is
// told.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startProcess, untilReady, type ServerProcess } from '../../scripts/processes.ts'
import { supervise } from '../../scripts/supervisor.ts'

const FOREVER = 'setInterval(() => {}, 1000)'
const WAIT_MS = 5_000

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'supervisor-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const child = async (code: string): Promise<ServerProcess> =>
  startProcess({
    name: 'child',
    command: process.execPath,
    args: ['-e', code],
    log: join(folder, 'child.log'),
    stopWithinMs: 1_000,
  })

async function until(what: () => boolean): Promise<void> {
  const deadline = performance.now() + WAIT_MS
  while (!what()) {
    if (performance.now() > deadline) throw new Error(`not within ${WAIT_MS} ms`)
    await sleep(10)
  }
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('a supervised process', () => {
  it('is reported and started again when it is killed', async () => {
    const lines: string[] = []
    const one = await supervise({
      name: 'child',
      start: () => child(FOREVER),
      report: (line) => lines.push(line),
      onGiveUp: () => {},
    })
    const first = one.pid()
    process.kill(first, 'SIGKILL')
    await until(() => one.pid() !== first)
    expect(lines[0]).toBe(`child (pid ${first}) ended by itself: signal SIGKILL`)
    expect(isAlive(one.pid())).toBe(true)
    await one.stop()
    expect(isAlive(one.pid())).toBe(false)
  })

  it('stays away when it is stopped while it is being started again', async () => {
    const started: ServerProcess[] = []
    const start = async (): Promise<ServerProcess> => {
      const process = await child(FOREVER)
      started.push(process)
      if (started.length > 1) await sleep(300)
      return process
    }
    const one = await supervise({ name: 'child', start, report: () => {}, onGiveUp: () => {} })
    process.kill(one.pid(), 'SIGKILL')
    await until(() => started.length === 2)
    await one.stop()
    expect(started.map(({ pid }) => isAlive(pid))).toEqual([false, false])
  })

  it('is given up, once, when it does not come back', { timeout: 60_000 }, async () => {
    const gaveUp: string[] = []
    let starts = 0
    const start = async (): Promise<ServerProcess> => {
      if (starts++ > 0) throw new Error('no')
      return child('process.exit(7)')
    }
    await supervise({ name: 'child', start, report: () => {}, onGiveUp: (name) => gaveUp.push(name), backoffMs: 1 })
    await until(() => gaveUp.length > 0)
    expect({ gaveUp, starts }).toEqual({ gaveUp: ['child'], starts: 11 })
  })
})

describe('a process that is started', () => {
  it('shows the end of its log when it ends before it is ready', async () => {
    const process = await child('console.log("cannot bind"); process.exit(3)')
    await expect(untilReady(process, join(folder, 'child.log'), WAIT_MS, async () => false)).rejects.toThrow(
      /ended while starting \(exit code 3\).*cannot bind/s,
    )
  })

  it('is gone when it was not ready in time', async () => {
    const process = await child(FOREVER)
    await expect(untilReady(process, join(folder, 'child.log'), 200, async () => false)).rejects.toThrow(
      'did not answer within 200 ms',
    )
    expect(isAlive(process.pid)).toBe(false)
  })

  it('is killed when it does not heed the order to stop', async () => {
    const process = await child('process.on("SIGTERM", () => {}); console.log("on"); setInterval(() => {}, 1000)')
    await sleep(300)
    expect(await process.stop()).toEqual({ code: null, signal: 'SIGKILL' })
  })
})
