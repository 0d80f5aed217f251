// A bare loop that reads a whole topic with kafkajs and does nothing with it: what a rebuild is measured against.
import kafkajs from 'kafkajs'

const { Kafka, logLevel } = kafkajs

/** Records a second, from the first fetch to the last record. */
export async function bareReadRate(brokers: readonly string[], topic: string, records: number): Promise<number> {
  const client = new Kafka({ brokers: [...brokers], clientId: 'bare-read', logLevel: logLevel.NOTHING })
  const consumer = client.consumer({ groupId: `bare-${process.pid}-${performance.now()}`, maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const { promise: all, resolve } = Promise.withResolvers<void>()
  let [seen, bytes, begun] = [0, 0, 0]
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: 4,
    eachBatch: async ({ batch }) => {
      begun ||= performance.now()
      for (const { value } of batch.messages) bytes += value?.length ?? 0
      seen += batch.messages.length
      if (seen >= records && bytes > 0) resolve()
    },
  })
  await all
  const rate = seen / ((performance.now() - begun) / 1_000)
  await consumer.disconnect()
  return rate
}
