import { createRequire } from 'node:module'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  groupByPartition,
  produceRequests,
  type Produce,
  type ProduceRequest,
} from '../../../services/adapters/kafka/produce-request.ts'
import type { RecordToWrite } from '../../../services/adapters/kafka/batch-writer.ts'

// kafkajs' own code, which nothing has replaced here.
const require = createRequire(import.meta.url)
const theirRequest = require('kafkajs/src/protocol/requests/produce/v3/request.js') as (
  asked: Produce,
) => ProduceRequest
const theirGroups = require('kafkajs/src/producer/groupMessagesPerPartition.js') as (given: {
  readonly topic: string
  readonly partitionMetadata: readonly unknown[]
  readonly messages: readonly { readonly partition: number }[]
  readonly partitioner: (given: { readonly message: { readonly partition: number } }) => number
}) => unknown

const bytes = (max: number) => fc.uint8Array({ maxLength: max }).map((array) => Buffer.from(array))
const text = fc.oneof(
  fc.string({ maxLength: 90 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  // Lengths around those at which a length takes a byte more, in characters and in bytes.
  fc.constantFrom(...[31, 32, 63, 64, 8_191, 8_192].flatMap((length) => ['a'.repeat(length), 'ñ'.repeat(length)])),
)
const name = text.filter((key) => key !== '__proto__')
const record: fc.Arbitrary<RecordToWrite> = fc.record({
  key: fc.oneof(text, bytes(300), fc.constant(null)),
  value: fc.oneof(bytes(300), fc.constantFrom(null, Buffer.alloc(8_150, 1), Buffer.alloc(70_000, 2))),
  headers: fc.dictionary(name, fc.oneof(text, bytes(100), fc.array(text, { minLength: 1, maxLength: 3 })), {
    noNullPrototype: true,
    maxKeys: 8,
  }),
})
const messages = fc.array(record, { minLength: 1, maxLength: 70 })
const partitions = fc.array(fc.record({ partition: fc.nat(100), messages }), { minLength: 1, maxLength: 3 })
const produce: fc.Arbitrary<Produce> = fc.record({
  acks: fc.constantFrom(-1, 0, 1),
  timeout: fc.nat(60_000),
  topicData: fc.array(fc.record({ topic: fc.string({ minLength: 1, maxLength: 40 }), partitions }), {
    minLength: 1,
    maxLength: 3,
  }),
})

const ourRequest = produceRequests(() => {
  throw new Error('left to kafkajs')
})

describe('a Produce request', () => {
  afterEach(() => void vi.useRealTimers())

  it('is written in the same bytes as by kafkajs', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_123 })
    await fc.assert(
      fc.asyncProperty(produce, async (given) => {
        const [ours, theirs] = [ourRequest(given), theirRequest(given)]
        expect((await ours.encode()).buffer.equals((await theirs.encode()).buffer)).toBe(true)
        expect({ ...ours, encode: null, expectResponse: ours.expectResponse() }).toEqual({
          ...theirs,
          encode: null,
          expectResponse: theirs.expectResponse(),
        })
      }),
      { numRuns: 200 },
    )
  })

  it('is left to kafkajs when it is compressed, transactional or idempotent', () => {
    const plain = { acks: -1, timeout: 1, topicData: [] }
    expect(() => ourRequest({ ...plain, compression: 0, transactionalId: null, producerId: -1 })).not.toThrow()
    for (const more of [{ compression: 1 }, { transactionalId: 't' }, { producerId: 7 }]) {
      expect(() => ourRequest({ ...plain, ...more })).toThrow('left to kafkajs')
    }
  })
})

it('records are grouped by partition as by kafkajs', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ partition: fc.nat(5), key: fc.string() })), (given) => {
      expect(groupByPartition({ messages: given })).toEqual(
        theirGroups({
          topic: 't',
          partitionMetadata: [{}],
          messages: given,
          partitioner: ({ message }) => message.partition,
        }),
      )
    }),
  )
})
