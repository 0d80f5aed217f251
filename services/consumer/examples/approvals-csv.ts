// npm run approvals-csv: an example of the consumer kit. Keeps a CSV file of approvals that Excel opens as it is: one line
// an approval, however often this process is killed, since the file and its place in the log are kept together.

import { InvalidArgumentError, Option } from 'commander'
import { connectToRead, explain } from '../../cli/connect.ts'
import { createProgram, EXIT_FAILED, runProgram } from '../../cli/program.ts'
import type { Log } from '../../ports/log.ts'
import { TOPIC } from '../../runtime/topics.ts'
import {
  createAvroWire,
  followEvents,
  parseStart,
  START_FORMS,
  startOffsets,
  StopConsumingError,
  type Start,
} from '../index.ts'
import { eventLine, type Separator } from './csv-cells.ts'
import { CsvFileError, openCsvFile, type CsvFile } from './csv-file.ts'

interface Options {
  readonly file: string
  readonly from: Start
  readonly separator: Separator
  readonly once: boolean
}

const PROGRESS_MS = 5_000

const program = createProgram('npm run approvals-csv --')
  .description(
    'Keeps a CSV file of approved transactions for Excel, until Ctrl-C. Started again on the same file it goes on where ' +
      'it was. Uses Kafka when KAFKA_BROKERS is set, else the embedded service on PORT.',
  )
  .option('--file <path>', 'the file; next to it stands PATH.place.json, the place in the log', 'approvals.csv')
  .option('--from <where>', `where a new file begins: ${START_FORMS}`, startOf, 'beginning')
  .addOption(
    new Option('--separator <sign>', 'what Excel expects in its region: ; (decimal comma) or , (decimal point)')
      .choices([';', ','])
      .default(';'),
  )
  .option('--once', 'end when all that is there now is in the file', false)
  .action(run)
await runProgram(program)

function startOf(text: string): Start {
  const start = parseStart(text, Date.now())
  if (start === null) throw new InvalidArgumentError(`It must be ${START_FORMS}.`)
  return start
}

async function run(options: Options): Promise<void> {
  let log: Log | null = null
  let file: CsvFile | null = null
  try {
    log = await connectToRead(process.env)
    await log.ping()
    file = await openCsvFile(options.file, options.separator)
    await keep(log, file, options)
  } catch (error) {
    process.stderr.write(`${error instanceof StopConsumingError ? error.message : explain(error)}\n`)
    process.exitCode = EXIT_FAILED
  } finally {
    await file?.close()
    await log?.close()
  }
}

async function keep(log: Log, file: CsvFile, { file: path, from: start, separator, once }: Options): Promise<void> {
  const from = file.offsets ?? (await startOffsets(log, TOPIC.events, start))
  await mustBeThisLog(log, from, path)
  if (!file.offsets) await file.begin(from)
  const ends = once ? await startOffsets(log, TOPIC.events, 'end') : []
  const complete = Promise.withResolvers<void>()
  const next = [...from]
  let approvals = 0
  const isComplete = () => once && ends.every((end, partition) => (next[partition] ?? 0n) >= end)
  const following = await followEvents({
    log,
    wire: createAvroWire(),
    from,
    remembered: file.eventIds,
    wanted: ({ type }) => type === 'transaction.approved',
    handle: async ({ partition, events, next: offset }) => {
      await file.append(events.map((event) => eventLine(event, separator)).join(''), partition, offset)
      next[partition] = offset
      approvals += events.length
      if (isComplete()) complete.resolve()
    },
    onFailure: (reason) => process.stderr.write(`${path} cannot be written (${reason}): trying again\n`),
    onMalformed: (record) => process.stderr.write(`${record.partition}/${record.offset} is no event: passed over\n`),
  })
  if (isComplete()) complete.resolve()
  const tell = () => process.stderr.write(`${approvals} approvals written to ${path}\n`)
  const timer = setInterval(tell, PROGRESS_MS)
  try {
    await Promise.race([signalled(), complete.promise, following.failed])
  } finally {
    clearInterval(timer)
    await following.stop()
    tell()
  }
}

/** A place beyond the end is of another log: going on there would leave out what this one has. */
async function mustBeThisLog(log: Log, from: readonly bigint[], path: string): Promise<void> {
  const ends = await startOffsets(log, TOPIC.events, 'end')
  if (from.length === ends.length && from.every((offset, partition) => offset <= (ends[partition] ?? -1n))) return
  throw new CsvFileError(`${path} is of another log, or one that was begun anew: give another file`)
}

function signalled(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
}
