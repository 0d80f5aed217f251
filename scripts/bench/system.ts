// The system under load: a real Kafka and Redis, the topics, one process of each service, the customers. In a folder
// that is thrown away.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTopics } from '../../services/adapters/kafka/topics.ts'
import { DEMO_SET_FILE } from '../../services/runtime/apps.ts'
import { TOPICS } from '../../services/runtime/topics.ts'
import { startKafka } from '../kafka.ts'
import { freePort } from '../ports.ts'
import { startProcess, untilReady, type ServerProcess } from '../processes.ts'
import { startRedis } from '../redis.ts'
import { customersFile } from './customers.ts'
import type { FloorOptions } from './floor.ts'
import type { Customer } from './generator.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const STOP_WITHIN_MS = 12_000
const READY_MS = 60_000
const IMPORT_MS = 120_000
const FLOOR = { requests: 'bench.floor.requests', replies: 'bench.floor.replies' }
const FLOOR_PARTITIONS = 4
/**
 * The append-only file is not written anew: after 1 GB, some half a million calls, that takes a core for some seconds,
 * which a run of a minute meets whole or not at all.
 */
const REDIS = { 'auto-aof-rewrite-percentage': '0' }
/** Clock ticks a second that Linux counts CPU time in. */
const TICKS = 100

export interface System {
  readonly urls: readonly string[]
  readonly floor: FloorOptions
  /** CPU seconds of each process so far, by its name; empty where there is no /proc. */
  cpuSeconds(): ReadonlyMap<string, number>
  stop(): Promise<void>
}

export async function startSystem(customers: readonly Customer[]): Promise<System> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  const processes: ServerProcess[] = []
  const stop = async () => {
    for (const process of [...processes].reverse()) await process.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const kafka = await startKafka({ dataDir: join(folder, 'kafka') })
    processes.push(kafka)
    const redis = await startRedis({ dataDir: join(folder, 'redis'), appendonly: 'everysec', settings: REDIS })
    processes.push(redis)
    const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }
    await createTopics({ brokers: [kafka.brokers], clientId: 'bench', logger: silent }, [
      ...TOPICS,
      { name: FLOOR.requests, partitions: FLOOR_PARTITIONS, retentionMs: -1, purpose: '' },
      { name: FLOOR.replies, partitions: 1, retentionMs: -1, purpose: '' },
    ])
    const env = { ...process.env, KAFKA_BROKERS: kafka.brokers, REDIS_URL: redis.url, APPS_FILE: DEMO_SET_FILE }
    const start = async (name: string, script: string, args: readonly string[] = [], more: NodeJS.ProcessEnv = {}) =>
      startProcess({
        name,
        command: process.execPath,
        args: [join(ROOT, script), ...args],
        env: { ...env, ...more },
        log: join(folder, `${name}.log`),
        stopWithinMs: STOP_WITHIN_MS,
      })
    const port = await freePort()
    processes.push(
      await start('issuer', 'services/issuer/main.ts'),
      await start('authorizer', 'services/authorizer/main.ts'),
    )
    const ingress = await start('ingress', 'services/ingress/main.ts', [], { PORT: String(port) })
    processes.push(ingress)
    const url = `http://127.0.0.1:${port}`
    await untilReady(ingress, join(folder, 'ingress.log'), READY_MS, () =>
      fetch(`${url}/health/ready`).then(
        ({ ok }) => ok,
        () => false,
      ),
    )
    const file = join(folder, 'customers.csv')
    writeFileSync(file, customersFile(customers))
    await importCustomers(
      await start('import', 'services/cli/accounts.ts', ['import', file]),
      join(folder, 'import.log'),
    )
    return {
      urls: [url],
      floor: { brokers: [kafka.brokers], ...FLOOR },
      stop,
      cpuSeconds: () => new Map(processes.map(({ name, pid }) => [name, cpuSecondsOf(pid)])),
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function importCustomers(run: ServerProcess, log: string): Promise<void> {
  const late = setTimeout(() => void run.kill(), IMPORT_MS)
  const { code } = await run.exited
  clearTimeout(late)
  if (code !== 0) throw new Error(`the customers were not imported:\n${readFileSync(log, 'utf8')}`)
}

function cpuSecondsOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) / TICKS
  } catch {
    return Number.NaN
  }
}
