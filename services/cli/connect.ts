// Which log a command line speaks to: Kafka when KAFKA_BROKERS is set, else the embedded service of the same PORT.

import type { KeyRingConfig } from '../adapters/keys/key-ring.ts'
import type { Log } from '../ports/log.ts'
import { borrowLog } from '../embedded/log-client.ts'
import { socketPath } from '../embedded/log-server.ts'
import type { Apps } from '../runtime/apps.ts'
import { readCliConfig } from '../runtime/config-cli.ts'
import { readEmbeddedConfig } from '../runtime/config-embedded.ts'
import { kafkaOf, kafkaVariables } from '../runtime/config-groups.ts'
import { ConfigError, readEnv, type Environment } from '../runtime/env.ts'
import { createLogger } from '../runtime/logging.ts'
import { openLog } from '../runtime/open-log.ts'

export interface Connected {
  readonly log: Log
  readonly keys: KeyRingConfig
  readonly apps?: Apps
  readonly replyTimeoutMs: number
}

const isEmbedded = (env: Environment) => (env['KAFKA_BROKERS'] ?? '').trim() === ''

/** @throws ConfigError, LogError */
export async function connect(env: Environment): Promise<Connected> {
  if (isEmbedded(env)) {
    const { port, keys, apps, replyTimeoutMs } = readEmbeddedConfig(env)
    return { log: borrowLog(socketPath(port)), keys, apps, replyTimeoutMs }
  }
  const { kafka, keys, apps, replyTimeoutMs, logLevel: level } = readCliConfig(env)
  const logger = createLogger({ service: 'cli', level, write: toStandardError })
  return { log: await openLog({ ...kafka, clientId: 'cli', logger }), keys, apps, replyTimeoutMs }
}

/** For what only reads: no keys are needed. @throws ConfigError, LogError */
export async function connectToRead(env: Environment): Promise<Log> {
  if (isEmbedded(env)) return borrowLog(socketPath(readEmbeddedConfig(env).port))
  const logger = createLogger({ service: 'cli', level: 'warn', write: toStandardError })
  const { registry, ...kafka } = kafkaOf(readEnv(kafkaVariables, env))
  // Nothing is written, so nothing has to be registered.
  return openLog({
    ...kafka,
    ...(registry ? { registry: { ...registry, write: false } } : {}),
    clientId: 'cli',
    logger,
  })
}

/** Errors whose messages are written for people and quote nothing. */
const TOLD_AS_THEY_ARE: ReadonlySet<string> = new Set(['CsvError', 'LogError', 'RegistryError', 'SchemaError'])

/** What a person reads of an error that ends a command line. */
export function explain(error: unknown): string {
  if (error instanceof ConfigError) return error.message
  if (error instanceof Error && TOLD_AS_THEY_ARE.has(error.name)) return error.message
  return error instanceof Error ? `${error.name}: this is a mistake in the program` : 'a mistake in the program'
}

function toStandardError(line: string): void {
  process.stderr.write(line)
}
