// Reads exactly one partition, without a group of others: kafkajs cannot, so each reader is the only member of a throw-
// away group whose assigner takes that partition. After any cut it goes on behind the last record that was handled.

import { randomUUID } from 'node:crypto'
import type { PartitionAssigner } from 'kafkajs'
import type { StoredRecord } from '../../ports/log.ts'
import type { Settings } from './options.ts'
import { AssignerProtocol } from './patched-kafkajs.ts'
import { toStored } from './records.ts'
import { ConsumerSession } from './session.ts'

const MAX_BYTES_PER_PARTITION = 1024 * 1024
const NO_DATA = Buffer.alloc(0)

export interface PartitionReaderOptions {
  readonly settings: Settings
  readonly topic: string
  readonly partition: number
  /** An offset that is gone leads to the oldest record. */
  readonly from: bigint
  readonly onRecords: (records: readonly StoredRecord[]) => void | Promise<void>
  /** The first offset that is not behind the reader, whenever it moved. */
  readonly onPosition?: (next: bigint) => void
}

/** Not started. */
export function createPartitionReader(options: PartitionReaderOptions): ConsumerSession {
  const { settings, topic, partition, onRecords, onPosition } = options
  let next = options.from
  const moveTo = (position: bigint) => {
    next = position
    onPosition?.(next)
  }
  return new ConsumerSession({
    settings,
    name: `reader of ${topic}`,
    topics: [topic],
    assigner: onlyPartition(topic, partition),
    maxBytesPerPartition: MAX_BYTES_PER_PARTITION,
    concurrency: 1,
    groupId: () => `${settings.clientId}-reader-${randomUUID()}`,
    // Before the first fetch of each assignment: no record is fetched from a position that was not asked for.
    onJoined: (consumer) => consumer.seek({ topic, partition, offset: String(next) }),
    onBatch: async ({ batch }) => {
      const records = batch.messages.map((message) => toStored(topic, partition, message))
      await onRecords(records)
      const last = records.at(-1)
      if (last) moveTo(last.offset + 1n)
    },
    onPassed: (_topic, _partition, offset) => moveTo(offset + 1n),
  })
}

function onlyPartition(topic: string, partition: number): PartitionAssigner {
  const { MemberAssignment, MemberMetadata } = AssignerProtocol
  const assignment = { [topic]: [partition] }
  const memberAssignment = MemberAssignment.encode({ version: 0, assignment, userData: NO_DATA })
  return () => ({
    name: 'OnePartition',
    version: 0,
    assign: async ({ members }) => members.map(({ memberId }) => ({ memberId, memberAssignment })),
    protocol: ({ topics }) => ({
      name: 'OnePartition',
      metadata: MemberMetadata.encode({ version: 0, topics, userData: NO_DATA }),
    }),
  })
}
