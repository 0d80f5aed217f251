// Creates the topics of the service on the brokers that the environment names, and checks those that exist.
// Must not change or delete a topic that is there.
import { parseArgs } from 'node:util'
import { checkTopics, createTopics } from '../services/adapters/kafka/topics.ts'
import { explain } from '../services/cli/connect.ts'
import { kafkaOf, kafkaVariables } from '../services/runtime/config-groups.ts'
import { readEnv } from '../services/runtime/env.ts'
import { createLogger } from '../services/runtime/logging.ts'
import { TOPICS } from '../services/runtime/topics.ts'

const MAX_REPLICAS = 9

const USAGE = `usage: npm run topics -- [--replication-factor N]
  Creates on KAFKA_BROKERS the topics that are missing. Safe to repeat. The same KAFKA_ variables as for the services.
  --replication-factor N   copies of each record, 1 by default; 3 suits a cluster
`

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      'replication-factor': { type: 'string', default: '1' },
      help: { type: 'boolean', default: false },
    },
  })
  const replicationFactor = Number(values['replication-factor'])
  if (
    values.help ||
    !(Number.isInteger(replicationFactor) && replicationFactor >= 1 && replicationFactor <= MAX_REPLICAS)
  ) {
    process.stdout.write(USAGE)
    return values.help ? 0 : 2
  }
  const logger = createLogger({ service: 'topics', level: 'warn', write: (line) => void process.stderr.write(line) })
  const connection = { ...kafkaOf(readEnv(kafkaVariables, process.env)), clientId: 'topics', logger }
  await createTopics(connection, TOPICS, { replicationFactor })
  const wrong = await checkTopics(connection, TOPICS)
  for (const sentence of wrong) process.stderr.write(`${sentence}\n`)
  if (wrong.length === 0) process.stdout.write(`topics: ${TOPICS.map(({ name }) => name).join(', ')}\n`)
  return wrong.length === 0 ? 0 : 1
}

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`${explain(error)}\n`)
  process.exitCode = 1
}
