// The log of a process: Kafka, and where a schema registry is configured, records framed as it wants them.

import { ownDictionary } from '../adapters/avro/dictionary.ts'
import { createKafkaLog } from '../adapters/kafka/log.ts'
import type { KafkaLogOptions } from '../adapters/kafka/options.ts'
import { createRegistryClient } from '../adapters/registry/client.ts'
import { reframingLog } from '../adapters/registry/reframing-log.ts'
import { SchemaIds } from '../adapters/registry/schema-ids.ts'
import type { Log } from '../ports/log.ts'
import type { KafkaConfig } from './config-groups.ts'
import type { RegistryConfig } from './config-wire.ts'

type OpenLogOptions = KafkaConfig & Omit<KafkaLogOptions, keyof KafkaConfig>

/**
 * @throws RegistryError when the configured registry does not answer or refuses a schema.
 * @throws RangeError for bounds that are none.
 */
export async function openLog({ registry, ...options }: OpenLogOptions): Promise<Log> {
  const log = await createKafkaLog(options)
  if (!registry) return log
  try {
    return await withRegistry(log, registry)
  } catch (error) {
    await log.close()
    throw error
  }
}

/**
 * The log with records framed for a registry. What this process writes is registered first, so that nothing is taken
 * up that could not be answered. @throws RegistryError
 */
export async function withRegistry(log: Log, registry: RegistryConfig): Promise<Log> {
  const client = createRegistryClient(registry)
  const dictionary = ownDictionary()
  const ids = new SchemaIds({ client, dictionary, register: registry.register })
  await client.ping()
  if (registry.write) await Promise.all(dictionary.written.map(({ fingerprint }) => ids.ensure(fingerprint)))
  return reframingLog(log, { ids, write: registry.write })
}
