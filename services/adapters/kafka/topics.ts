// Creates topics and checks those that exist. For scripts and the start of a process, not for the flow of records.

import type { TopicSpec } from '../../runtime/topics.ts'
import { LogError } from '../../ports/log.ts'
import { createClient, reasonOf } from './client.ts'
import type { KafkaConnection } from './options.ts'
import { settled } from './waiting.ts'

const CREATE_TIMEOUT_MS = 15_000
const DISCONNECT_TIMEOUT_MS = 2_000

export interface CreateTopicsOptions {
  /** Copies of each record; 1 suits a single broker, 3 a cluster. */
  readonly replicationFactor?: number
  /** Copies that must have a record before it is acknowledged. By default one less than all, and at least 1. */
  readonly minInSyncReplicas?: number
}

/** Makes the topics that are missing; those that exist are left as they are. @throws LogError */
export async function createTopics(
  connection: KafkaConnection,
  specs: readonly TopicSpec[],
  { replicationFactor = 1, minInSyncReplicas }: CreateTopicsOptions = {},
): Promise<void> {
  const minInSync = minInSyncReplicas ?? Math.max(replicationFactor - 1, 1)
  await withAdmin(connection, async (admin) => {
    const existing = new Set(await admin.listTopics())
    const missing = specs.filter(({ name }) => !existing.has(name))
    if (missing.length === 0) return
    await admin.createTopics({
      waitForLeaders: true,
      timeout: CREATE_TIMEOUT_MS,
      topics: missing.map(({ name, partitions, retentionMs, compacted }) => ({
        topic: name,
        numPartitions: partitions,
        replicationFactor,
        configEntries: [
          { name: 'retention.ms', value: String(retentionMs) },
          { name: 'cleanup.policy', value: compacted ? 'compact' : 'delete' },
          { name: 'min.insync.replicas', value: String(minInSync) },
        ],
      })),
    })
  })
}

/** What is wrong with the topics as they are: one sentence each, none when all is well. @throws LogError */
export async function checkTopics(
  connection: KafkaConnection,
  specs: readonly TopicSpec[],
): Promise<readonly string[]> {
  return withAdmin(connection, async (admin) => {
    const existing = new Set(await admin.listTopics())
    const present = specs.filter(({ name }) => existing.has(name))
    const { topics } = await admin.fetchTopicMetadata({ topics: present.map(({ name }) => name) })
    return specs.flatMap(({ name, partitions }) => {
      if (!existing.has(name)) return [`topic ${name} is missing`]
      const count = topics.find((topic) => topic.name === name)?.partitions.length ?? 0
      return count < partitions ? [`topic ${name} has ${count} partitions, not ${partitions}`] : []
    })
  })
}

type Admin = ReturnType<ReturnType<typeof createClient>['admin']>

async function withAdmin<T>(connection: KafkaConnection, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = createClient(connection).admin({ retry: { retries: 5 } })
  try {
    await admin.connect()
    return await work(admin)
  } catch (error) {
    throw new LogError(`the topics could not be made or read: ${reasonOf(error)}`)
  } finally {
    await settled(DISCONNECT_TIMEOUT_MS, admin.disconnect())
  }
}
