// Writes Produce requests in place of kafkajs 2.2.4, which makes a zeroed buffer for each record, header, batch and topic
// and copies each into the next: three times and more what it takes to write all of them into one. Same bytes. What the sender
// never sends, compressed, transactional or idempotent, is left to kafkajs.

import { BatchWriter, type RecordToWrite } from './batch-writer.ts'
import type { Written } from './request-frame.ts'

/** What kafkajs makes a request of. */
export interface Produce {
  readonly acks: number
  /** Milliseconds that the broker may wait for its replicas. */
  readonly timeout: number
  readonly topicData: readonly {
    readonly topic: string
    readonly partitions: readonly { readonly partition: number; readonly messages: readonly RecordToWrite[] }[]
  }[]
  readonly compression?: number
  readonly transactionalId?: string | null
  readonly producerId?: unknown
}

export interface ProduceRequest {
  readonly apiKey: number
  readonly apiVersion: number
  readonly apiName: string
  readonly expectResponse: () => boolean
  readonly encode: () => Promise<Written>
}

const API_KEY = 0
const API_VERSION = 3
const NO_PRODUCER = -1
/** The length of the text that is absent. */
const NO_TRANSACTION = -1
/** Of request, topic, partition, batch, record and header: never less than they have beside their texts and values. */
const REQUEST_BYTES = 32
const TOPIC_BYTES = 16
const BATCH_BYTES = 80
const RECORD_BYTES = 32
const HEADER_BYTES = 16
/** Of a UTF-16 unit in UTF-8, at most. */
const UNIT_BYTES = 3

/** By partition, each record looked at once: kafkajs copies the records of a partition for each that comes to them. */
export function groupByPartition<Message extends { readonly partition?: number }>({
  messages,
}: {
  readonly messages: readonly Message[]
}): Record<number, Message[]> {
  const groups: Record<number, Message[]> = {}
  for (const message of messages) (groups[message.partition ?? 0] ??= []).push(message)
  return groups
}

/** What kafkajs makes the requests of versions 3 to 7 of; `theirs` is its own. */
export function produceRequests(theirs: (asked: Produce) => ProduceRequest): (asked: Produce) => ProduceRequest {
  return (asked) => {
    const { acks, compression = 0, transactionalId = null, producerId = NO_PRODUCER } = asked
    if (compression !== 0 || transactionalId !== null || producerId !== NO_PRODUCER) return theirs(asked)
    return {
      apiKey: API_KEY,
      apiVersion: API_VERSION,
      apiName: 'Produce',
      expectResponse: () => acks !== 0,
      encode: async () => {
        const buffer = writeProduce(asked, Date.now())
        return { buf: buffer, buffer }
      },
    }
  }
}

function writeProduce({ acks, timeout, topicData }: Produce, now: number): Buffer {
  const writer = new BatchWriter(mostBytes(topicData))
  writer.int16(NO_TRANSACTION)
  writer.int16(acks)
  writer.int32(timeout)
  writer.int32(topicData.length)
  for (const { topic, partitions } of topicData) {
    writer.name(topic)
    writer.int32(partitions.length)
    for (const { partition, messages } of partitions) {
      writer.int32(Number(partition))
      writer.batch(messages, BigInt(now))
    }
  }
  return writer.written()
}

function mostBytes(topicData: Produce['topicData']): number {
  let bytes = REQUEST_BYTES
  for (const { topic, partitions } of topicData) {
    bytes += TOPIC_BYTES + mostOf(topic)
    for (const { messages } of partitions) {
      bytes += BATCH_BYTES
      for (const { key, value, headers } of messages) {
        bytes += RECORD_BYTES + mostOf(key) + mostOf(value)
        for (const name in headers) {
          const given = headers[name]
          const many = Array.isArray(given) ? given : [given]
          for (const one of many) bytes += HEADER_BYTES + mostOf(name) + mostOf(one)
        }
      }
    }
  }
  return bytes
}

function mostOf(data: string | Buffer | null | undefined): number {
  if (data === null || data === undefined) return 0
  return typeof data === 'string' ? data.length * UNIT_BYTES : data.length
}
