// A Kafka and a Redis of one's own, to be killed and started again on the same port and data. Plain processes where
// those can be had, else containers. For tests of what the service does without them; nobody else may use these servers.
import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startKafka } from '../../scripts/kafka.ts'
import { startRedis, type Appendonly } from '../../scripts/redis.ts'
import type { ServerProcess } from '../../scripts/processes.ts'
import { containersCanRun, startFaultyContainers } from './containers.ts'

/** What a server keeps on its disk. */
export interface FileBytes {
  readonly name: string
  readonly bytes: Buffer
}

export interface FaultyServer {
  /** SIGKILL. Resolves when it is gone. */
  kill(): Promise<void>
  /** Again, on the same port and data. Resolves when it answers. */
  start(): Promise<void>
  /** A copy of its disk as it is now. Once it is killed, the result puts that copy back. */
  keep(): Promise<() => Promise<void>>
  /** Everything on its disk now, its own log included. */
  files(): Promise<readonly FileBytes[]>
}

export interface FaultyServers {
  /** host:port, comma-separated. */
  readonly kafkaBrokers: string
  readonly redisUrl: string
  readonly kafka: FaultyServer
  readonly redis: FaultyServer
  stop(): Promise<void>
}

/** `containers` or `processes` insist on one way; as for the other lanes. */
const CHOICE = 'TEST_SERVERS'
/** A killed process loses nothing that it has written, whatever it has told the disk. */
const APPENDONLY: Appendonly = 'everysec'
/** Offsets and times only, and ten sparse megabytes for each partition. */
const INDEXES = /\.(index|timeindex)$/

/** @throws Error, saying what to install, when neither way can be had. */
export async function startFaultyServers(): Promise<FaultyServers> {
  const choice = process.env[CHOICE]
  const containers = async () => (choice === 'processes' ? `${CHOICE} asks for processes` : containersCanRun())
  try {
    if (choice === 'containers') throw new Error(`${CHOICE} asks for containers`)
    return await startFaultyProcesses()
  } catch (error) {
    const can = await containers()
    if (can === true) return startFaultyContainers()
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(
      `the tests need a Kafka and a Redis of their own. Install Java 17, Maven and redis-server, or start ` +
        `Docker. ${why}; ${can}`,
      { cause: error },
    )
  }
}

async function startFaultyProcesses(): Promise<FaultyServers> {
  const folder = mkdtempSync(join(tmpdir(), 'faulty-'))
  const [kafkaDir, redisDir] = [join(folder, 'kafka'), join(folder, 'redis')]
  try {
    const redis = await startRedis({ dataDir: redisDir, appendonly: APPENDONLY })
    const kafka = await startKafka({ dataDir: kafkaDir })
    const servers = {
      redis: faulty(redis, redisDir, () => startRedis({ dataDir: redisDir, port: redis.port, appendonly: APPENDONLY })),
      kafka: faulty(kafka, kafkaDir, () => startKafka({ dataDir: kafkaDir, port: kafka.port })),
    }
    return {
      ...servers,
      kafkaBrokers: kafka.brokers,
      redisUrl: redis.url,
      stop: async () => {
        await Promise.all([servers.kafka.kill(), servers.redis.kill()])
        rmSync(folder, { recursive: true, force: true })
      },
    }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

function faulty(first: ServerProcess, folder: string, startAgain: () => Promise<ServerProcess>): FaultyServer {
  let running = first
  return {
    kill: async () => void (await running.kill()),
    start: async () => {
      running = await startAgain()
    },
    keep: async () => {
      const copy = mkdtempSync(join(tmpdir(), 'kept-'))
      cpSync(folder, copy, { recursive: true })
      return async () => {
        rmSync(folder, { recursive: true, force: true })
        renameSync(copy, folder)
      }
    },
    files: async () =>
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && !INDEXES.test(entry.name))
        .map((entry) => join(entry.parentPath, entry.name))
        .map((name) => ({ name, bytes: readFileSync(name) })),
  }
}
