// Follows one partition from a position that is fixed before `follow` resolves: nothing published afterwards is missed.

import type { FollowOptions, Subscription } from '../../ports/log.ts'
import { unknownPartition } from '../log-limits.ts'
import type { ClusterView } from './cluster-view.ts'
import type { Settings } from './options.ts'
import { createPartitionReader } from './partition-reader.ts'

/** @throws LogError when there is no such partition or it cannot be read in time. */
export async function followPartition(
  settings: Settings,
  cluster: ClusterView,
  options: FollowOptions,
): Promise<Subscription> {
  const { topic, partition, onRecords } = options
  if (partition >= (await cluster.partitions(topic))) throw unknownPartition(topic, partition)
  const from = await position(cluster, options)
  const session = createPartitionReader({ settings, topic, partition, onRecords, from })
  await session.start()
  let stopped: Promise<void> | null = null
  return { failed: session.failed, stop: () => (stopped ??= session.stop()) }
}

async function position(cluster: ClusterView, { topic, partition, from }: FollowOptions): Promise<bigint> {
  if (typeof from === 'bigint') return from
  return cluster.bound(topic, partition, from === 'end' ? 'end' : 'first')
}
