// How every command line reads its arguments and ends: a wrong call is exit code 2, as all that could not be done.

import { Command, CommanderError } from 'commander'

/** It could not be done, or the call was wrong. */
export const EXIT_FAILED = 2

/** @param name as people call it: `npm run audit --` */
export function createProgram(name: string): Command {
  return new Command(name).exitOverride()
}

/** Runs what the arguments ask for; commander has told by then what is wrong with them. */
export async function runProgram(program: Command): Promise<void> {
  try {
    await program.parseAsync()
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    process.exitCode = error.exitCode === 0 ? 0 : EXIT_FAILED
  }
}
