// npm run accounts: cards and accounts from a file into the service, as commands through the log. Safe to repeat.

import { createReadStream, writeFileSync } from 'node:fs'
import { parse, CsvError } from 'csv-parse'
import { createAvroWire } from '../adapters/avro/wire.ts'
import { createKeyRing } from '../adapters/keys/key-ring.ts'
import { ACCOUNT_COLUMNS, accountRowOf, rowsOfCards } from './account-rows.ts'
import { importAccounts, type ImportReport, type NumberedRow } from './account-import.ts'
import { connect, explain, type Connected } from './connect.ts'
import { createProgram, EXIT_FAILED, runProgram } from './program.ts'
import { createRequester } from './requester.ts'

const EXIT_REFUSED = 1
const PROGRESS_MS = 1_000
/** Bytes of one line: a row has some hundred. */
const MAX_LINE_BYTES = 10_000

type Refused = ImportReport['refused'][number]

const program = createProgram('npm run accounts --').description(
  'Registers cards and opens accounts. Uses Kafka when KAFKA_BROKERS is set, else the embedded service on PORT.',
)
program
  .command('import')
  .description('Import a CSV file. Repeating it is harmless: nothing is opened or credited twice.')
  .argument('<file>', `CSV with the header ${ACCOUNT_COLUMNS.join(',')}`)
  .option('--report <file>', 'write the refused lines there, as CSV')
  .addHelpText(
    'after',
    `
Columns: expires is YYYY-MM; state one of active (default), inactive, blocked, lost, stolen; restrictions empty or
no-purchases|no-withdrawals; accountType and balance (pesos) both or neither. A holder with several accounts has a line each.
Exit codes: 0 all lines are in, 1 some were refused, 2 it could not be done.`,
  )
  .action(async (file: string, options: { report?: string }) =>
    finish(async (connected) => {
      const bad: Refused[] = []
      return send(connected, rowsOf(file, bad), bad, options.report)
    }),
  )
program
  .command('demo')
  .description('Import the cards of the apps file (APPS_FILE), which a demo set has.')
  .action(async () => finish(async (connected) => send(connected, rowsOfCards(connected.apps?.cards ?? []), [])))
await runProgram(program)

async function finish(work: (connected: Connected) => Promise<number>): Promise<void> {
  let connected: Connected | null = null
  try {
    connected = await connect(process.env)
    process.exitCode = await work(connected)
  } catch (error) {
    process.stderr.write(
      `${error instanceof CsvError ? `line ${String(error['lines'])}: not CSV (${error.code})` : explainFile(error)}\n`,
    )
    process.exitCode = EXIT_FAILED
  } finally {
    await connected?.log.close()
  }
}

async function send(
  connected: Connected,
  rows: AsyncIterable<NumberedRow> | Iterable<NumberedRow>,
  bad: readonly Refused[],
  reportFile?: string,
) {
  const requester = await createRequester(connected.log, createAvroWire(), connected.replyTimeoutMs)
  let report: ImportReport
  try {
    const keys = createKeyRing(connected.keys)
    report = await importAccounts(rows, {
      ask: requester.ask,
      keys,
      clock: { now: () => Date.now() },
      onProgress: progress(),
    })
  } finally {
    await requester.close()
  }
  const refused = [...bad, ...report.refused].sort((a, b) => a.line - b.line)
  if (reportFile !== undefined)
    writeFileSync(
      reportFile,
      ['line,reason', ...refused.map(({ line, reason }) => `${line},"${reason}"`), ''].join('\n'),
    )
  for (const { line, reason } of refused) process.stderr.write(`line ${line}: ${reason}\n`)
  process.stdout.write(
    `${report.registered} lines in: ${report.opened} accounts opened by this file, ${report.existing} were there before; ${refused.length} refused\n`,
  )
  return refused.length > 0 ? EXIT_REFUSED : 0
}

/** Tells once a second how far it is. */
function progress(): (report: ImportReport, count: number) => void {
  const started = performance.now()
  let told = started
  return (_, count) => {
    if (performance.now() - told < PROGRESS_MS) return
    told = performance.now()
    process.stderr.write(`${count} lines, ${Math.round(count / ((told - started) / 1_000))} a second\n`)
  }
}

/** Rows one by one, so that a file may be of any size. Lines that are no row are noted. @throws CsvError */
async function* rowsOf(file: string, bad: Refused[]): AsyncGenerator<NumberedRow> {
  const parser = createReadStream(file)
    .on('error', (error) => parser.destroy(error))
    .pipe(
      parse({
        columns: (header: string[]) => header.map((name) => name.trim()),
        bom: true,
        trim: true,
        skip_empty_lines: true,
        info: true,
        relax_column_count: true,
        max_record_size: MAX_LINE_BYTES,
      }),
    )
  for await (const { record, info } of parser as AsyncIterable<{
    record: Record<string, unknown>
    info: { lines: number }
  }>) {
    const row = accountRowOf(record)
    if ('bad' in row) bad.push({ line: info.lines, reason: `malformed: ${row.bad.join(', ')}` })
    else yield { line: info.lines, row }
  }
}

function explainFile(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'EACCES' || code === 'EISDIR'
    ? `the file cannot be read (${code})`
    : explain(error)
}
