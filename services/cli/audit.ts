// npm run audit: what was decided, proved from the log or from exported files. Each command has a file of its own in
// audit/; this one only puts them together.

import { Command, CommanderError } from 'commander'
import { EXIT, EXIT_HELP } from './audit/frame.ts'
import { addCheck } from './audit/check.ts'
import { addExport } from './audit/export.ts'
import { addProve } from './audit/prove.ts'
import { addVerify } from './audit/verify.ts'
import { addKeys } from './audit/keys.ts'
import { addReconcile } from './audit/reconcile.ts'
import { addDump, addRebuild } from './audit/rebuild.ts'
import { addReplay } from './audit/replay.ts'
import { addTimeline } from './audit/timeline.ts'

/** Each adds one command. */
const COMMANDS: readonly ((program: Command) => void)[] = [
  addVerify,
  addReplay,
  addRebuild,
  addDump,
  addTimeline,
  addReconcile,
  addExport,
  addProve,
  addCheck,
  addKeys,
]

const program = new Command('npm run audit --')
  .description(
    'Audit of authorization events. Reads Kafka when KAFKA_BROKERS is set, else the embedded service on PORT; with --files neither.',
  )
  .addHelpText('after', EXIT_HELP)
  .exitOverride()
for (const add of COMMANDS) add(program)

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  process.exitCode = error.exitCode === 0 ? EXIT.well : EXIT.failed
}
