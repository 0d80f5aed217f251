// npm run schemas: the Avro schemas and their released versions. A released version is never changed again: old records
// are read with it.
import { Command } from 'commander'
import { Dictionary } from '../services/adapters/avro/dictionary.ts'
import { problemsOf } from '../services/adapters/avro/compatibility.ts'
import { SchemaError } from '../services/adapters/avro/schema.ts'
import { freeze, isUnreleased, readSchemaFolder, SCHEMAS } from '../services/adapters/avro/schema-folder.ts'
import { createRegistryClient, RegistryError } from '../services/adapters/registry/client.ts'
import { SchemaIds } from '../services/adapters/registry/schema-ids.ts'
import { registryOf, wireVariables } from '../services/runtime/config-wire.ts'
import { ConfigError, readEnv } from '../services/runtime/env.ts'

const EXIT_REFUSED = 1
const EXIT_FAILED = 2

/** The program; `folder` holds the schemas, `say` takes lines for people. */
export function schemasProgram(folder: URL, say: (line: string) => void): Command {
  const program = new Command('npm run schemas --').description(
    'The Avro schemas of schemas/ and their released versions in schemas/released/.',
  )
  program
    .command('check')
    .description('Check the present schemas against every released version, in both directions.')
    .option('--released', 'fail as well when a schema has changes that are not released', false)
    .addHelpText('after', '\nExit codes: 0 all is well, 1 something is refused, 2 the schemas cannot be read.')
    .action(({ released }: { released: boolean }) => ending(say, () => check(folder, say, released)))
  program
    .command('release')
    .description('Keep the present schemas as released versions. Do it last, when the release is cut: it is for ever.')
    .addHelpText(
      'after',
      '\nExit codes: 0 done or nothing to do, 1 a schema is refused and nothing was written, 2 failed.',
    )
    .action(() => ending(say, () => release(folder, say)))
  program
    .command('list')
    .description('Show each message with its versions and their fingerprints.')
    .action(() => ending(say, () => list(folder, say)))
  program
    .command('register')
    .description('Register every version, oldest first, at SCHEMA_REGISTRY_URL, each under its record as subject.')
    .addHelpText(
      'after',
      '\nFor registries at which the services may not register (SCHEMA_REGISTRY_REGISTER=false). Safe to repeat.',
    )
    .action(() => ending(say, () => register(folder, say)))
  return program
}

function check(folder: URL, say: (line: string) => void, mustBeReleased: boolean): number {
  const messages = readSchemaFolder(folder)
  const problems = problemsOf(messages)
  for (const problem of problems) say(problem)
  const fresh = messages.filter(isUnreleased).map(({ name }) => name)
  const versions = messages.reduce((sum, { released }) => sum + released.length, 0)
  if (problems.length === 0) say(`${messages.length} schemas agree with ${versions} released versions`)
  if (fresh.length > 0) say(`not released yet: ${fresh.join(', ')} (npm run schemas -- release)`)
  return problems.length > 0 || (mustBeReleased && fresh.length > 0) ? EXIT_REFUSED : 0
}

function release(folder: URL, say: (line: string) => void): number {
  const messages = readSchemaFolder(folder)
  const problems = problemsOf(messages)
  if (problems.length > 0) {
    for (const problem of problems) say(problem)
    say('nothing was released')
    return EXIT_REFUSED
  }
  const frozen = freeze(folder, messages)
  for (const { fullName, version, fingerprint } of frozen) say(`${fullName} version ${version} ${fingerprint}`)
  say(frozen.length === 0 ? 'nothing to release: every schema is as its last version' : 'commit schemas/released')
  return 0
}

function list(folder: URL, say: (line: string) => void): number {
  for (const message of readSchemaFolder(folder)) {
    const { name, present, released } = message
    for (const { version, fingerprint } of released) {
      say(`${name} ${version} ${fingerprint}${fingerprint === present.fingerprint ? ' (present)' : ''}`)
    }
    if (isUnreleased(message)) say(`${name} unreleased ${present.fingerprint} (present)`)
  }
  return 0
}

async function register(folder: URL, say: (line: string) => void): Promise<number> {
  const registry = registryOf(readEnv(wireVariables, process.env))
  if (!registry) throw new ConfigError(['SCHEMA_REGISTRY_URL: is required'])
  const dictionary = new Dictionary(readSchemaFolder(folder))
  const ids = new SchemaIds({ client: createRegistryClient(registry), dictionary, register: true })
  for (const { name } of readSchemaFolder(folder)) {
    for (const { schema } of dictionary.readersOf(name)) {
      say(`${schema.fullName} ${schema.fingerprint} id ${await ids.ensure(schema.fingerprint)}`)
    }
  }
  return 0
}

async function ending(say: (line: string) => void, work: () => number | Promise<number>): Promise<void> {
  try {
    process.exitCode = await work()
  } catch (error) {
    const told = error instanceof SchemaError || error instanceof RegistryError || error instanceof ConfigError
    if (!told) throw error
    say(error.message)
    process.exitCode = EXIT_FAILED
  }
}

if (import.meta.main) {
  await schemasProgram(SCHEMAS, (line) => void process.stdout.write(`${line}\n`)).parseAsync()
}
