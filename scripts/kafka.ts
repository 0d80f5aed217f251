// A real Apache Kafka as a plain child process: one node, broker and controller (KRaft), on loopback.
// For development and tests, where there is no Docker; must not be used as a model for running in production.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join, resolve } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { kafkaJars } from './kafka-jars.ts'
import { describeExit, startProcess, untilReady, type ServerProcess } from './processes.ts'
import { freePort, LOOPBACK, requirePort } from './ports.ts'
import { requireProgram } from './system-packages.ts'

const run = promisify(execFile)
const MIN_JAVA = 17
const START_TIMEOUT_MS = 90_000
const STOP_TIMEOUT_MS = 20_000
const FORMAT_TIMEOUT_MS = 60_000
const PROBE_TIMEOUT_MS = 1_000
/** A base64 UUID; any will do, since no other node ever joins. */
const CLUSTER_ID = 'cGF5bWVudC10b2tlbnMtMQ'

export interface KafkaOptions {
  /** Kept between starts: start again on the same folder and port, and every acknowledged record is there. */
  readonly dataDir: string
  /** A free one by default. */
  readonly port?: number
  /** File for the broker's output, or 'inherit'; `kafka.log` in the data folder by default. */
  readonly log?: string
  /** Broker settings beside or instead of the ones here. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface Kafka extends ServerProcess {
  /** host:port, as clients take it. */
  readonly brokers: string
  readonly port: number
}

/** Starts a broker and waits until it knows itself as a live member. Throws with the end of its log otherwise. */
export async function startKafka(options: KafkaOptions): Promise<Kafka> {
  const dataDir = resolve(options.dataDir)
  const log = options.log ?? join(dataDir, 'kafka.log')
  const port = options.port ?? (await freePort())
  const [java, jars] = [await requireJava(), await kafkaJars()]
  mkdirSync(dataDir, { recursive: true })
  const properties = join(dataDir, 'server.properties')
  writeFileSync(properties, serverProperties(dataDir, port, await freePort(), options.settings ?? {}))
  writeFileSync(join(dataDir, 'log4j2.yaml'), LOG4J)
  const jvm = [`-Dlog4j2.configurationFile=${join(dataDir, 'log4j2.yaml')}`, '-cp', join(jars, '*')]
  if (!existsSync(join(dataDir, 'data', 'meta.properties'))) await format(java, jvm, properties)
  const server = await startProcess({
    name: 'kafka',
    command: java,
    args: [...HEAP, ...jvm, 'kafka.Kafka', properties],
    cwd: dataDir,
    log,
    stopWithinMs: STOP_TIMEOUT_MS,
  })
  await untilReady(server, log, START_TIMEOUT_MS, async () => answersMetadata(port))
  return { ...server, brokers: `${LOOPBACK}:${port}`, port }
}

const HEAP = ['-Xms512m', '-Xmx1g', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20', '-Djava.awt.headless=true']

const LOG4J = `Configuration:
  status: ERROR
  Appenders:
    Console:
      name: STDOUT
      PatternLayout:
        pattern: "[%d] %p %m (%c)%n"
  Loggers:
    Root:
      level: WARN
      AppenderRef:
        - ref: STDOUT
`

/** Settings that do not depend on where the broker runs; containers get them as well. */
export const BROKER_SETTINGS: Readonly<Record<string, string>> = {
  'process.roles': 'broker,controller',
  'node.id': '1',
  'controller.listener.names': 'CONTROLLER',
  // Topics are made on purpose, with their partitions and retention: a misspelt name must fail.
  'auto.create.topics.enable': 'false',
  'group.initial.rebalance.delay.ms': '0',
  'group.min.session.timeout.ms': '1000',
  'offsets.topic.num.partitions': '1',
  'offsets.topic.replication.factor': '1',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
  'num.network.threads': '2',
  'num.io.threads': '2',
  // After kill -9 the broker's old session has to run out before it is let in again; the default is 9 s.
  'broker.session.timeout.ms': '3000',
}

function serverProperties(
  dataDir: string,
  port: number,
  controllerPort: number,
  more: Readonly<Record<string, string>>,
): string {
  const settings: Record<string, string> = {
    ...BROKER_SETTINGS,
    'controller.quorum.voters': `1@${LOOPBACK}:${controllerPort}`,
    listeners: `PLAINTEXT://${LOOPBACK}:${port},CONTROLLER://${LOOPBACK}:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://${LOOPBACK}:${port}`,
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': join(dataDir, 'data'),
    ...more,
  }
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

async function format(java: string, jvm: readonly string[], properties: string): Promise<void> {
  await run(
    java,
    ['-XX:TieredStopAtLevel=1', ...jvm, 'kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', properties],
    { timeout: FORMAT_TIMEOUT_MS },
  )
}

async function requireJava(): Promise<string> {
  const home = process.env['JAVA_HOME']
  const java = home ? join(home, 'bin', 'java') : await requireProgram('java', 'openjdk-17-jre-headless')
  const { stderr } = await run(java, ['-version'])
  const version = Number(/version "(\d+)/.exec(stderr)?.[1])
  if (!(version >= MIN_JAVA)) {
    throw new Error(`Kafka needs Java ${MIN_JAVA} or newer, ${java} is another: set JAVA_HOME to one`)
  }
  return java
}

/**
 * Asks for Metadata (version 1, no topics) and says whether the answer lists a broker: an open port alone does not
 * mean that the broker has been let into its cluster. Written out here because no client library may be named here.
 */
async function answersMetadata(port: number): Promise<boolean> {
  const request = Buffer.alloc(18)
  request.writeInt32BE(14, 0) // length of what follows
  request.writeInt16BE(3, 4) // Metadata
  request.writeInt16BE(1, 6) // version
  request.writeInt32BE(1, 8) // correlation id
  request.writeInt16BE(-1, 12) // no client id
  request.writeInt32BE(0, 14) // no topics
  return new Promise((done) => {
    let seen = Buffer.alloc(0)
    const socket = connect({ port, host: LOOPBACK, timeout: PROBE_TIMEOUT_MS }, () => socket.write(request))
    const finish = (yes: boolean): void => {
      socket.destroy()
      done(yes)
    }
    socket.on('data', (chunk) => {
      seen = Buffer.concat([seen, chunk])
      if (seen.length >= 12) finish(seen.readInt32BE(8) > 0)
    })
    socket.on('error', () => finish(false))
    socket.on('timeout', () => finish(false))
    socket.on('close', () => finish(false))
  })
}

const USAGE = `usage: node scripts/kafka.ts [--port N] [--data DIR] [--keep]
  Runs Apache Kafka on 127.0.0.1 until it gets SIGINT or SIGTERM.
  --port   19092 by default    --data   .stack/kafka by default    --keep   keep what an earlier run left
`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '19092' },
      data: { type: 'string', default: '.stack/kafka' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return void process.stdout.write(USAGE)
  const port = Number(values.port)
  await requirePort(port, 'Kafka', '--port')
  if (!values.keep) rmSync(values.data, { recursive: true, force: true })
  const kafka = await startKafka({ dataDir: values.data, port, log: 'inherit' })
  console.log(`Kafka answers on ${kafka.brokers} (pid ${kafka.pid})`)
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => void kafka.stop())
  console.log(`Kafka ended: ${describeExit(await kafka.exited)}`)
}

if (import.meta.main) await main()
