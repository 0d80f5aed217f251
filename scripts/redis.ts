// A real Redis as a plain child process on loopback: the system's redis-server with the settings the service needs.
// For development and tests, where there is no Docker; must not be used as a model for running in production.
import { mkdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { describeExit, startProcess, untilReady, type ServerProcess } from './processes.ts'
import { freePort, LOOPBACK, requirePort } from './ports.ts'
import { requireProgram } from './system-packages.ts'

const START_TIMEOUT_MS = 20_000
const STOP_TIMEOUT_MS = 10_000
const PROBE_TIMEOUT_MS = 1_000

/** `off` keeps nothing between starts; the others are Redis' appendfsync policies. */
export type Appendonly = 'off' | 'everysec' | 'always'

export interface RedisOptions {
  /** Kept between starts: start again on the same folder and port. */
  readonly dataDir: string
  /** A free one by default. */
  readonly port?: number
  readonly appendonly: Appendonly
  /** File for the server's output, or 'inherit'; `redis.log` in the data folder by default. */
  readonly log?: string
  /** More settings of redis.conf. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface Redis extends ServerProcess {
  readonly url: string
  readonly port: number
}

/**
 * Starts Redis and waits until it answers PING, so until its data is loaded. Throws with the end of its log otherwise.
 */
export async function startRedis(options: RedisOptions): Promise<Redis> {
  const dataDir = resolve(options.dataDir)
  const log = options.log ?? join(dataDir, 'redis.log')
  const port = options.port ?? (await freePort())
  const program = await requireProgram('redis-server', 'redis-server')
  mkdirSync(dataDir, { recursive: true })
  const settings = { ...baseSettings(dataDir, port), ...persistence(options.appendonly), ...options.settings }
  const server = await startProcess({
    name: 'redis',
    command: program,
    args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
    cwd: dataDir,
    log,
    stopWithinMs: STOP_TIMEOUT_MS,
  })
  await untilReady(server, log, START_TIMEOUT_MS, async () => answersPing(port))
  return { ...server, url: `redis://${LOOPBACK}:${port}`, port }
}

function baseSettings(dataDir: string, port: number): Record<string, string> {
  return {
    bind: LOOPBACK,
    port: String(port),
    'protected-mode': 'yes',
    dir: dataDir,
    daemonize: 'no',
    loglevel: 'warning',
    // Live tokens have an expiry by design; any other policy could throw one away.
    'maxmemory-policy': 'noeviction',
    save: '',
    // By default the file is written anew each time that it has doubled, from 64 MB on: under load every few seconds, by a
    // child process that takes as much processor time as Redis.
    'auto-aof-rewrite-min-size': '1gb',
  }
}

function persistence(appendonly: Appendonly): Record<string, string> {
  return appendonly === 'off' ? { appendonly: 'no' } : { appendonly: 'yes', appendfsync: appendonly }
}

async function answersPing(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ port, host: LOOPBACK, timeout: PROBE_TIMEOUT_MS }, () => socket.write('PING\r\n'))
    const finish = (yes: boolean): void => {
      socket.destroy()
      done(yes)
    }
    // While it loads its data Redis answers -LOADING.
    socket.on('data', (chunk) => finish(chunk.toString('latin1').startsWith('+PONG')))
    socket.on('error', () => finish(false))
    socket.on('timeout', () => finish(false))
    socket.on('close', () => finish(false))
  })
}

const USAGE = `usage: node scripts/redis.ts [--port N] [--data DIR] [--appendonly off|everysec|always] [--keep]
  Runs Redis on 127.0.0.1 until it gets SIGINT or SIGTERM.
  --port   16379 by default    --data   .stack/redis by default    --keep   keep what an earlier run left
`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '16379' },
      data: { type: 'string', default: '.stack/redis' },
      appendonly: { type: 'string', default: 'everysec' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return void process.stdout.write(USAGE)
  const appendonly = values.appendonly
  if (appendonly !== 'off' && appendonly !== 'everysec' && appendonly !== 'always') throw new Error(USAGE)
  const port = Number(values.port)
  await requirePort(port, 'Redis', '--port')
  if (!values.keep) rmSync(values.data, { recursive: true, force: true })
  const redis = await startRedis({ dataDir: values.data, port, appendonly, log: 'inherit' })
  console.log(`Redis answers on ${redis.url} (pid ${redis.pid})`)
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => void redis.stop())
  console.log(`Redis ended: ${describeExit(await redis.exited)}`)
}

if (import.meta.main) await main()
