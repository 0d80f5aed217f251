// A log with a registry keeps what every log promises, here on the log in memory.

import { createMemoryLog } from '../../../services/adapters/memory/log.ts'
import { withRegistry } from '../../../services/runtime/open-log.ts'
import type { TopicSpec } from '../../../services/runtime/topics.ts'
import { describeLogContract } from '../../ports/log-contract.ts'
import { registryServer } from './registry-server.ts'

/** Topics for each number of partitions that the suite asks for; taken one after the other. */
const SPARE = 40

describeLogContract('a log with a schema registry', async () => {
  const server = await registryServer()
  const topics: TopicSpec[] = [1, 2, 3, 4, 5].flatMap((partitions) =>
    Array.from({ length: SPARE }, (_, i) => ({
      name: `topic-${partitions}-${i}`,
      partitions,
      retentionMs: -1,
      purpose: 'test',
    })),
  )
  const taken = new Map<number, number>()
  const log = createMemoryLog({ topics, maxQueuedRecords: 20_000 })
  return {
    createLog: (options) =>
      withRegistry(log.client(options), { url: server.url, timeoutMs: 2_000, register: true, write: true }),
    createTopic: async (partitions) => {
      const next = taken.get(partitions) ?? 0
      taken.set(partitions, next + 1)
      return `topic-${partitions}-${next}`
    },
    injectForeign: async (topic, partition) => {
      log.inject(topic, partition, { headers: { odd: '\u{fffd}', twice: 'b' } })
    },
    close: async () => {
      await log.close()
      await server.close()
    },
  }
})
