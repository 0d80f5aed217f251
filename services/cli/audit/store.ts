// The store that audit commands bring up to the log or look at: a Redis by configuration, never the embedded one, which
// lives and dies with its process.

import { createAvroWire } from '../../adapters/avro/wire.ts'
import { createRedisStore } from '../../adapters/redis/store.ts'
import type { Rules } from '../../core/subject/rules.ts'
import type { Log } from '../../ports/log.ts'
import type { RecoverableStore } from '../../ports/store-upkeep.ts'
import type { Wire } from '../../ports/wire.ts'
import {
  kafkaOf,
  kafkaVariables,
  redisOf,
  redisVariables,
  rulesOf,
  rulesVariables,
} from '../../runtime/config-groups.ts'
import { readEnv, type Environment } from '../../runtime/env.ts'
import { createLogger } from '../../runtime/logging.ts'
import { openLog } from '../../runtime/open-log.ts'
import { AuditProblem } from './frame.ts'

export interface StoreAndLog {
  readonly log: Log
  readonly store: RecoverableStore
  readonly wire: Wire
  readonly rules: Rules
}

/** For as long as `work` takes. @throws AuditProblem when Redis does not answer. @throws ConfigError, LogError */
export async function withStoreAndLog<T>(env: Environment, work: (parts: StoreAndLog) => Promise<T>): Promise<T> {
  if ((env['KAFKA_BROKERS'] ?? '').trim() === '')
    throw new AuditProblem('Set KAFKA_BROKERS and REDIS_URL: the embedded service has no store that could be rebuilt.')
  const values = readEnv({ ...kafkaVariables, ...redisVariables, ...rulesVariables }, env)
  const logger = createLogger({ service: 'audit', level: 'error', write: (line) => void process.stderr.write(line) })
  const log = await openLog({ ...kafkaOf(values), clientId: 'audit', logger })
  const store = await createRedisStore({ ...redisOf(values), log: logger })
  try {
    await log.ping()
    await store.ping().catch(() => {
      throw new AuditProblem('Redis does not answer at REDIS_URL.')
    })
    return await work({ log, store, wire: createAvroWire(), rules: rulesOf(values) })
  } finally {
    await Promise.all([log.close(), store.close()])
  }
}
