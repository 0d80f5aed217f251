// The log on a real Kafka keeps what every log promises.

import { randomUUID } from 'node:crypto'
import { Kafka, logLevel } from '../../../services/adapters/kafka/patched-kafkajs.ts'
import { createKafkaLog } from '../../../services/adapters/kafka/log.ts'
import { createTopics } from '../../../services/adapters/kafka/topics.ts'
import { describeLogContract } from '../../ports/log-contract.ts'
import { connectionOf, requireBrokers } from './servers.ts'

describeLogContract('the log on Kafka', async () => {
  const brokers = requireBrokers()
  const connection = connectionOf(brokers)
  const foreign = new Kafka({ brokers, clientId: 'foreign', logLevel: logLevel.NOTHING }).producer()
  await foreign.connect()
  return {
    createLog: (options) => createKafkaLog({ ...connection, ...options }),
    createTopic: async (partitions) => {
      const name = `contract-${randomUUID()}`
      await createTopics(connection, [{ name, partitions, retentionMs: -1, purpose: 'test' }])
      return name
    },
    injectForeign: async (topic, partition) => {
      const headers = { odd: Buffer.from([0xff, 0x00, 0xfe]), twice: ['a', 'b'] }
      await foreign.send({ topic, messages: [{ partition, key: null, value: null, headers }] })
    },
    close: () => foreign.disconnect(),
  }
})
