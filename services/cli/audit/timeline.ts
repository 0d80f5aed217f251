// audit timeline: every event of one transaction or subject, in order, with the true reasons.

import { InvalidArgumentError, Option, type Command } from 'commander'
import { createAvroWire } from '../../adapters/avro/wire.ts'
import { createKeyRing } from '../../adapters/keys/key-ring.ts'
import { createSignatureVerifier } from '../../adapters/keys/signing.ts'
import { readEvents, stretchesOf, type EventSource, type Stretch } from '../../audit/event-source.ts'
import { RulesFinder } from '../../audit/replay/rules-finder.ts'
import { coverageOf, placeName } from '../../audit/timeline/coverage.ts'
import { timelinePage } from '../../audit/timeline/page.ts'
import type { Query } from '../../audit/timeline/query.ts'
import { timelineText } from '../../audit/timeline/text.ts'
import { Collector, Finder, TimelineTooLongError, type Entry } from '../../audit/timeline/timeline.ts'
import type { KeyRing } from '../../ports/keys.ts'
import type { Wire } from '../../ports/wire.ts'
import { readCliKeys } from '../../runtime/config-cli.ts'
import { ConfigError } from '../../runtime/env.ts'
import {
  askNumber,
  cardNumberOf,
  DOCUMENT_TYPES,
  documentOf,
  terminalOf,
  tokenOf,
  TypedNumberError,
  type DocumentType,
} from '../typed-numbers.ts'
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
import { notesOn } from './replay.ts'

interface Options extends SourceOptions {
  readonly acquirer?: string
  readonly card?: boolean
  readonly document?: DocumentType
  readonly token?: boolean
  readonly terminal?: string
  readonly numberFile?: string
  readonly html?: boolean
  readonly proof: boolean
  readonly publicKeys?: string
}

interface Asked {
  readonly query: Query
  /** For people; names no number. */
  readonly title: string
}

export function addTimeline(program: Command): void {
  withSelectionOptions(
    program
      .command('timeline')
      .description(
        'Show every event of one transaction, card, document, terminal or token, in order, with the true reasons.',
      )
      .argument('[consecutive]', 'a transaction consecutive', consecutiveOf)
      .option('--acquirer <id>', 'with a consecutive: whose, when several acquirers used it')
      .option('--card', 'all of a card, by its number')
      .addOption(
        new Option('--document <type>', 'all of a holder, by the number of a document').choices(DOCUMENT_TYPES),
      )
      .option('--token', 'all of a payment token, by its digits; other subjects may have had the same')
      .option('--terminal <acquirer:store:terminal>', 'all of a terminal')
      .option('--number-file <file>', 'read the number from the first line of a file')
      .option('--html', 'print one HTML page that needs nothing else'),
  )
    .option('--no-proof', 'do not look for checkpoints')
    .option('--public-keys <file>', 'public keys of the notary, as `keys` prints them; else AUDIT_PUBLIC_KEYS')
    .addHelpText(
      'after',
      `
Numbers are asked for on the terminal or read from standard input; they are hashed here with the identity key (KEYS),
and never sent, logged or taken as arguments. Checks: [x] passed, [!] decided here, [ ] not reached.
\`prove\` makes the file by which somebody else checks that an event was not changed.`,
    )
    .action((consecutive: string | undefined, options: Options) =>
      runCommand(options, async (run) => {
        const asked = await askedOf(consecutive, options)
        return withSource(options, (source) => timeline(source, asked, options, run))
      }),
    )
}

async function timeline(source: EventSource, { query, title }: Asked, options: Options, run: Run): Promise<Report> {
  const wire = createAvroWire()
  const { until, toOffset, partition } = selectionOf(options)
  const shown = new Map((await stretchesOf(source, selectionOf(options))).map((part) => [part.partition, part]))
  const stretches = await stretchesOf(source, { until, toOffset, partition })
  const finder = new Finder(query)
  const { events, foreign } = await readAll({ source, wire, stretches, run }, (record) => finder.look(record.event))
  if (events === 0) throw nothingRead(source.name, foreign)
  refuseAmbiguous(query, finder.acquirers)
  const { found } = finder
  if (found.scopes.size === 0) throw new AuditProblem(`nothing is recorded of ${title}${hint(query)}`)
  const rules = new RulesFinder(source, wire)
  const collector = new Collector(
    query,
    found,
    (id) => rules.find(id),
    ({ partition: at, offset }) => offset >= (shown.get(at)?.start ?? offset + 1n),
  )
  await readAll({ source, wire, stretches, run }, (record) => collector.take(record))
  const { entries, notes } = await proved(collector.entries, { source, wire }, options)
  notes.push(...notesOn(stretches))
  if (foreign > 0) notes.unshift(`${foreign} records could not be read as events of this release: this may not be all.`)
  if (entries.length === 0) throw new AuditProblem(`nothing is recorded of ${title} in this range`)
  const heading = `Timeline of ${title}: ${entries.length} ${entries.length === 1 ? 'event' : 'events'}`
  const text = options.html ? timelinePage(heading, notes, entries) : timelineText(heading, notes, entries)
  return { code: EXIT.well, text, json: { timeline: title, notes, entries } }
}

interface Reading {
  readonly source: EventSource
  readonly wire: Wire
  readonly stretches: readonly Stretch[]
  readonly run: Run
}

type EventRecord = Parameters<Collector['take']>[0]

async function readAll(
  { source, wire, stretches, run }: Reading,
  each: (record: EventRecord) => void | Promise<void>,
): Promise<{ readonly events: number; readonly foreign: number }> {
  const progress = run.progress(
    'records',
    stretches.reduce((sum, { start, end }) => sum + Number(end - start), 0),
  )
  let foreign = 0
  try {
    for await (const record of readEvents(source, wire, stretches, { foreign: () => void foreign++ })) {
      await each(record)
      progress.add(1)
    }
  } catch (error) {
    if (error instanceof TimelineTooLongError)
      throw new AuditProblem(`${error.message}: choose less with --since and --until`)
    throw error
  }
  return { events: progress.count, foreign }
}

/** With the checkpoints that cover them, where there are keys to check these. */
async function proved(
  entries: readonly Entry[],
  deps: { readonly source: EventSource; readonly wire: Wire },
  options: Options,
): Promise<{ readonly entries: readonly Entry[]; readonly notes: string[] }> {
  if (!options.proof) return { entries, notes: [] }
  let verifier
  try {
    verifier = createSignatureVerifier(publicKeysFrom(options.publicKeys))
  } catch (error) {
    if (!(error instanceof ConfigError) || options.publicKeys !== undefined) throw error
    return {
      entries,
      notes: ['Without proofs: no public keys of the notary are given (--public-keys, AUDIT_PUBLIC_KEYS).'],
    }
  }
  const covered = await coverageOf(entries, { ...deps, verifier })
  return { entries: entries.map((entry) => ({ ...entry, coverage: covered.get(placeName(entry)) ?? null })), notes: [] }
}

/** What is asked, its number hashed. @throws AuditProblem, ConfigError */
async function askedOf(consecutive: string | undefined, options: Options): Promise<Asked> {
  const { card, document: type, token, terminal, acquirer } = options
  const given = [consecutive, card, type, token, terminal].filter((one) => one !== undefined)
  if (given.length !== 1)
    throw new AuditProblem(
      'say of what: a consecutive, --card, --document <type>, --token or --terminal <acquirer:store:terminal>',
    )
  if (acquirer !== undefined && consecutive === undefined) throw new AuditProblem('--acquirer goes with a consecutive')
  if (consecutive !== undefined) {
    const whose = acquirer === undefined ? '' : ` of ${acquirer}`
    const query = {
      kind: 'consecutive' as const,
      consecutive,
      ...(acquirer === undefined ? {} : { acquirerId: acquirer }),
    }
    return { query, title: `consecutive ${consecutive}${whose}` }
  }
  try {
    return await numbered(options, createKeyRing(readCliKeys(process.env)))
  } catch (error) {
    if (error instanceof TypedNumberError) throw new AuditProblem(error.message)
    throw error
  }
}

async function numbered({ terminal, token, document: type, numberFile }: Options, keys: KeyRing): Promise<Asked> {
  const from = numberFile === undefined ? {} : { file: numberFile }
  if (terminal !== undefined) {
    const { acquirerId, storeId, terminalId } = terminalOf(terminal)
    const hash = keys.hash('terminal', `${acquirerId}:${storeId}:${terminalId}`)
    return { query: { kind: 'terminal', hash }, title: `terminal ${terminal}` }
  }
  if (token !== undefined) {
    const digits = tokenOf(await askNumber('payment token', from))
    return {
      query: { kind: 'token', hashesAt: (slot) => keys.presentedHashes(slot, digits) },
      title: 'a payment token',
    }
  }
  if (type !== undefined) {
    const number = documentOf(type, await askNumber(`number of the ${type}`, from))
    return { query: { kind: 'document', hash: keys.hash('document', number) }, title: `a document of type ${type}` }
  }
  const number = cardNumberOf(await askNumber('card number', from))
  return { query: { kind: 'card', hash: keys.hash('card', number) }, title: 'a card' }
}

function refuseAmbiguous(query: Query, acquirers: ReadonlySet<string>): void {
  if (query.kind !== 'consecutive' || query.acquirerId !== undefined || acquirers.size < 2) return
  const names = [...acquirers].sort().slice(0, 10).join(', ')
  throw new AuditProblem(`several acquirers used this consecutive: say which with --acquirer (${names})`)
}

function nothingRead(name: string, foreign: number): AuditProblem {
  return foreign > 0
    ? new AuditProblem(`none of the ${foreign} records is an event of ours: is this the topic authorization.events?`)
    : new AuditProblem(`no events in this range of ${name}`)
}

/** A number is found by its keyed hash only. */
function hint({ kind }: Query): string {
  return kind === 'consecutive'
    ? ''
    : '. If the number is right, KEYS may hold another identity key than that of the services'
}

function consecutiveOf(text: string): string {
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(text)) throw new InvalidArgumentError('1-64 of letters, digits and ._-')
  return text
}
