// Where the tests of the Kafka adapter find their broker, and what they connect with.

import type { KafkaConnection, KafkaLogger } from '../../../services/adapters/kafka/options.ts'

export interface LoggedLine {
  readonly fields: object
  readonly message: string
}

/** @throws Error outside the lanes that have servers. */
export function requireBrokers(): string[] {
  const brokers = process.env['KAFKA_BROKERS']
  if (!brokers) throw new Error('KAFKA_BROKERS is not set: the test run starts a broker and sets it')
  return brokers.split(',')
}

/** `lines` collects what is logged. */
export function connectionOf(brokers: readonly string[], lines: LoggedLine[] = []): KafkaConnection {
  const log = (fields: object, message: string) => void lines.push({ fields, message })
  const logger: KafkaLogger = { info: log, warn: log, error: log }
  return { brokers, clientId: 'log-test', logger }
}
