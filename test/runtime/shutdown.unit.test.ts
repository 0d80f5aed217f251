// The end of a process: steps in order and once, a deadline, a second signal, and mistakes that nothing caught.

import { spawn } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { onShutdown, type ShutdownStep } from '../../services/runtime/shutdown.ts'

function ending(steps: readonly ShutdownStep[], deadlineMs?: number) {
  const listeners = new Map<string, (reason: unknown) => void>()
  const exits: number[] = []
  const lines: (readonly [object, string])[] = []
  const write = (fields: object, message: string): void => void lines.push([fields, message])
  const logger = { info: write, warn: write, error: write, fatal: write }
  const process = {
    on: (event: string, listener: (reason: unknown) => void) => void listeners.set(event, listener),
    exit: (code: number) => void exits.push(code),
  }
  const shutdown = onShutdown(steps, { logger, deadlineMs }, process)
  return { shutdown, exits, lines, send: (event: string, reason?: unknown) => listeners.get(event)?.(reason) }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms))

describe('a shutdown', () => {
  it('runs its steps one after another, then exits 0', async () => {
    const done: string[] = []
    const step = (name: string): ShutdownStep => ({
      name,
      async run() {
        done.push(`${name}+`)
        await pause(5)
        done.push(`${name}-`)
      },
    })
    const { shutdown, exits, send } = ending([step('http'), step('worker'), step('log')])
    send('SIGTERM')
    expect(exits).toEqual([])
    await shutdown.begin('again')
    expect(done).toEqual(['http+', 'http-', 'worker+', 'worker-', 'log+', 'log-'])
    expect(exits).toEqual([0])
  })

  it('goes on after a step that fails, and exits 1', async () => {
    const done: string[] = []
    const { shutdown, exits, lines } = ending([
      {
        name: 'bad',
        run: () => {
          throw new Error('x')
        },
      },
      { name: 'good', run: () => void done.push('good') },
    ])
    await shutdown.begin('test')
    expect(done).toEqual(['good'])
    expect(exits).toEqual([1])
    expect(lines.map(([, message]) => message)).toContain('a step of the shutdown failed')
  })

  it('exits 1 at its deadline, and names the step that hangs', async () => {
    const { exits, lines, send } = ending([{ name: 'hangs', run: () => new Promise<void>(() => undefined) }], 20)
    send('SIGINT')
    await pause(60)
    expect(exits).toEqual([1])
    expect(lines.at(-1)).toEqual([{ step: 'hangs' }, 'shutdown took too long'])
  })

  it('exits 1 at once at a second signal', async () => {
    const { exits, send } = ending([{ name: 'slow', run: () => pause(10_000) }])
    send('SIGTERM')
    send('SIGINT')
    expect(exits).toEqual([1])
  })

  it('begun by a part that ended by itself exits with that code', async () => {
    const { shutdown, exits } = ending([])
    await shutdown.begin('consumer ended', 1)
    expect(exits).toEqual([1])
  })

  it('is not awaited when an error was caught by nothing: a line, then exit 1', () => {
    for (const event of ['uncaughtException', 'unhandledRejection']) {
      const { exits, lines, send } = ending([
        {
          name: 'never',
          run: () => {
            throw new Error('not reached')
          },
        },
      ])
      send(event, new Error('canary'))
      expect(exits).toEqual([1])
      expect(lines.at(-1)).toEqual([{ error: new Error('canary'), reason: event }, 'a mistake that nothing caught'])
    }
  })
})

describe('a real process', () => {
  const runtime = new URL('../../services/runtime/', import.meta.url)
  async function run(body: string): Promise<{ code: number | null; out: string; err: string }> {
    const source = `import { onShutdown } from '${new URL('shutdown.ts', runtime).href}'
      import { createLogger } from '${new URL('logging.ts', runtime).href}'
      const logger = createLogger({ service: 'test', level: 'info' })
      const keep = setInterval(() => undefined, 1_000)
      ${body}`
    const args = ['--input-type=module', '--eval', source]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let out = ''
    let err = ''
    child.stdout.on('data', (bytes) => {
      out += String(bytes)
      if (out.includes('"ready"')) child.kill('SIGTERM')
    })
    child.stderr.on('data', (bytes) => void (err += String(bytes)))
    const code = await new Promise<number | null>((resolve) => void child.on('close', resolve))
    return { code, out, err }
  }

  it('ends with 0 after SIGTERM, its steps done and its lines written', async () => {
    const { code, out, err } = await run(`
      onShutdown([{ name: 'a', run: async () => { logger.info({ step: 'a' }, 'stopping') } }], { logger })
      logger.info({}, 'ready')`)
    expect([code, err]).toEqual([0, ''])
    const messages = out
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { message: string }).message)
    expect(messages).toEqual(['ready', 'shutting down', 'stopping', 'shut down'])
  })

  it('ends with 1 after a lost rejection, and prints nothing of its message', async () => {
    const { code, out, err } = await run(`
      onShutdown([], { logger })
      void Promise.reject(new Error('canary 6039591000000018'))`)
    expect(code).toBe(1)
    expect(out).toContain('a mistake that nothing caught')
    expect(out + err).not.toMatch(/canary|000000/)
  })
})
