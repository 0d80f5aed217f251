// npm run events: decoded authorization events, those that are there and with --follow those that come.

import { once } from 'node:events'
import { InvalidArgumentError } from 'commander'
import { createAvroWire } from '../adapters/avro/wire.ts'
import type { AuthorizationEvent } from '../core/subject/event.ts'
import { scopeKey } from '../core/transaction/scope.ts'
import { EpochGate } from '../consumer/epoch-gate.ts'
import { followPartitions } from '../consumer/follow-events.ts'
import { parseStart, START_FORMS, startOffsets, type Start } from '../consumer/start.ts'
import type { Log, StoredRecord } from '../ports/log.ts'
import { MalformedRecordError } from '../ports/wire.ts'
import { TOPIC } from '../runtime/topics.ts'
import { connectToRead, explain } from './connect.ts'
import { createProgram, EXIT_FAILED, runProgram } from './program.ts'

interface Options {
  readonly follow: boolean
  readonly from: Start
  readonly json: boolean
}

const wire = createAvroWire()

const program = createProgram('npm run events --')
  .description('Prints authorization events. Uses Kafka when KAFKA_BROKERS is set, else the embedded service on PORT.')
  .option('-f, --follow', 'go on with events as they come, until Ctrl-C', false)
  .option('--from <where>', `where to begin: ${START_FORMS}`, startOf, 'beginning')
  .option('--json', 'whole events, one JSON text a line', false)
  .action(run)
await runProgram(program)

async function run(options: Options): Promise<void> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // Whoever read has enough, as `head` has: nothing is wrong.
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  let log: Log | null = null
  try {
    log = await connectToRead(process.env)
    const from = await startOffsets(log, TOPIC.events, options.from)
    await (options.follow ? follow(log, from, options) : readAll(log, from, options))
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`)
    process.exitCode = EXIT_FAILED
  } finally {
    await log?.close()
  }
}

/** @throws InvalidArgumentError, which commander tells with the option's name. */
function startOf(text: string): Start {
  const start = parseStart(text, Date.now())
  if (start === null) throw new InvalidArgumentError(`It must be ${START_FORMS}.`)
  return start
}

async function readAll(log: Log, from: readonly bigint[], options: Options): Promise<void> {
  const gate = new EpochGate(log, wire)
  for (const [partition, offset] of from.entries()) {
    for await (const record of log.read(TOPIC.events, partition, offset)) await print([record], gate, options)
  }
}

/** Until a signal, or until the log is gone for good. */
async function follow(log: Log, from: readonly bigint[], options: Options): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
  const gate = new EpochGate(log, wire)
  const subscription = await followPartitions(log, TOPIC.events, from, (records) => print(records, gate, options))
  await Promise.race([ended, subscription.failed])
  await subscription.stop()
}

async function print(records: readonly StoredRecord[], gate: EpochGate, options: Options): Promise<void> {
  const standings = await gate.judge(records)
  const lines = records.map((record, index) => `${lineOf(record, standings[index] === 'void', options)}\n`)
  // Whoever reads slowly is waited for, so that no more than this is held.
  if (!process.stdout.write(lines.join(''))) await once(process.stdout, 'drain')
}

function lineOf(record: StoredRecord, isVoid: boolean, { json }: Options): string {
  const place = `${record.partition}/${record.offset}`
  try {
    const event = wire.decodeEvent(record.value)
    if (json) return JSON.stringify({ place, ...(isVoid ? { void: true } : {}), ...event })
    return `${place} ${isVoid ? 'VOID ' : ''}${line(event)}`
  } catch (error) {
    if (!(error instanceof MalformedRecordError)) throw error
    return `${place} no event of ours: ${error.message}`
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
