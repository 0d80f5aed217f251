// npm run events: decoded authorization events, those that are there and with --follow those that come.

import { Command, Option } from 'commander'
import { createAvroWire } from '../adapters/avro/wire.ts'
import { Barriers } from '../core/subject/epochs.ts'
import type { AuthorizationEvent } from '../core/subject/event.ts'
import { scopeKey } from '../core/transaction/scope.ts'
import type { Log, StoredRecord } from '../ports/log.ts'
import { MalformedRecordError } from '../ports/wire.ts'
import { readEpochs } from '../runtime/epochs.ts'
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
  const barriers = new Barriers()
  for (let partition = 0; partition < partitions; partition++) {
    for await (const record of log.read(TOPIC.events, partition)) print(record, barriers, options)
  }
}

/** Until a signal, or until the log is gone for good. */
async function follow(log: Log, partitions: number, options: Options): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
  const { promise: fenced, resolve } = Promise.withResolvers<Barriers>()
  const subscriptions = await Promise.all(
    Array.from({ length: partitions }, (_, partition) =>
      log.follow({
        topic: TOPIC.events,
        partition,
        from: options.from,
        onRecords: async (records) => {
          const barriers = await fenced
          records.forEach((record) => print(record, barriers, options))
        },
      }),
    ),
  )
  const latest = options.from === 'end' ? (await readEpochs(log, wire)).latest : null
  resolve(new Barriers(() => latest?.epoch ?? 0))
  await Promise.race([ended, ...subscriptions.map((subscription) => subscription.failed)])
  await Promise.all(subscriptions.map((subscription) => subscription.stop()))
}

function print(record: StoredRecord, barriers: Barriers, { json }: Options): void {
  const place = `${record.partition}/${record.offset}`
  const isVoid = barriers.judge(record) === 'void'
  try {
    const event = wire.decodeEvent(record.value)
    process.stdout.write(
      `${json ? JSON.stringify({ place, ...(isVoid ? { void: true } : {}), ...event }) : `${place} ${isVoid ? 'VOID ' : ''}${line(event)}`}\n`,
    )
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
    case 'epoch-raised':
      return `${time} epoch ${event.epoch} begins: what older ones publish from here on is void`
    case 'transaction-refused':
      return `${time} ${scopeKey(event.command.scope)} 94 other-content`
    default: {
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
