// The log on Kafka through outages of its broker: one of its own, that is killed, started again and frozen.

import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startKafka, type Kafka } from '../../../scripts/kafka.ts'
import { createKafkaLog } from '../../../services/adapters/kafka/log.ts'
import { createTopics } from '../../../services/adapters/kafka/topics.ts'
import { LogError, LogOverloadedError, type Log, type StoredRecord } from '../../../services/ports/log.ts'
import { connectionOf, type LoggedLine } from './servers.ts'

const REQUEST_TIMEOUT_MS = 3_000
/** The bound of a ping, and what a busy machine adds. */
const PING_MS = 3_000
const DOWN_MS = 12_000
/** For all to come back after the broker did: a session of the dead member, and the waits between attempts. */
const RECOVERY_MS = 40_000
const CANARY = 'canary-4111111111111111'

describe('the log on Kafka when its broker fails', { timeout: 150_000 }, () => {
  const lines: LoggedLine[] = []
  let dataDir: string
  let broker: Kafka
  let log: Log
  let topic: string

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'outage-'))
    broker = await startKafka({ dataDir })
    topic = randomUUID()
    const connection = connectionOf([broker.brokers], lines)
    await createTopics(connection, [{ name: topic, partitions: 2, retentionMs: -1, purpose: 'test' }])
    log = await createKafkaLog({ ...connection, requestTimeoutMs: REQUEST_TIMEOUT_MS })
  }, 120_000)

  afterAll(async () => {
    await log.close()
    await broker.stop()
    await rm(dataDir, { recursive: true, force: true })
  }, 60_000)

  it('goes on after a kill and a restart: nothing acknowledged is lost to a group or a follower', async () => {
    const [consumed, followed] = [new Collected(), new Collected()]
    const member = await log.consume(randomUUID(), [topic], async (batch) => {
      consumed.add(batch.records)
      for (const { offset } of batch.records) batch.done(offset)
    })
    const onRecords = (records: readonly StoredRecord[]) => followed.add(records)
    const following = await log.follow({ topic, partition: 0, from: 'end', onRecords })
    const load = startLoad(log, topic)
    await until(() => load.acknowledged.length > 50)

    await broker.kill()
    await expect(timed(log.ping())).resolves.toBeLessThan(PING_MS)
    await sleep(DOWN_MS)
    expect(load.failures).toBeGreaterThan(0)
    // Nothing could be connected to: surely not published, and said soon.
    const refused = log.publish([{ topic, key: 'k', value: Buffer.from('refused'), headers: {} }])
    await expect(refused).rejects.toBeInstanceOf(LogOverloadedError)
    const before = load.acknowledged.length
    broker = await startKafka({ dataDir, port: broker.port })

    await until(() => load.acknowledged.length > before + 50)
    await log.ping()
    await load.stop()
    await until(() => consumed.has(load.acknowledged) && followed.has(load.acknowledged))
    await Promise.all([member.stop(), following.stop()])
    expect(load.odd).toEqual([])
    expect(JSON.stringify(lines)).not.toContain(CANARY)
    // Tried every second, said now and then.
    const unrecorded = lines.filter(({ message }) => message === 'what is done could not be recorded yet')
    expect(unrecorded.length).toBeGreaterThan(0)
    expect(unrecorded.length).toBeLessThan(4)
  })

  it('says soon that a frozen broker does not answer, and goes on when it thaws', async () => {
    await log.publish([{ topic, key: 'k', value: Buffer.from('before'), headers: {} }])
    broker.suspend()
    const publishing = timed(log.publish([{ topic, key: 'k', value: Buffer.from('frozen'), headers: {} }]))
    const queued = timed(log.publish([{ topic, key: 'k', value: Buffer.from('queued'), headers: {} }]))
    await expect(timed(log.ping())).resolves.toBeLessThan(PING_MS)
    await expect(publishing).resolves.toBeLessThan(REQUEST_TIMEOUT_MS + 1_500)
    await expect(queued).resolves.toBeLessThan(REQUEST_TIMEOUT_MS + 1_500)
    broker.resume()
    const after = { topic, key: 'k', value: Buffer.from('after'), headers: {} }
    await until(() =>
      log.publish([after]).then(
        () => true,
        () => false,
      ),
    )
    await until(() =>
      log.ping().then(
        () => true,
        () => false,
      ),
    )
  })

  it('is closed in bounded time while the broker is away', async () => {
    const doomed = await createKafkaLog({ ...connectionOf([broker.brokers]), requestTimeoutMs: REQUEST_TIMEOUT_MS })
    const following = await doomed.follow({ topic, partition: 0, from: 'end', onRecords: () => {} })
    broker.suspend()
    const publishing = doomed.publish([{ topic, key: 'k', value: Buffer.from('v'), headers: {} }])
    const outcome = publishing.then(
      () => null,
      (error: unknown) => error,
    )
    const begin = performance.now()
    await doomed.close()
    expect(performance.now() - begin).toBeLessThan(25_000)
    expect(await outcome).toBeInstanceOf(LogError)
    await following.stop()
    broker.resume()
  })
})

/** Publishes canaries with rising numbers under one key, one after the other and in pairs, until it is stopped. */
function startLoad(log: Log, topic: string) {
  const load = { acknowledged: [] as string[], failures: 0, odd: [] as unknown[], stop: async () => {} }
  let running = true
  const publish = async (value: string) => {
    try {
      await log.publish([{ topic, key: 'k', partition: 0, value: Buffer.from(value), headers: { canary: CANARY } }])
      load.acknowledged.push(value)
    } catch (error) {
      load.failures++
      if (!(error instanceof LogError)) load.odd.push(error)
    }
  }
  const work = (async () => {
    for (let i = 0; running; i++) {
      await Promise.all([publish(`${CANARY}-${i}a`), publish(`${CANARY}-${i}b`)])
      await sleep(5)
    }
  })()
  load.stop = async () => {
    running = false
    await work
  }
  return load
}

class Collected {
  readonly #values = new Set<string>()

  add(records: readonly StoredRecord[]): void {
    for (const { value } of records) this.#values.add(Buffer.from(value ?? []).toString())
  }

  has(values: readonly string[]): boolean {
    return values.every((value) => this.#values.has(value))
  }
}

/** How long it took to be refused with a LogError, ms. */
async function timed(call: Promise<unknown>): Promise<number> {
  const begin = performance.now()
  await expect(call).rejects.toBeInstanceOf(LogError)
  return performance.now() - begin
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + RECOVERY_MS
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error('it did not come to be in time')
    await sleep(50)
  }
}
