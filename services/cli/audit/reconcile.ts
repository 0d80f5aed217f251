// audit reconcile: an acquirer's own list of consecutives and amounts against the log.

import { CsvError } from 'csv-parse'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { createAvroWire } from '../../adapters/avro/wire.ts'
import { readEvents, stretchesOf, type EventSource, type Selection } from '../../audit/event-source.ts'
import { ListTooLongError, Reconciliation, type Difference, type Reconciled } from '../../audit/reconcile/reconcile.ts'
import {
  ListError,
  NEEDED_COLUMNS,
  OPTIONAL_COLUMNS,
  readRows,
  RECONCILED_CODES,
  type BadLine,
} from '../../audit/reconcile/rows.ts'
import { money } from '../../audit/timeline/describe.ts'
import {
  AuditProblem,
  EXIT,
  runCommand,
  selectionOf,
  withSelectionOptions,
  withSource,
  type Report,
  type Run,
  type SourceOptions,
} from './frame.ts'

/** Read on both sides of the period, so that what the two sides date differently is still met: one hour. */
const EDGE_MS = 3_600_000
const DEFAULT_SHOWN = 20
/** Lines that cannot be read, above which it is another file. */
const MAX_BAD_LINES = 10_000

interface Options extends SourceOptions {
  readonly acquirer?: string
  readonly csv?: boolean
  readonly show: number
}

export function addReconcile(program: Command): void {
  withSelectionOptions(
    program
      .command('reconcile')
      .description(
        "Compare an acquirer's own list of transactions with the log: matched, missing here, missing there, different.",
      )
      .argument(
        '<file>',
        `CSV whose first line names ${NEEDED_COLUMNS.join(', ')} and, if it has them, ${OPTIONAL_COLUMNS.join(', ')}`,
      )
      .option('--acquirer <id>', 'whose the lines are that name no acquirer', acquirerOf)
      .option('--show <number>', 'lines shown of each kind', shownOf, DEFAULT_SHOWN)
      .addOption(new Option('--csv', 'print every line that does not match, as CSV').conflicts('json')),
  )
    .addHelpText(
      'after',
      `
Columns, in any order, divided by commas or semicolons:
  consecutive      as the acquirer sent it
  amount           pesos, with at most two decimals
  acquirer         the acquirer's id, or the merchant's; else --acquirer
  transactionCode  ${RECONCILED_CODES.join(', ')}; ${RECONCILED_CODES[0]} when empty
  state            approved (when empty), declined, reversed or voided
Missing there are approvals that were not undone, of the acquirers and codes that the list has, decided in the period of
--since and --until. An hour before and after the period is read as well. A charge counts whole, whatever was refunded.
The list is held in memory, up to a million lines; the log is not.
Exit code 1 also when lines cannot be read: they are told.`,
    )
    .action((file: string, options: Options) =>
      runCommand(options, (run) => withSource(options, (source) => reconcile(source, file, options, run))),
    )
}

async function reconcile(source: EventSource, file: string, options: Options, run: Run): Promise<Report> {
  const { since = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY } = options
  const reconciliation = new Reconciliation({
    acquirers: options.acquirer === undefined ? [] : [options.acquirer],
    isOfPeriod: (at) => at >= since && at < until,
  })
  try {
    const bad = await list(reconciliation, file, options)
    const foreign = await readLog(reconciliation, source, withEdges(selectionOf(options)), run)
    return reportOf(reconciliation.result, bad, foreign, options)
  } catch (error) {
    if (error instanceof ListError || error instanceof ListTooLongError) throw new AuditProblem(error.message)
    if (error instanceof CsvError)
      throw new AuditProblem(`line ${String(error['lines'])} of the list is not CSV (${error.code})`)
    throw error
  }
}

async function list(reconciliation: Reconciliation, file: string, { acquirer }: Options): Promise<readonly BadLine[]> {
  const bad: BadLine[] = []
  let lines = 0
  for await (const read of readRows(file, acquirer)) {
    lines++
    const reason = 'row' in read ? reconciliation.list(read.line, read.row) : read.reason
    if (reason !== null) bad.push({ line: read.line, reason })
    if (bad.length > MAX_BAD_LINES)
      throw new AuditProblem(`more than ${MAX_BAD_LINES} lines cannot be read: is it this file?`)
  }
  if (lines === 0 && acquirer === undefined)
    throw new AuditProblem('the list has no lines: say whose it is with --acquirer')
  return bad
}

async function readLog(
  reconciliation: Reconciliation,
  source: EventSource,
  selection: Selection,
  run: Run,
): Promise<number> {
  const stretches = await stretchesOf(source, selection)
  const total = stretches.reduce((sum, { start, end }) => sum + Number(end - start), 0)
  if (total === 0) throw new AuditProblem(`no events in this range of ${source.name}`)
  const progress = run.progress('records', total)
  let foreign = 0
  const skipped = { foreign: () => void foreign++ }
  for await (const { event, partition, offset } of readEvents(source, createAvroWire(), stretches, skipped)) {
    reconciliation.take(event, `${partition}/${offset}`)
    progress.add(1)
  }
  if (progress.count === 0)
    throw new AuditProblem(`none of the ${total} records is an event of ours: is this the topic authorization.events?`)
  return foreign
}

function withEdges(selection: Selection): Selection {
  const { since, until } = selection
  return {
    ...selection,
    ...(since === undefined ? {} : { since: Math.max(since - EDGE_MS, 0) }),
    ...(until === undefined ? {} : { until: until + EDGE_MS }),
  }
}

function reportOf(result: Reconciled, bad: readonly BadLine[], foreign: number, options: Options): Report {
  const { matched, missingHere, missingThere, different } = result
  const clean = missingHere.length + missingThere.length + different.length + bad.length === 0
  const counts = [
    `${matched.count} matched (${money(matched.amountMinor)} approved)`,
    `${missingHere.length} missing here`,
    `${missingThere.length} missing there`,
    `${different.length} different`,
    `${bad.length} lines could not be read`,
  ]
  const text = [
    counts.join(', '),
    ...(foreign > 0
      ? [`${foreign} records of the log could not be read as events of this release: more may be there`]
      : []),
    ...section(
      'missing here',
      missingHere,
      options,
      ({ line, scope, amountMinor }) => `line ${line}: ${scope} ${money(amountMinor)}`,
    ),
    ...section(
      'missing there',
      missingThere,
      options,
      ({ scope, here }) =>
        `${scope} ${money(here.amountMinor ?? 0)} at ${new Date(here.at).toISOString()} [${here.place}]`,
    ),
    ...section(
      'different',
      different,
      options,
      (one) => `line ${one.line}: ${one.scope} ${differenceText(one)} [${one.here.place}]`,
    ),
    ...section('could not be read', bad, options, ({ line, reason }) => `line ${line}: ${reason}`),
  ].join('\n')
  return {
    code: clean ? EXIT.well : EXIT.found,
    text: options.csv ? csvOf(result, bad) : text,
    json: { matched, missingHere, missingThere, different, bad, foreign },
  }
}

function section<T>(
  title: string,
  items: readonly T[],
  { show }: Options,
  lineOf: (item: T) => string,
): readonly string[] {
  if (items.length === 0) return []
  const more = items.length > show ? [`  and ${items.length - show} more: --show, --csv and --json tell them`] : []
  return ['', `${title}:`, ...items.slice(0, show).map((item) => `  ${lineOf(item)}`), ...more]
}

function differenceText({ what, there, here }: Difference): string {
  if (what === 'amount') return `${money(there.amountMinor)} there, ${money(here.amountMinor ?? 0)} here`
  return `${there.state} there, ${here.state}${here.state === 'declined' ? ` with ${here.responseCode}` : ''} here`
}

/** No field can hold a comma or a quote but the reason of a bad line, which is ours. */
function csvOf({ missingHere, missingThere, different }: Reconciled, bad: readonly BadLine[]): string {
  const pesos = (minor: number | undefined) => (minor === undefined ? '' : (minor / 100).toFixed(2))
  const fields = (scope: string) => scope.split(':').join(',')
  return [
    'result,line,acquirer,transactionCode,consecutive,amountThere,stateThere,amountHere,stateHere,codeHere,note',
    ...missingHere.map(
      ({ line, scope, amountMinor }) => `missing here,${line},${fields(scope)},${pesos(amountMinor)},,,,,`,
    ),
    ...missingThere.map(
      ({ scope, here }) =>
        `missing there,,${fields(scope)},,,${pesos(here.amountMinor)},${here.state},${here.responseCode},`,
    ),
    ...different.map(
      ({ line, scope, what, there, here }) =>
        `different,${line},${fields(scope)},${pesos(there.amountMinor)},${there.state},${pesos(here.amountMinor)},${here.state},${here.responseCode},${what}`,
    ),
    ...bad.map(({ line, reason }) => `could not be read,${line},,,,,,,,,"${reason}"`),
  ].join('\n')
}

function acquirerOf(text: string): string {
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(text)) throw new InvalidArgumentError('1-64 of letters, digits and ._-')
  return text
}

function shownOf(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('A whole number up to 999999.')
  return Number(text)
}
