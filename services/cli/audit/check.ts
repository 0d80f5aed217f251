// audit check: an inclusion proof, checked as a third party does, by the same script.

import type { Command } from 'commander'
import { ownDictionary } from '../../adapters/avro/dictionary.ts'
import { checkProof } from '../../audit/offline/check.mjs'
import type { Proof } from '../../audit/prove.ts'
import { readTextFile } from '../../runtime/env.ts'
import { AuditProblem, EXIT, runCommand, withCommonOptions, type CommonOptions } from './frame.ts'
import { publicKeysFrom } from './public-keys.ts'

export function addCheck(program: Command): void {
  withCommonOptions(
    program
      .command('check')
      .description('Check an inclusion proof. Needs no log: only the file and the public keys.')
      .argument('<file>', 'what prove printed')
      .option('--public-keys <file>', 'public keys of the notary, as `keys` prints them; else AUDIT_PUBLIC_KEYS'),
  ).action((file: string, options: CommonOptions & { readonly publicKeys?: string }) =>
    runCommand(options, async () => {
      const { proved, records } = checked(file, options.publicKeys)
      const lines = records.flatMap(({ place, problem, signedAt, event, schemaSha256 }) =>
        problem === null
          ? [
              `PROVED ${place}, signed at ${signedAt}`,
              `read by the schema with SHA-256 ${schemaSha256}:`,
              JSON.stringify(event, null, 2),
            ]
          : [`NOT PROVED ${place}: ${problem}`],
      )
      return { code: proved ? EXIT.well : EXIT.found, text: lines.join('\n'), json: { proved, records } }
    }),
  )
}

function checked(file: string, publicKeys: string | undefined) {
  const keys = publicKeysFrom(publicKeys)
  try {
    const proof = JSON.parse(readTextFile(file, file)) as Proof
    const { proved, records } = checkProof(proof, keys)
    const problems = records.map(({ problem }, n) => problem ?? foreignSchema(proof, n))
    return {
      proved: proved && problems.every((problem) => problem === null),
      records: records.map((record, n) => ({ ...record, problem: problems[n] ?? null })),
    }
  } catch (error) {
    if (error instanceof Error && error.name === 'ConfigError') throw error
    throw new AuditProblem(
      `${file}: ${error instanceof SyntaxError ? 'no JSON, or not all of it' : error instanceof Error ? error.message : 'not readable'}`,
    )
  }
}

/** A proof brings the schema that its record is read by, unsigned: here it must be the one that this version knows. */
function foreignSchema({ records, schemas }: Proof, n: number): string | null {
  const value = records[n]?.value
  if (value === null || value === undefined) return null
  const known = ownDictionary().schemaTextOf(Buffer.from(value, 'base64'))
  if (!known) return 'this version has no schema of its kind, so what it says cannot be trusted'
  return schemas[known.fingerprint] === known.text ? null : 'it is read by a schema that was changed'
}
