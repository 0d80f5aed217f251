// audit replay: every command decided again from what its event recorded.

import { InvalidArgumentError, type Command } from 'commander'
import { createAvroWire } from '../../adapters/avro/wire.ts'
import { readEvents, stretchesOf, type EventSource, type Stretch } from '../../audit/event-source.ts'
import { name, ReplayReport, type Example } from '../../audit/replay/replay-report.ts'
import { Replay } from '../../audit/replay/replay.ts'
import { RulesFinder } from '../../audit/replay/rules-finder.ts'
import type { Rules } from '../../core/subject/rules.ts'
import { rulesOf, rulesVariables } from '../../runtime/config-groups.ts'
import { readEnv } from '../../runtime/env.ts'
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

const DEFAULT_EXAMPLES = 3
const MAX_EXAMPLES = 1_000

interface Options extends SourceOptions {
  readonly withRules: 'recorded' | 'current'
  readonly examples: number
}

export function addReplay(program: Command): void {
  withSelectionOptions(
    program
      .command('replay')
      .description('Decide every recorded command again, and compare outcome and facts.')
      .option(
        '--with-rules <which>',
        'recorded: by the rules of each record; current: by the rules of the environment and this release',
        whichRules,
        'recorded',
      )
      .option('--examples <number>', 'examples shown of each change', exampleCount, DEFAULT_EXAMPLES),
  )
    .addHelpText(
      'after',
      `
Events before a range are read all the same, to know the state they left; only those in the range are decided again.
Each decision stands on what is recorded before it, not on what would have been decided before it.
Replay trusts what an event says it saw: \`verify\` says whether events are as they were.`,
    )
    .action((options: Options) =>
      runCommand(options, (run) => withSource(options, (source) => replay(source, options, run))),
    )
}

async function replay(source: EventSource, options: Options, run: Run): Promise<Report> {
  const wire = createAvroWire()
  const { until, toOffset, partition } = selectionOf(options)
  const wanted = new Map(
    (await stretchesOf(source, selectionOf(options))).map((stretch) => [stretch.partition, stretch]),
  )
  const stretches = await stretchesOf(source, { until, toOffset, partition })
  const total = stretches.reduce((sum, { start, end }) => sum + Number(end - start), 0)
  if (total === 0) throw new AuditProblem(`no events in this range of ${source.name}`)
  const rules = new RulesFinder(source, wire)
  const today = options.withRules === 'current' ? rulesOf(readEnv(rulesVariables, process.env)) : undefined
  const engine = new Replay({
    rulesFor: (id) => rules.find(id),
    wanted: (record) => record.offset >= (wanted.get(record.partition)?.start ?? record.offset + 1n),
    ...(today === undefined ? {} : { today }),
  })
  const report = new ReplayReport(options.examples)
  const skipped = { foreign: 0, void: 0 }
  const progress = run.progress('records', total)
  const events = readEvents(source, wire, stretches, {
    foreign: () => void skipped.foreign++,
    void: () => void skipped.void++,
  })
  for await (const record of events) {
    report.add(record, await engine.take(record))
    progress.add(1)
  }
  if (progress.count === 0) {
    throw new AuditProblem(`none of the ${total} records is an event of ours: is this the topic authorization.events?`)
  }
  const summary = { events: progress.count, ...skipped, seconds: progress.seconds, today, notes: notesOn(stretches) }
  return reportOf(report, summary)
}

interface Summary {
  readonly events: number
  readonly foreign: number
  readonly void: number
  readonly seconds: number
  readonly today: Rules | undefined
  readonly notes: readonly string[]
}

/** Where the log does not begin any more: what stands on what came before cannot be taken again. */
export function notesOn(stretches: readonly Stretch[]): readonly string[] {
  return stretches
    .filter(({ fromBeginning }) => !fromBeginning)
    .map(
      ({ partition, start }) =>
        `partition ${partition} begins at offset ${start}: what came before is read from exported files (--files, --then-log)`,
    )
}

function reportOf(report: ReplayReport, { events, foreign, seconds, today, notes, ...skipped }: Summary): Report {
  const { same, different, notRun, repeated, ungrouped, changes, failures } = report
  const decided = same + different
  const rate = Math.round(events / Math.max(seconds, 0.001)).toLocaleString('en')
  const lines = [
    `${decided + notRun} decisions: ${same} the same, ${different} different, ${notRun} could not be taken again`,
    `${events} events read in ${seconds.toFixed(1)} s (${rate} a second); ${repeated} repeated, ${skipped.void} void, ${foreign} no events of ours`,
    ...notes,
    ...changes.flatMap(({ before, now, count, examples }) => [
      '',
      `${count}: ${name(before)} → ${name(now)}`,
      ...examples.map(line),
    ]),
    ...failures.flatMap(({ why, count, examples }) => [
      '',
      `${count} could not be taken again: ${why}`,
      ...examples.map(line),
    ]),
    ...(ungrouped > 0 ? ['', `${ungrouped} further ones, of too many kinds to be told apart`] : []),
  ]
  return {
    code: different + notRun > 0 ? EXIT.found : EXIT.well,
    text: lines.join('\n'),
    json: {
      rules: today ? 'current' : 'recorded',
      events,
      same,
      different,
      notRun,
      repeated,
      void: skipped.void,
      foreign,
      seconds,
      changes,
      failures,
      ungrouped,
      notes,
    },
  }
}

function line({ place, scope, slot, version, field, recorded, again }: Example): string {
  const where = slot === undefined ? '' : ` [${slot} v${version}]`
  const what = field === undefined ? '' : `: ${field} was ${recorded}, is ${again}`
  return `  ${place} ${scope}${where}${what}`
}

function whichRules(text: string): Options['withRules'] {
  if (text !== 'recorded' && text !== 'current') throw new InvalidArgumentError('One of recorded, current.')
  return text
}

function exampleCount(text: string): number {
  const count = Number(text)
  if (!/^\d{1,4}$/.test(text) || count > MAX_EXAMPLES) throw new InvalidArgumentError(`0 to ${MAX_EXAMPLES}.`)
  return count
}
