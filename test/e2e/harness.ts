// The service as its users have it: real Kafka and Redis, every service a process of its own, calls over HTTP. Tests see
// only what comes out: answers, records on the topics, keys of Redis, log files, exit codes.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent } from 'undici'
import { createAvroWire } from '../../services/adapters/avro/wire.ts'
import { createKafkaLog } from '../../services/adapters/kafka/log.ts'
import { createTopics } from '../../services/adapters/kafka/topics.ts'
import type { Log, StoredRecord } from '../../services/ports/log.ts'
import { TOPICS } from '../../services/runtime/topics.ts'
import { startProcess, untilReady, type Exit, type ServerProcess } from '../../scripts/processes.ts'
import { freePort, LOOPBACK } from '../../scripts/ports.ts'
import { startFaultyServers, type FaultyServers } from '../servers/faulty.ts'
import { call, type Answer, type CallOptions } from './http.ts'

export const ROOT = join(import.meta.dirname, '..', '..')
export const DEMO_SET = join(ROOT, 'services', 'demo', 'demo-set.json')
const READY_WITHIN_MS = 60_000
const STOP_WITHIN_MS = 12_000
const RUN_WITHIN_MS = 60_000
const MAX_SOCKETS = 512

export const wire = createAvroWire()
const silent = { info: () => {}, warn: () => {}, error: () => {} }

export type ServiceName = 'ingress' | 'issuer' | 'authorizer'

export interface StackOptions {
  /** How many of each service; one by default. */
  readonly instances?: Partial<Readonly<Record<ServiceName, number>>>
  /** Beside what every service gets. */
  readonly env?: Readonly<Record<string, string>>
}

/** A process of a service, which may be killed and started again. */
export class Service {
  readonly name: string
  readonly url: string
  readonly logFile: string
  readonly #start: () => Promise<ServerProcess>
  #process: ServerProcess

  constructor(name: string, url: string, logFile: string, start: () => Promise<ServerProcess>, process: ServerProcess) {
    this.name = name
    this.url = url
    this.logFile = logFile
    this.#start = start
    this.#process = process
  }

  get pid(): number {
    return this.#process.pid
  }

  /** kill -9. */
  async kill(): Promise<void> {
    await this.#process.kill()
  }

  /** SIGTERM. How it ended, and after how many milliseconds. */
  async terminate(): Promise<Exit & { readonly ms: number }> {
    const begin = performance.now()
    return { ...(await this.#process.stop()), ms: performance.now() - begin }
  }

  /** Resolves when it is ready. */
  async start(): Promise<void> {
    this.#process = await this.#start()
  }
}

/** What a command that ran to its end left. */
export interface Finished extends Exit {
  readonly output: string
}

export class Stack {
  readonly servers: FaultyServers
  readonly log: Log
  readonly services: ReadonlyMap<string, Service>
  readonly env: NodeJS.ProcessEnv
  readonly #folder: string
  readonly #agent = new Agent({ connections: MAX_SOCKETS, pipelining: 1 })

  private constructor(
    servers: FaultyServers,
    log: Log,
    services: Map<string, Service>,
    env: NodeJS.ProcessEnv,
    folder: string,
  ) {
    this.servers = servers
    this.log = log
    this.services = services
    this.env = env
    this.#folder = folder
  }

  /** Resolves when all services are ready and the demo set is loaded. */
  static async start({ instances = {}, env: more = {} }: StackOptions = {}): Promise<Stack> {
    const servers = await startFaultyServers()
    const folder = mkdtempSync(join(tmpdir(), 'stack-'))
    const brokers = servers.kafkaBrokers.split(',')
    const env = serviceEnv({
      KAFKA_BROKERS: servers.kafkaBrokers,
      REDIS_URL: servers.redisUrl,
      APPS_FILE: DEMO_SET,
      ...more,
    })
    await createTopics({ brokers, clientId: 'e2e-topics', logger: silent }, TOPICS, { replicationFactor: 1 })
    const log = await createKafkaLog({ brokers, clientId: 'e2e', logger: silent })
    const services = new Map<string, Service>()
    const stack = new Stack(servers, log, services, env, folder)
    const names = (['issuer', 'authorizer', 'ingress'] as const).flatMap((kind) =>
      Array.from({ length: instances[kind] ?? 1 }, (_, n) => ({ kind, name: `${kind}-${n + 1}`, n })),
    )
    try {
      // Each ingress has a partition of the replies of its own, as it would have in production.
      const started = await Promise.all(
        names.map(({ kind, name, n }) =>
          startService(
            kind,
            name,
            kind === 'ingress' ? { ...env, REPLY_PARTITION: String(n) } : env,
            join(folder, `${name}.log`),
          ),
        ),
      )
      for (const service of started) services.set(service.name, service)
      const demo = await stack.run('services/cli/accounts.ts', ['demo'])
      if (demo.code !== 0) throw new Error(`the demo set was not loaded: ${demo.output}`)
      return stack
    } catch (error) {
      await stack.stop()
      throw error
    }
  }

  service(name: string): Service {
    const found = this.services.get(name)
    if (!found) throw new Error(`no service ${name}`)
    return found
  }

  /** Base addresses of the ingress instances. */
  get doors(): readonly string[] {
    return [...this.services.values()].filter(({ name }) => name.startsWith('ingress')).map(({ url }) => url)
  }

  /** POST /financial. Throws when there is no answer at all. */
  async post(body: object | string, options: CallOptions & { readonly door?: number } = {}): Promise<Answer> {
    return call(this.#agent, this.#door(options.door), 'POST', '/financial', { ...options, body })
  }

  async get(path: string, options: CallOptions & { readonly door?: number } = {}): Promise<Answer> {
    return call(this.#agent, this.#door(options.door), 'GET', path, options)
  }

  /** Any method, path and base address. */
  async call(base: string, method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    return call(this.#agent, base, method, path, options)
  }

  /** GET /financial/{consecutive}: status and the `state` of the body. */
  async inquire(consecutive: string, transactionCode = 'TOKEN_PURCHASE', acquirerId = 'A1'): Promise<Answer> {
    return this.get(`/financial/${consecutive}?acquirerId=${acquirerId}&transactionCode=${transactionCode}`)
  }

  /** Every record that is on a topic now. */
  async records(topic: string): Promise<StoredRecord[]> {
    const partitions = await this.log.partitions(topic)
    return (await Promise.all(Array.from({ length: partitions }, (_, n) => recordsOf(this.log, topic, n)))).flat()
  }

  /** Run a script of the service to its end, or until `withinMs`. Standard output and error together. */
  async run(script: string, args: readonly string[], env: NodeJS.ProcessEnv = this.env): Promise<Finished> {
    return runScript(script, args, env)
  }

  /** A file of this stack's own folder. */
  write(name: string, content: string): string {
    const path = join(this.#folder, name)
    writeFileSync(path, content)
    return path
  }

  /** What the services have written so far, by file. */
  logFiles(): readonly { readonly name: string; readonly bytes: Buffer }[] {
    return readdirSync(this.#folder)
      .filter((name) => name.endsWith('.log'))
      .map((name) => ({ name, bytes: readFileSync(join(this.#folder, name)) }))
  }

  async stop(): Promise<void> {
    await Promise.all([...this.services.values()].map((service) => service.kill()))
    await this.#agent.destroy()
    await this.log.close()
    await this.servers.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #door(n = 0): string {
    const door = this.doors[n % this.doors.length]
    if (door === undefined) throw new Error('no ingress')
    return door
  }
}

async function recordsOf(log: Log, topic: string, partition: number): Promise<StoredRecord[]> {
  const records: StoredRecord[] = []
  for await (const record of log.read(topic, partition)) records.push(record)
  return records
}

/** What a service gets and nothing of what the tests' own environment may hold. */
export function serviceEnv(more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR, NODE_COMPILE_CACHE } = process.env
  return { PATH, HOME, TMPDIR, NODE_COMPILE_CACHE, ...more }
}

/** Run a script to its end, or throw. Standard output and error together. */
export async function runScript(script: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Finished> {
  const folder = mkdtempSync(join(tmpdir(), 'script-'))
  const log = join(folder, 'output')
  const child = await startProcess({
    name: script,
    command: process.execPath,
    args: [join(ROOT, script), ...args],
    env,
    cwd: folder,
    log,
    stopWithinMs: STOP_WITHIN_MS,
  })
  let late = false
  const timer = setTimeout(() => {
    late = true
    void child.kill()
  }, RUN_WITHIN_MS)
  const exit = await child.exited.finally(() => clearTimeout(timer))
  const output = readFileSync(log, 'utf8')
  rmSync(folder, { recursive: true, force: true })
  if (late) throw new Error(`${script} did not end: ${output}`)
  return { ...exit, output }
}

/**
 * Start a service on a free port and wait until it is ready; `start` of the result does the same again, on that port.
 */
async function startService(
  kind: ServiceName,
  name: string,
  env: NodeJS.ProcessEnv,
  logFile: string,
): Promise<Service> {
  const port = await freePort()
  const url = `http://${LOOPBACK}:${port}`
  const start = async () => {
    const child = await startProcess({
      name,
      command: process.execPath,
      args: [join(ROOT, 'services', kind, 'main.ts')],
      env: { ...env, [kind === 'ingress' ? 'PORT' : 'HEALTH_PORT']: String(port) },
      log: logFile,
      stopWithinMs: STOP_WITHIN_MS,
    })
    await untilReady(child, logFile, READY_WITHIN_MS, () => isReady(url))
    return child
  }
  return new Service(name, url, logFile, start, await start())
}

/** Whether /health/ready says so. */
export async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(3_000) })
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}

/** Waits until it is so, looking every `everyMs`. Throws, naming it, after `withinMs`. */
export async function until(
  what: string,
  withinMs: number,
  holds: () => boolean | Promise<boolean>,
  everyMs = 50,
): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}
