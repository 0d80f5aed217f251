// audit prove: an inclusion proof of one transaction, to hand over.

import { InvalidArgumentError, type Command } from 'commander'
import { ownDictionary } from '../../adapters/avro/dictionary.ts'
import { createAvroWire } from '../../adapters/avro/wire.ts'
import { createSignatureVerifier } from '../../adapters/keys/signing.ts'
import { prove } from '../../audit/prove.ts'
import { EXIT, runCommand, withSource, withSourceOptions, type Run, type SourceOptions } from './frame.ts'
import { publicKeysFrom } from './public-keys.ts'

interface Options extends SourceOptions {
  readonly acquirer?: string
  readonly transactionCode?: string
  readonly publicKeys?: string
}

export function addProve(program: Command): void {
  withSourceOptions(
    program
      .command('prove')
      .description(
        'Print an inclusion proof of the events of a transaction consecutive, as JSON: prove CONSECUTIVE > FILE.',
      )
      .argument('<consecutive>', 'transaction consecutive', consecutiveOf)
      .option('--acquirer <id>', 'only of this acquirer')
      .option('--transaction-code <code>', 'only of this transaction code')
      .option('--public-keys <file>', 'public keys of the notary, as `keys` prints them; else AUDIT_PUBLIC_KEYS')
      .addHelpText(
        'after',
        `
The proof holds the events as they are on the log. A third party checks it offline with the public keys alone:
node services/audit/offline/check.mjs FILE PUBLIC-KEYS. That script needs Node and nothing else, so hand it over.`,
      ),
  ).action((consecutive: string, options: Options) => runCommand(options, (run) => work(consecutive, options, run)))
}

function work(consecutive: string, options: Options, run: Run) {
  const verifier = createSignatureVerifier(publicKeysFrom(options.publicKeys))
  const { acquirer: acquirerId, transactionCode } = options
  return withSource(options, async (source) => {
    let progress: ReturnType<Run['progress']> | null = null
    let total: number | null = null
    const dictionary = ownDictionary()
    const proof = await prove(
      {
        source,
        verifier,
        wire: createAvroWire(dictionary),
        schemaOf: (value) => dictionary.schemaTextOf(value),
        onTotal: (count) => {
          total = count
        },
        onRecords: (count) => (progress ??= run.progress('records', total)).add(count),
      },
      { consecutive, acquirerId, transactionCode },
    )
    return { code: EXIT.well, text: JSON.stringify(proof, null, 2), json: proof }
  })
}

function consecutiveOf(text: string): string {
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(text))
    throw new InvalidArgumentError('1 to 64 of A-Z, a-z, 0-9, dot, dash and underscore.')
  return text
}
