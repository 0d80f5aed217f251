// What every audit command shares: where records come from, how progress, results and failures are told, and how a run
// ends. A command computes a report; only this file prints one, whole or not at all.

import { InvalidArgumentError, Option, type Command } from 'commander'
import { ContainerError } from '../../adapters/avro/container-bytes.ts'
import { KeyRingError } from '../../adapters/keys/key-ring.ts'
import { logSource, sourceAfter, type EventSource, type Selection } from '../../audit/event-source.ts'
import { ExportError } from '../../audit/export.ts'
import { ProofError } from '../../audit/prove.ts'
import { openFiles } from '../../audit/file-source.ts'
import type { Log } from '../../ports/log.ts'
import { connectToRead, explain } from '../connect.ts'
import { Progress } from './progress.ts'

/** Nothing was found; something was; it could not be done; Ctrl-C. */
export const EXIT = { well: 0, found: 1, failed: 2, interrupted: 130 } as const

export const EXIT_HELP = `
Exit codes: 0 nothing is wrong, 1 something was found and is printed, 2 it could not be done, 130 interrupted.
Results go to standard output, whole or not at all; progress and problems to standard error.`

/** Why a command cannot be done: a sentence for people that says what to do. */
export class AuditProblem extends Error {
  override readonly name = 'AuditProblem'
}

/** Errors whose messages are written for people and quote nothing. */
const TOLD_AS_THEY_ARE = [AuditProblem, ContainerError, ExportError, KeyRingError, ProofError]

export interface Report {
  readonly code: (typeof EXIT)[keyof typeof EXIT]
  /** For people; ends without a line break. */
  readonly text: string
  /** What `--json` prints instead. bigints become numbers. */
  readonly json: unknown
}

export interface Run {
  /** Aborted by Ctrl-C. Progress throws then, so that a loop that tells its progress ends. */
  readonly signal: AbortSignal
  progress(unit: string, total: number | null): Progress
}

export interface CommonOptions {
  readonly json?: boolean
}

export interface SourceOptions extends CommonOptions {
  readonly files?: readonly string[]
  readonly thenLog?: boolean
  readonly since?: number
  readonly until?: number
  readonly partition?: number
  readonly fromOffset?: bigint
  readonly toOffset?: bigint
}

/** `--json`, of every command. */
export function withCommonOptions(command: Command): Command {
  return command.option('--json', 'print the result as one JSON text').addHelpText('after', EXIT_HELP)
}

/** `--files` and `--then-log`, of every command that reads events. */
export function withSourceOptions(command: Command): Command {
  return withCommonOptions(command)
    .option('--files <paths...>', 'read exported files, or all in a folder, instead of the log')
    .option('--then-log', 'with --files: go on in the log where the files end', false)
}

/** What of the source is looked at. */
export function withSelectionOptions(command: Command): Command {
  return withSourceOptions(command)
    .addOption(
      new Option(
        '--since <time>',
        'only records of this time or later, such as 2026-11-21 or 2026-11-21T10:00Z',
      ).argParser(timeOf),
    )
    .addOption(new Option('--until <time>', 'only records before this time').argParser(timeOf))
    .addOption(new Option('--partition <number>', 'only this partition').argParser(partitionNumber))
    .addOption(new Option('--from-offset <offset>', 'only this offset and later ones').argParser(offsetOf))
    .addOption(new Option('--to-offset <offset>', 'only offsets below this').argParser(offsetOf))
}

/** @throws AuditProblem when the options exclude each other. */
export function selectionOf({ since, until, partition, fromOffset, toOffset }: SourceOptions): Selection {
  if (since !== undefined && until !== undefined && since >= until)
    throw new AuditProblem('--since must be before --until')
  if (fromOffset !== undefined && toOffset !== undefined && fromOffset >= toOffset) {
    throw new AuditProblem('--from-offset must be below --to-offset')
  }
  return { since, until, partition, fromOffset, toOffset }
}

/** The source that the options name, for as long as `work` takes. */
export async function withSource<T>(
  { files, thenLog = false }: SourceOptions,
  work: (source: EventSource) => Promise<T>,
): Promise<T> {
  if (thenLog && !files) throw new AuditProblem('--then-log needs --files')
  const opened = files && (await openFiles(files))
  if (opened && !thenLog) return work(opened)
  const log: Log = await connectToRead(process.env)
  try {
    return await work(opened ? sourceAfter(opened, logSource(log)) : logSource(log))
  } finally {
    await log.close()
  }
}

/** Runs a command to its report, prints it and sets the exit code. Never throws. */
export async function runCommand({ json = false }: CommonOptions, work: (run: Run) => Promise<Report>): Promise<void> {
  const abort = new AbortController()
  const interrupt = () => {
    if (abort.signal.aborted) process.exit(EXIT.interrupted)
    abort.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt)
  const open: Progress[] = []
  const run: Run = {
    signal: abort.signal,
    progress: (unit, total) => {
      const progress = new Progress(unit, total, abort.signal, process.stderr)
      open.push(progress)
      return progress
    },
  }
  try {
    const report = await work(run)
    for (const progress of open) progress.end()
    await print(json ? JSON.stringify(report.json, plain, 2) : report.text)
    process.exitCode = report.code
  } catch (error) {
    for (const progress of open) progress.end()
    process.exitCode = abort.signal.aborted ? EXIT.interrupted : EXIT.failed
    process.stderr.write(`${abort.signal.aborted ? 'interrupted: nothing was printed' : explainAudit(error)}\n`)
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt)
  }
}

function explainAudit(error: unknown): string {
  if (TOLD_AS_THEY_ARE.some((kind) => error instanceof kind)) return (error as Error).message
  const { code, path } = error as NodeJS.ErrnoException
  if (typeof code === 'string' && /^E[A-Z]+$/.test(code))
    return `${path ?? 'a file'} cannot be read or written (${code})`
  return explain(error)
}

/** Resolves when the text is out, also into a pipe. A reader that has gone is no failure. */
function print(text: string): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.once('error', () => resolve())
    process.stdout.write(`${text}\n`, () => resolve())
  })
}

function plain(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value
}

function timeOf(text: string): number {
  const time = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text)
    ? Date.parse(text)
    : Number.NaN
  if (Number.isNaN(time))
    throw new InvalidArgumentError('A date (UTC) or a time with its zone, such as 2026-11-21T10:00Z.')
  return time
}

function partitionNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError('A whole number.')
  return Number(text)
}

function offsetOf(text: string): bigint {
  if (!/^\d{1,18}$/.test(text)) throw new InvalidArgumentError('A whole number.')
  return BigInt(text)
}
