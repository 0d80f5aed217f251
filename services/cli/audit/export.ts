// audit export: the log as files that outlive its retention.

import { Option, type Command } from 'commander'
import { CODECS, type Codec } from '../../adapters/avro/container-write.ts'
import { exportLog } from '../../audit/export.ts'
import { AuditProblem, EXIT, runCommand, withCommonOptions, withSource, type CommonOptions, type Run } from './frame.ts'

interface Options extends CommonOptions {
  readonly codec: Codec
}

export function addExport(program: Command): void {
  withCommonOptions(
    program
      .command('export')
      .description(
        'Write events, checkpoints and epochs to Avro object container files by day; a folder with files is gone on with.',
      )
      .argument('<folder>', 'where the files are, or are to be')
      .addOption(
        new Option('--codec <codec>', 'how blocks are packed: deflate takes about a quarter of the space')
          .choices(CODECS)
          .default('deflate'),
      )
      .addHelpText(
        'after',
        `
Files are whole or not there: what was cut is written again by the next run. Days are those of the records' timestamps, UTC.
verify, replay and the others read them with --files FOLDER; any Avro tool opens them.`,
      ),
  ).action((folder: string, options: Options) => runCommand(options, (run) => work(folder, options, run)))
}

function work(folder: string, { codec }: Options, run: Run) {
  return withSource({}, async (source) => {
    let progress: ReturnType<Run['progress']> | null = null
    let total: number | null = null
    const { files, records, before, gone } = await exportLog({
      source,
      folder,
      codec,
      onTotal: (count) => {
        total = count
      },
      onRecords: (count) => (progress ??= run.progress('records', total)).add(count),
    })
    if (records === 0 && before === 0) throw new AuditProblem('there are no events here: nothing was exported')
    const number = (count: number) => count.toLocaleString('en')
    const lines = [
      `${number(records)} records in ${files.length} new files; ${number(before)} were in ${folder} before`,
      ...gone.map(
        ({ topic, partition, from, to }) =>
          `${topic} ${partition}: offsets ${from} to ${to - 1n} are neither here nor in the log`,
      ),
    ]
    return {
      code: gone.length > 0 && before > 0 ? EXIT.found : EXIT.well,
      text: lines.join('\n'),
      json: { folder, files, records, before, gone },
    }
  })
}
