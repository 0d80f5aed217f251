// Kafka and Redis as containers, by Testcontainers. Must not be needed: plain processes stand in where Docker is
// missing.
import { dirname } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { GenericContainer, getContainerRuntimeClient, ImageName, Wait, type StartedTestContainer } from 'testcontainers'
import { BROKER_SETTINGS } from '../../scripts/kafka.ts'
import { freePort } from '../../scripts/ports.ts'
import { createKafkaLog } from '../../services/adapters/kafka/log.ts'
import { redisAnswers } from './redis-probe.ts'
import type { FaultyServer, FaultyServers } from './faulty.ts'
import type { Servers } from './servers.ts'

const KAFKA_IMAGE = 'apache/kafka:4.1.1'
const REDIS_IMAGE = 'redis:8-alpine'
const RYUK_IMAGE = 'testcontainers/ryuk:0.14.0'
const PULL_TIMEOUT_MS = 120_000
const START_TIMEOUT_MS = 120_000
const KAFKA_PORT = 9092
const REDIS_PORT = 6379
const KAFKA_DATA = '/tmp/kafka-data'
const REDIS_DATA = '/data'
const PROBE_EVERY_MS = 100

/** Whether Docker answers and has, or can pull, both images; otherwise the reason in words. */
export async function containersCanRun(): Promise<true | string> {
  try {
    await getContainerRuntimeClient()
  } catch {
    return 'Docker does not answer'
  }
  for (const image of [KAFKA_IMAGE, REDIS_IMAGE]) {
    if (!(await imageIsThere(image))) return `Docker answers, but the image ${image} can be neither found nor pulled`
  }
  // The reaper removes containers that a killed run left behind. It is a comfort, not a need.
  if (!(await imageIsThere(RYUK_IMAGE))) process.env['TESTCONTAINERS_RYUK_DISABLED'] = 'true'
  return true
}

async function imageIsThere(name: string): Promise<boolean> {
  const { image } = await getContainerRuntimeClient()
  const parsed = ImageName.fromString(name)
  if (await image.exists(parsed)) return true
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), PULL_TIMEOUT_MS)
  })
  return Promise.race([
    image.pull(parsed).then(
      () => true,
      () => false,
    ),
    late,
  ]).finally(() => clearTimeout(timer))
}

export async function startContainers(): Promise<Servers> {
  const [kafka, redis] = await Promise.allSettled([startKafkaContainer(), startRedisContainer()])
  if (kafka.status === 'fulfilled' && redis.status === 'fulfilled') {
    return {
      kafkaBrokers: kafka.value.brokers,
      redisUrl: `redis://${redis.value.getHost()}:${redis.value.getMappedPort(REDIS_PORT)}`,
      stop: async () => void (await Promise.all([kafka.value.container.stop(), redis.value.stop()])),
    }
  }
  if (kafka.status === 'fulfilled') await kafka.value.container.stop()
  if (redis.status === 'fulfilled') await redis.value.stop()
  throw new Error('a container did not start', { cause: [kafka, redis].find((r) => r.status === 'rejected')?.reason })
}

/** The host port is chosen beforehand, because the broker has to advertise it. */
async function startKafkaContainer(): Promise<{ container: StartedTestContainer; brokers: string }> {
  const { host } = (await getContainerRuntimeClient()).info.containerRuntime
  const port = await freePort()
  const container = await new GenericContainer(KAFKA_IMAGE)
    .withExposedPorts({ container: KAFKA_PORT, host: port })
    .withEnvironment({
      ...Object.fromEntries(Object.entries(BROKER_SETTINGS).map(([name, value]) => [variable(name), value])),
      KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9094',
      KAFKA_INTER_BROKER_LISTENER_NAME: 'BROKER',
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'PLAINTEXT:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT',
      KAFKA_LISTENERS: `PLAINTEXT://0.0.0.0:${KAFKA_PORT},BROKER://0.0.0.0:9093,CONTROLLER://0.0.0.0:9094`,
      KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://${host}:${port},BROKER://localhost:9093`,
      KAFKA_LOG_DIRS: KAFKA_DATA,
      // Each partition's indexes are allocated beforehand: by default twenty megabytes of nothing, which a test would
      // read.
      KAFKA_LOG_INDEX_SIZE_MAX_BYTES: '65536',
      KAFKA_HEAP_OPTS: '-Xms512m -Xmx1g',
    })
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .withStartupTimeout(START_TIMEOUT_MS)
    .start()
  return { container, brokers: `${host}:${port}` }
}

async function startRedisContainer(): Promise<StartedTestContainer> {
  return new GenericContainer(REDIS_IMAGE)
    .withExposedPorts({ container: REDIS_PORT, host: await freePort() })
    .withCommand(['redis-server', '--maxmemory-policy', 'noeviction', '--appendonly', 'yes', '--save', ''])
    .withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/))
    .withStartupTimeout(START_TIMEOUT_MS)
    .start()
}

/** `num.io.threads` as the image wants it: `KAFKA_NUM_IO_THREADS`. */
function variable(setting: string): string {
  return `KAFKA_${setting.replaceAll('.', '_').toUpperCase()}`
}

/** Containers that can be killed: their ports on the host stay the same, and so does their disk. */
export async function startFaultyContainers(): Promise<FaultyServers> {
  const [{ container: kafka, brokers }, redis] = await Promise.all([startKafkaContainer(), startRedisContainer()])
  const redisUrl = `redis://${redis.getHost()}:${redis.getMappedPort(REDIS_PORT)}`
  return {
    kafkaBrokers: brokers,
    redisUrl,
    kafka: faulty(kafka, KAFKA_DATA, async () => kafkaAnswers(brokers)),
    redis: faulty(redis, REDIS_DATA, async () => redisAnswers(redisUrl)),
    stop: async () => void (await Promise.all([kafka.stop(), redis.stop()])),
  }
}

function faulty(container: StartedTestContainer, dataDir: string, answers: () => Promise<boolean>): FaultyServer {
  const engine = async () => (await getContainerRuntimeClient()).container.getById(container.getId())
  return {
    kill: async () => {
      const killed = await engine()
      await killed.kill()
      await killed.wait()
    },
    start: async () => {
      await (await engine()).start()
      const deadline = performance.now() + START_TIMEOUT_MS
      while (!(await answers())) {
        if (performance.now() > deadline) throw new Error('a container that was started again does not answer')
        await sleep(PROBE_EVERY_MS)
      }
    },
    keep: async () => {
      const archive = await buffer(await container.copyArchiveFromContainer(dataDir))
      return async () => container.copyArchiveToContainer(Readable.from([archive]), dirname(dataDir))
    },
    // The archive is not compressed: its bytes are those of the files.
    files: async () => [{ name: dataDir, bytes: await buffer(await container.copyArchiveFromContainer(dataDir)) }],
  }
}

async function kafkaAnswers(brokers: string): Promise<boolean> {
  const silent = { info: () => {}, warn: () => {}, error: () => {} }
  const log = await createKafkaLog({ brokers: [brokers], clientId: 'probe', logger: silent })
  const answered = await log.ping().then(
    () => true,
    () => false,
  )
  await log.close()
  return answered
}
