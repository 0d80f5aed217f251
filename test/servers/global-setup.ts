// Gives the lanes `int` and `e2e` a real Kafka and a real Redis, once a run: those the environment names, else containers
// where Docker has the images, else plain processes. Must never let a test be skipped: nothing to be had is a failure.
import { containersCanRun, startContainers } from './containers.ts'
import { startPlainServers } from './plain.ts'
import type { Servers } from './servers.ts'

/** Set to `containers` or `processes` to insist on one way. */
const CHOICE = 'TEST_SERVERS'
/** Both lanes run this file; the second finds what the first has set. */
const STARTED = 'TEST_SERVERS_STARTED'

export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env[STARTED]) return undefined
  process.env[STARTED] = 'yes'
  if (process.env['KAFKA_BROKERS'] && process.env['REDIS_URL']) {
    say('those named by KAFKA_BROKERS and REDIS_URL')
    return undefined
  }
  const started = performance.now()
  const servers = await start()
  process.env['KAFKA_BROKERS'] = servers.kafkaBrokers
  process.env['REDIS_URL'] = servers.redisUrl
  say(`Kafka ${servers.kafkaBrokers}, ${servers.redisUrl}, after ${Math.round(performance.now() - started)} ms`)
  return servers.stop
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
    throw new Error(`the tests need a real Kafka and a real Redis, and none can be had here. Start Docker, or install `
      + `Java 17, Maven and redis-server. ${why}`, { cause: error })
  }
}

function say(what: string): void {
  console.log(`servers for the tests: ${what}`)
}
