// Kafka and Redis as plain processes, on free ports and a folder that is thrown away. Where there is no Docker.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startKafka } from '../../scripts/kafka.ts'
import { startRedis } from '../../scripts/redis.ts'
import type { Servers } from './servers.ts'

/** Throws, saying what to install, when one of them can be neither found nor installed. */
export async function startPlainServers(): Promise<Servers> {
  const folder = mkdtempSync(join(tmpdir(), 'servers-'))
  try {
    const redis = await startRedis({ dataDir: join(folder, 'redis'), appendonly: 'everysec' })
    const kafka = await startKafka({ dataDir: join(folder, 'kafka') })
    return {
      kafkaBrokers: kafka.brokers,
      redisUrl: redis.url,
      stop: async () => {
        await Promise.all([kafka.stop(), redis.stop()])
        rmSync(folder, { recursive: true, force: true })
      },
    }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}
