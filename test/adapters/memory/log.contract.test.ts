// The log in memory keeps what every log promises.

import { createMemoryLog } from '../../../services/adapters/memory/log.ts'
import type { TopicSpec } from '../../../services/runtime/topics.ts'
import { describeLogContract } from '../../ports/log-contract.ts'

/** Topics for each number of partitions that the suite asks for; taken one after the other. */
const SPARE = 40

describeLogContract('the log in memory', async () => {
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
    createLog: async (options) => log.client(options),
    createTopic: async (partitions) => {
      const next = taken.get(partitions) ?? 0
      taken.set(partitions, next + 1)
      return `topic-${partitions}-${next}`
    },
    injectForeign: async (topic, partition) => {
      log.inject(topic, partition, { headers: { odd: '\u{fffd}', twice: 'b' } })
    },
    close: () => log.close(),
  }
})
