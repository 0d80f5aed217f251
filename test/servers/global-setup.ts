// Gives the lanes `int` and `e2e` a real Kafka and a real Redis, once a run: those the environment names, else
// containers where Docker has the images, else plain processes. Must never let a test be skipped: nothing to be had is a
// failure.
import { containersCanRun, startContainers } from './containers.ts'
import { startPlainServers } from './plain.ts'
import type { Servers } from './servers.ts'

/** Set to `containers` or `processes` to insist on one way. */
const CHOICE = 'TEST_SERVERS'
/** Both lanes run this file; the second finds what the first has set. */
const STARTED = 'TEST_SERVERS_STARTED'

let started: Servers | undefined

export async function setup(): Promise<void> {
  if (process.env[STARTED]) return
  process.env[STARTED] = 'yes'
  if (process.env['KAFKA_BROKERS'] && process.env['REDIS_URL']) {
    return say('those named by KAFKA_BROKERS and REDIS_URL')
  }
  const since = performance.now()
  started = await start()
  process.env['KAFKA_BROKERS'] = started.kafkaBrokers
  process.env['REDIS_URL'] = started.redisUrl
  say(`Kafka ${started.kafkaBrokers}, ${started.redisUrl}, after ${Math.round(performance.now() - since)} ms`)
}

export async function teardown(): Promise<void> {
  await started?.stop()
}

async function start(): Promise<Servers> {
  const choice = process.env[CHOICE]
  const can = choice === 'processes' ? `${CHOICE} asks for processes` : await containersCanRun()
  if (can === true) {
    say('containers, by Testcontainers')
    return startContainers()
  }
  if (choice === 'containers') throw new Error(`${CHOICE} asks for containers, but: ${can}`)
  say(`plain processes (${can})`)
  try {
    return await startPlainServers()
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(
      `the tests need a real Kafka and a real Redis, and none can be had here. Start Docker, or install ` +
        `Java 17, Maven and redis-server. ${why}`,
      { cause: error },
    )
  }
}

function say(what: string): void {
  console.log(`servers for the tests: ${what}`)
}
