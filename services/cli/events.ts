// npm run events: decoded authorization events, those that are there and with --follow those that come.

import { Command, Option } from 'commander'
import { createAvroWire } from '../adapters/avro/wire.ts'
import type { AuthorizationEvent } from '../core/subject/event.ts'
import { scopeKey } from '../core/transaction/scope.ts'
import type { Log, StoredRecord } from '../ports/log.ts'
import { MalformedRecordError } from '../ports/wire.ts'
import { TOPIC } from '../runtime/topics.ts'
import { connectToRead, explain } from './connect.ts'

interface Options {
  readonly follow: boolean
  readonly from: 'beginning' | 'end'
  readonly json: boolean
}

const EXIT_FAILED = 2
const wire = createAvroWire()

const program = new Command('npm run events --')
  .description('Prints authorization events. Uses Kafka when KAFKA_BROKERS is set, else the embedded service on PORT.')
  .option('-f, --follow', 'go on with events as they come, until Ctrl-C', false)
  .addOption(new Option('--from <where>', 'where to begin').choices(['beginning', 'end']).default('beginning'))
  .option('--json', 'whole events, one JSON text a line', false)
await run(program.parse().opts<Options>())

async function run(options: Options): Promise<void> {
  let log: Log | null = null
  try {
    log = await connectToRead(process.env)
    const partitions = await log.partitions(TOPIC.events)
    await (options.follow ? follow(log, partitions, options) : readAll(log, partitions, options))
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`)
    process.exitCode = EXIT_FAILED
  } finally {
    await log?.close()
  }
}

async function readAll(log: Log, partitions: number, options: Options): Promise<void> {
  for (let partition = 0; partition < partitions; partition++) {
    for await (const record of log.read(TOPIC.events, partition)) print(record, options)
  }
}

/** Until a signal, or until the log is gone for good. */
async function follow(log: Log, partitions: number, options: Options): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
  const subscriptions = await Promise.all(
    Array.from({ length: partitions }, (_, partition) =>
      log.follow({
        topic: TOPIC.events,
        partition,
        from: options.from,
        onRecords: (records) => records.forEach((record) => print(record, options)),
      }),
    ),
  )
  await Promise.race([ended, ...subscriptions.map((subscription) => subscription.failed)])
  await Promise.all(subscriptions.map((subscription) => subscription.stop()))
}

function print(record: StoredRecord, { json }: Options): void {
  const place = `${record.partition}/${record.offset}`
  try {
    const event = wire.decodeEvent(record.value)
    process.stdout.write(`${json ? JSON.stringify({ place, ...event }) : `${place} ${line(event)}`}\n`)
  } catch (error) {
    if (!(error instanceof MalformedRecordError)) throw error
    process.stdout.write(`${place} no event of ours: ${error.message}\n`)
  }
}

/** One line for people: when, what, whose, how it ended and why. */
function line(event: AuthorizationEvent): string {
  const time = new Date('drawn' in event ? event.drawn.now : event.now).toISOString()
  switch (event.type) {
    case 'rules-published':
      return `${time} rules ${event.id.slice(0, 8)} version ${event.ruleVersion}`
    case 'transaction-refused':
      return `${time} ${scopeKey(event.command.scope)} 94 other-content`
    case 'token-judged':
    case 'transaction-decided': {
      const { command, responseCode = '--', reason, slot, version, facts } = event
      const amount =
        'amountMinor' in command && command.amountMinor !== undefined
          ? ` ${(command.amountMinor / 100).toFixed(2)}`
          : ''
      const changed = facts
        .filter(({ kind }) => kind !== 'outcome-recorded')
        .map(({ kind }) => kind)
        .join(', ')
      return `${time} ${scopeKey(command.scope)} ${responseCode} ${reason}${amount} [${slot} v${version}${changed && `: ${changed}`}]`
    }
  }
}
