// audit keys: the public keys that checkpoints are checked with, for handing over, and new signing keys.

import type { Command } from 'commander'
import { drawSigningKey, publicKeysOf } from '../../adapters/keys/signing.ts'
import { readPublicKeys } from '../../runtime/config-audit.ts'
import { EXIT, runCommand, withCommonOptions, type CommonOptions } from './frame.ts'

export function addKeys(program: Command): void {
  withCommonOptions(
    program
      .command('keys')
      .description('Print the public keys of the notary, as JSON, to hand over to auditors; or make a signing key.')
      .option(
        '--new <id>',
        'make a signing key with this id (1-8 of a-z and 0-9): it is secret, put it first in SIGNING_KEYS',
      ),
  ).action((options: CommonOptions & { readonly new?: string }) =>
    runCommand(options, async () => {
      const keys = options.new === undefined ? readPublicKeys(process.env) : [drawSigningKey(options.new)]
      const shown = options.new === undefined ? keys : { signing: keys, public: publicKeysOf(keys) }
      return { code: EXIT.well, text: JSON.stringify(shown), json: shown }
    }),
  )
}
