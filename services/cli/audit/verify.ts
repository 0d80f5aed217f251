// audit verify: whether anything was changed, and where.

import { InvalidArgumentError, Option, type Command } from 'commander'
import { createAvroWire } from '../../adapters/avro/wire.ts'
import { createSignatureVerifier } from '../../adapters/keys/signing.ts'
import { verify, type Verified } from '../../audit/verify.ts'
import { faultLine } from '../../audit/fault.ts'
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
import { publicKeysFrom } from './public-keys.ts'

interface Options extends SourceOptions {
  readonly publicKeys?: string
  readonly expect?: { readonly sequence: number; readonly hash: string }
  readonly allowForeign?: boolean
}

export function addVerify(program: Command): void {
  withSelectionOptions(
    program
      .command('verify')
      .description(
        "Check every slot's hash chain and the notary's signed checkpoints; name the first bad place and what is wrong there.",
      ),
  )
    .option('--public-keys <file>', 'public keys of the notary, as `keys` prints them; else AUDIT_PUBLIC_KEYS')
    .addOption(
      new Option('--expect <sequence:hash>', 'a checkpoint of an earlier report: it must still be there').argParser(
        expectation,
      ),
    )
    .option(
      '--allow-foreign',
      'count records that are no events of this service instead of stopping at the first',
      false,
    )
    .addHelpText(
      'after',
      `
Faults: changed, missing, added, moved, forked, wrong signature. In each partition the first one is told.
What it proves and what not: services/decisions/0018-checkpoints.md. Keep the last line of a report: with --expect the next
run shows that nothing was cut off behind it.`,
    )
    .action((options: Options) =>
      runCommand(options, (run) => withSource(options, (source) => work(options, run, source))),
    )
}

async function work(
  options: Options,
  run: Run,
  source: Parameters<Parameters<typeof withSource>[1]>[0],
): Promise<Report> {
  const verifier = createSignatureVerifier(publicKeysFrom(options.publicKeys))
  const selection = selectionOf(options)
  let total: number | null = null
  const began = performance.now()
  let progress: ReturnType<Run['progress']> | null = null
  const verified = await verify({
    source,
    wire: createAvroWire(),
    verifier,
    selection,
    expected: options.expect,
    allowForeign: options.allowForeign,
    onTotal: (count) => {
      total = count
    },
    onRecords: (count) => (progress ??= run.progress('records', total)).add(count),
  })
  run.signal.throwIfAborted()
  const seconds = (performance.now() - began) / 1_000
  refuseNothing(verified, verifier.keyIds)
  return reportOf(source.name, verified, seconds)
}

/** @throws AuditProblem when there was nothing that could be verified. */
function refuseNothing({ chain, partitions, faults }: Verified, keyIds: readonly string[]): void {
  const records = partitions.reduce((sum, part) => sum + part.records, 0)
  if (chain.checkpoints === 0 && chain.unknownKeyIds.length > 0) {
    throw new AuditProblem(
      `wrong key: checkpoints are signed with ${chain.unknownKeyIds.join(', ')}, the public keys given are of ${keyIds.join(', ')}`,
    )
  }
  if (records === 0 && faults.length === 0) throw new AuditProblem('there are no events here: nothing to verify')
  const foreign = partitions.every(({ records: all, foreign: odd }) => all === odd)
  if (records > 0 && foreign && chain.checkpoints === 0) {
    throw new AuditProblem('none of the records met is an event of this service: this is another topic, or not ours')
  }
}

function reportOf(source: string, { chain, partitions, cutRanges, faults }: Verified, seconds: number): Report {
  const sum = (of: (part: Verified['partitions'][number]) => number) =>
    partitions.reduce((all, part) => all + of(part), 0)
  const records = sum((part) => part.records)
  const rate = Math.round(records / Math.max(seconds, 0.001))
  const number = (value: number) => value.toLocaleString('en')
  const { first, last } = chain
  const counts: readonly [number, string][] = [
    [sum((part) => part.duplicates), 'equal duplicates'],
    [sum((part) => part.void), 'void by an older epoch'],
    [sum((part) => part.outsideChains), 'outside chains (refusals, rules, barriers)'],
    [sum((part) => part.foreign), 'no events of this service'],
  ]
  const lines = [
    `${number(records)} records of ${source} in ${seconds.toFixed(1)} s, ${number(rate)} a second; ${number(sum((part) => part.slots))} chains`,
    ...counts.filter(([count]) => count > 0).map(([count, what]) => `  ${number(count)} ${what}`),
    `${number(sum((part) => part.covered))} covered by ${number(chain.checkpoints)} checkpoints${first && last ? ` (${first.sequence} to ${last.sequence}, keys ${chain.keyIds.join(', ')})` : ''}`,
    `${number(sum((part) => part.after))} after the last checkpoint: there only chain faults are found`,
    ...optional(
      sum((part) => part.before),
      'before the first checkpoint',
    ),
    ...optional(chain.superseded, 'checkpoints superseded: two notaries signed at once'),
    ...optional(cutRanges, 'ranges of checkpoints lie partly outside, and were not checked'),
    ...faults.map(faultLine),
    faults.length === 0
      ? 'nothing is wrong'
      : `${faults.length} of ${partitions.length + 1} parts are bad; the first bad place of each is above`,
    ...(last ? [`keep this: --expect ${last.sequence}:${last.hash}`] : []),
  ]
  return {
    code: faults.length === 0 ? EXIT.well : EXIT.found,
    text: lines.join('\n'),
    json: {
      ok: faults.length === 0,
      source,
      records,
      seconds,
      recordsPerSecond: rate,
      chain,
      partitions,
      cutRanges,
      faults,
    },
  }
}

function optional(count: number, what: string): readonly string[] {
  return count > 0 ? [`${count.toLocaleString('en')} ${what}`] : []
}

function expectation(text: string): { sequence: number; hash: string } {
  const [, sequence, hash] = /^([1-9]\d{0,14}):([A-Za-z0-9_-]{43})$/.exec(text) ?? []
  if (sequence === undefined || hash === undefined)
    throw new InvalidArgumentError('As the last line of a report has it: 12:AbC….')
  return { sequence: Number(sequence), hash }
}
