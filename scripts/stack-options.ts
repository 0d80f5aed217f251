// What `npm run stack` is told by its arguments and environment, and the folder it may call its own.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

const ROOT = join(import.meta.dirname, '..')
const MAX_INSTANCES = 8
/** Holds the process id of the stack that uses the folder. */
const PID_FILE = 'pid'

const USAGE = `usage: npm run stack -- [--instances N] [--data DIR] [--keep]
  Starts Kafka, Redis, the topics, issuer, authorizer, notary and ingress, and loads the demo accounts. Ctrl-C stops everything.
  --instances N   of each service, 1 to ${MAX_INSTANCES}; the second ingress listens on PORT+1, and so on
  --data DIR      where Kafka, Redis and the logs live; .stack by default
  --keep          start on what an earlier run left, and leave it at the end
environment: PORT (8080; workers serve health and metrics from PORT+10 and PORT+20), KAFKA_PORT (19092), REDIS_PORT (16379)
  WEBHOOKS_FILE   subscriptions: the webhooks service runs too, with health and metrics at PORT+40
`

export interface StackOptions {
  readonly port: number
  readonly kafkaPort: number
  readonly redisPort: number
  readonly instances: number
  readonly dataDir: string
  readonly keep: boolean
  /** Whether WEBHOOKS_FILE is set. */
  readonly webhooks: boolean
}

/** Prints the usage and exits when asked for it. Throws on a value that cannot be. */
export function readOptions(): StackOptions {
  const { values } = parseArgs({
    options: {
      instances: { type: 'string', default: '1' },
      data: { type: 'string', default: join(ROOT, '.stack') },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(USAGE)
    process.exit(0)
  }
  return {
    port: wholeNumber('PORT', process.env['PORT'] ?? '8080', 65_535),
    kafkaPort: wholeNumber('KAFKA_PORT', process.env['KAFKA_PORT'] ?? '19092', 65_535),
    redisPort: wholeNumber('REDIS_PORT', process.env['REDIS_PORT'] ?? '16379', 65_535),
    instances: wholeNumber('--instances', values.instances, MAX_INSTANCES),
    dataDir: resolve(values.data),
    keep: values.keep,
    webhooks: (process.env['WEBHOOKS_FILE'] ?? '').trim() !== '',
  }
}

function wholeNumber(name: string, text: string, max: number): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < 1 || value > max)
    throw new Error(`${name} must be a whole number from 1 to ${max}`)
  return value
}

/** Releases the folder, and throws away what is in it unless it is to be kept. */
export function leaveFolder(options: StackOptions, keep: boolean): void {
  if (keep) rmSync(join(options.dataDir, PID_FILE), { force: true })
  else rmSync(options.dataDir, { recursive: true, force: true, maxRetries: 3 })
}

/** Refuses a folder that a live stack uses: wiping it would take that stack's data away. */
export function claimFolder(options: StackOptions): void {
  const file = join(options.dataDir, PID_FILE)
  const owner = existsSync(file) ? Number(readFileSync(file, 'utf8')) : undefined
  if (owner && isAlive(owner)) {
    throw new Error(`a stack runs on ${options.dataDir} already (pid ${owner}); end it or give another --data`)
  }
  if (!options.keep) rmSync(options.dataDir, { recursive: true, force: true })
  mkdirSync(options.dataDir, { recursive: true })
  writeFileSync(file, String(process.pid))
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
