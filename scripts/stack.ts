// npm run stack: a real Kafka, a real Redis and every service as a process of its own, on this machine, without Docker.
// For trying out and for watching recovery; must not be used as a model for running in production.
import { join } from 'node:path'
import { curlExamples } from '../services/demo/examples.ts'
import { startKafka } from './kafka.ts'
import { describeExit, startProcess, untilReady, type ServerProcess } from './processes.ts'
import { LOOPBACK, requirePort } from './ports.ts'
import { startRedis } from './redis.ts'
import { claimFolder, leaveFolder, readOptions, type StackOptions } from './stack-options.ts'
import { supervise, type Supervised } from './supervisor.ts'

const ROOT = join(import.meta.dirname, '..')
const READY_TIMEOUT_MS = 60_000
const PROBE_TIMEOUT_MS = 1_000
/** A little more than the services give their open calls. */
const STOP_TIMEOUT_MS = 12_000
const ONE_SHOT_TIMEOUT_MS = 120_000
/** A second signal within this time is the same Ctrl-C, delivered twice; a later one means at once. */
const SAME_SIGNAL_MS = 1_000

/** In the order in which they start. */
const SERVICES = ['issuer', 'authorizer', 'notary', 'ingress'] as const
/** One of it, and only where WEBHOOKS_FILE names its subscriptions. */
const WEBHOOKS = 'webhooks'
type ServiceName = (typeof SERVICES)[number] | typeof WEBHOOKS
/**
 * From PORT to the ports where a service's instances begin: callers' doors of the ingress, health and metrics of
 * workers.
 */
const PORT_OFFSET: Readonly<Record<ServiceName, number>> = {
  ingress: 0,
  issuer: 10,
  authorizer: 20,
  notary: 30,
  webhooks: 40,
}

const portOf = (service: ServiceName, n: number, base: number): number => base + PORT_OFFSET[service] + n

const say = (line: string): void => console.log(`stack: ${line}`)

class Stack {
  readonly #options: StackOptions
  readonly #running: Supervised[] = []
  readonly #environment: NodeJS.ProcessEnv
  readonly #ended = Promise.withResolvers<number>()
  #ending = false

  constructor(options: StackOptions) {
    this.#options = options
    this.#environment = {
      ...process.env,
      ENVIRONMENT: 'development',
      KAFKA_BROKERS: `${LOOPBACK}:${options.kafkaPort}`,
      REDIS_URL: `redis://${LOOPBACK}:${options.redisPort}`,
      APPS_FILE: join(ROOT, 'services', 'demo', 'demo-set.json'),
    }
  }

  /** The exit code, once something ended the stack. */
  get ended(): Promise<number> {
    return this.#ended.promise
  }

  /** No further step of a start begins after this. */
  end(code: number): void {
    this.#ending = true
    this.#ended.resolve(code)
  }

  async start(): Promise<void> {
    const { dataDir, kafkaPort, redisPort } = this.#options
    const started = performance.now()
    await this.#keepUp('kafka', () =>
      startKafka({ dataDir: join(dataDir, 'kafka'), port: kafkaPort, log: this.#log('kafka') }),
    )
    await this.#keepUp('redis', () =>
      startRedis({
        dataDir: join(dataDir, 'redis'),
        port: redisPort,
        appendonly: 'everysec',
        log: this.#log('redis'),
      }),
    )
    await this.#once('topics', ['scripts/topics.ts'])
    for (const service of SERVICES) {
      for (let n = 0; n < this.#options.instances; n++) await this.#startService(service, n)
    }
    if (this.#options.webhooks) await this.#startService(WEBHOOKS, 0)
    await this.#once('accounts', ['services/cli/accounts.ts', 'demo'])
    if (!this.#ending) say(`ready after ${((performance.now() - started) / 1000).toFixed(1)} s`)
  }

  /** Callers first, then who serves them: ingress, workers, Redis, Kafka. */
  async stop(): Promise<void> {
    const rank = (name: string): number =>
      ['ingress', 'authorizer', 'issuer', 'notary', 'webhooks', 'redis', 'kafka'].findIndex((kind) =>
        name.startsWith(kind),
      )
    const ranks = [...new Set(this.#running.map((one) => rank(one.name)))].sort((a, b) => a - b)
    for (const same of ranks)
      await Promise.all(this.#running.filter((one) => rank(one.name) === same).map((one) => one.stop()))
  }

  addresses(): string {
    const { port, instances, kafkaPort, redisPort, dataDir } = this.#options
    const lines = this.#running.map((one) => `  ${one.name.padEnd(14)} pid ${one.pid()}`)
    const doors = Array.from({ length: instances }, (_, n) => `  http://${LOOPBACK}:${port + n}`)
    return [
      'ingress:',
      ...doors,
      'processes (kill -9 one of them and see it come back):',
      ...lines,
      `logs: ${join(dataDir, 'logs')}`,
      'look inside:',
      `  kcat -b ${LOOPBACK}:${kafkaPort} -L`,
      `  redis-cli -h ${LOOPBACK} -p ${redisPort} dbsize`,
      'try it:',
      curlExamples(port),
    ].join('\n')
  }

  async #keepUp(name: string, start: () => Promise<ServerProcess>): Promise<void> {
    if (this.#ending) return
    say(`starting ${name}`)
    this.#running.push(
      await supervise({
        name,
        start,
        report: say,
        onGiveUp: (who) => {
          say(`${who} ended too often: giving up`)
          this.end(1)
        },
      }),
    )
  }

  async #startService(service: ServiceName, n: number): Promise<void> {
    const name = `${service}-${n + 1}`
    const port = portOf(service, n, this.#options.port)
    await this.#keepUp(name, async () => {
      const child = await startProcess({
        name,
        command: process.execPath,
        args: [join(ROOT, 'services', service, 'main.ts')],
        env: { ...this.#environment, [service === 'ingress' ? 'PORT' : 'HEALTH_PORT']: String(port) },
        log: this.#log(name),
        stopWithinMs: STOP_TIMEOUT_MS,
      })
      await untilReady(child, this.#log(name), READY_TIMEOUT_MS, async () => isReady(port))
      return child
    })
  }

  async #once(name: string, [script, ...args]: readonly [string, ...string[]]): Promise<void> {
    if (this.#ending) return
    say(`running ${name}`)
    const child = await startProcess({
      name,
      command: process.execPath,
      args: [join(ROOT, script), ...args],
      env: this.#environment,
      log: 'inherit',
      stopWithinMs: STOP_TIMEOUT_MS,
    })
    const late = setTimeout(() => void child.kill(), ONE_SHOT_TIMEOUT_MS)
    const exit = await child.exited.finally(() => clearTimeout(late))
    if (exit.code !== 0) throw new Error(`${name} failed: ${describeExit(exit)}`)
  }

  #log(name: string): string {
    return join(this.#options.dataDir, 'logs', `${name}.log`)
  }
}

async function isReady(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://${LOOPBACK}:${port}/health/ready`, {
      signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
    })
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}

async function main(): Promise<number> {
  const options = readOptions()
  await requirePort(options.kafkaPort, 'Kafka', 'KAFKA_PORT')
  await requirePort(options.redisPort, 'Redis', 'REDIS_PORT')
  for (const service of SERVICES) {
    for (let n = 0; n < options.instances; n++) {
      await requirePort(portOf(service, n, options.port), `${service}-${n + 1}`, 'PORT')
    }
  }
  if (options.webhooks) await requirePort(portOf(WEBHOOKS, 0, options.port), WEBHOOKS, 'PORT')
  claimFolder(options)
  const stack = new Stack(options)
  listenForSignals(stack)
  const code = await Promise.race([stack.start().then(() => undefined), stack.ended]).then(
    (early) => early ?? (console.log(stack.addresses()), stack.ended),
    (error: unknown) => {
      say(error instanceof Error ? error.message : String(error))
      return 1
    },
  )
  say('stopping')
  await stack.stop()
  // After a failure the logs are what one wants to read.
  leaveFolder(options, options.keep || code !== 0)
  say('stopped')
  return code
}

function listenForSignals(stack: Stack): void {
  let first: number | undefined
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      first ??= performance.now()
      // Leaving by exit kills every child that still runs.
      if (performance.now() - first > SAME_SIGNAL_MS) process.exit(130)
      stack.end(0)
    })
  }
}

// By exit, not by running out: it also ends what was just being started.
process.exit(
  await main().catch((error: unknown) => {
    say(error instanceof Error ? error.message : String(error))
    return 1
  }),
)
