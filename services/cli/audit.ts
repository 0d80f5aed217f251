// npm run audit: what was decided, proved from the log or from exported files. Each command has a file of its own in
// audit/; this one only puts them together.

import type { Command } from 'commander'
import { EXIT_HELP } from './audit/frame.ts'
import { addCheck } from './audit/check.ts'
import { addExport } from './audit/export.ts'
import { addProve } from './audit/prove.ts'
import { addVerify } from './audit/verify.ts'
import { addKeys } from './audit/keys.ts'
import { addReconcile } from './audit/reconcile.ts'
import { addDump, addRebuild } from './audit/rebuild.ts'
import { addReplay } from './audit/replay.ts'
import { addTimeline } from './audit/timeline.ts'
import { createProgram, runProgram } from './program.ts'

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

const program = createProgram('npm run audit --')
  .description(
    'Audit of authorization events. Reads Kafka when KAFKA_BROKERS is set, else the embedded service on PORT; with --files neither.',
  )
  .addHelpText('after', EXIT_HELP)
for (const add of COMMANDS) add(program)

await runProgram(program)
