// npm run tokens: what an operator does to tokens, subjects and cards, as commands through the log.

import { randomUUID } from 'node:crypto'
import { Argument, InvalidArgumentError, Option, type Command } from 'commander'
import { createAvroWire } from '../adapters/avro/wire.ts'
import { createKeyRing } from '../adapters/keys/key-ring.ts'
import { holdsCardNumber, maskCardNumber, maskDocument } from '../core/card/mask.ts'
import type { CardState } from '../core/card/card.ts'
import { TRANSACTION_CODES, type TransactionCode } from '../core/transaction/codes.ts'
import type { Reply } from '../core/transaction/reply.ts'
import type { EdgeBody } from '../ingress/traffic.ts'
import type { KeyRing } from '../ports/keys.ts'
import { operatorVariables } from '../runtime/config-cli.ts'
import { ConfigError, readEnv } from '../runtime/env.ts'
import { connect, explain } from './connect.ts'
import {
  cancelCommand,
  cardStateCommand,
  inquiries,
  OPERATOR_NAME,
  unlockCommand,
  whyNotCancelled,
  type OperatorContext,
  type UnlockedSubject,
} from './operator-commands.ts'
import { createProgram, runProgram } from './program.ts'
import { createRequester } from './requester.ts'
import {
  askNumber,
  cardNumberOf,
  DOCUMENT_TYPES,
  documentOf,
  terminalOf,
  TypedNumberError,
  type DocumentType,
} from './typed-numbers.ts'

const EXIT = { done: 0, refused: 1, failed: 2 } as const
/** Of one command whose answer does not come; it is the same command each time. */
const TRIES = 2

interface Common {
  readonly operator?: string
  readonly json?: boolean
  readonly numberFile?: string
}

interface Result {
  readonly code: (typeof EXIT)[keyof typeof EXIT]
  readonly text: string
  readonly json: Readonly<Record<string, unknown>>
}

interface Session {
  readonly context: OperatorContext
  readonly keys: KeyRing
  ask(body: EdgeBody): Promise<Reply>
}

/** No answer came, or the log took nothing. The message says which. */
class NoAnswerError extends Error {
  override readonly name = 'NoAnswerError'
}

const CARD_COMMANDS: readonly { readonly name: string; readonly state: CardState; readonly does: string }[] = [
  { name: 'block', state: 'blocked', does: 'Block a card: its transactions are declined with 62.' },
  { name: 'unblock', state: 'active', does: 'Make a card active again, whatever its state was.' },
  { name: 'lost', state: 'lost', does: 'Record a card as lost: 41.' },
  { name: 'stolen', state: 'stolen', does: 'Record a card as stolen: 43.' },
]

const program = createProgram('npm run tokens --')
  .description(
    'Looks at transactions, unlocks subjects, cancels tokens and sets states of cards. Uses Kafka when KAFKA_BROKERS is set, else the embedded service on PORT.',
  )
  .addHelpText(
    'after',
    `
Card and document numbers are asked for on the terminal, read from standard input or with --number-file; they are
hashed here and never sent, logged or taken as arguments, which every user of this machine can see.
Whoever changes something is named in the event: --operator, or OPERATOR in the environment.
Exit codes: 0 done, 1 declined or not found, 2 it could not be done.`,
  )

common(program.command('look'))
  .description(
    "Show what is recorded of a transaction. It changes nothing and leaves no event, so it needs no operator's name.",
  )
  .addArgument(consecutiveArgument())
  .addOption(acquirerOption())
  .addOption(new Option('--code <code>', 'only this transaction code').choices(TRANSACTION_CODES))
  .action((consecutive: string, options: Common & { acquirer: string; code?: TransactionCode }) =>
    run(options, (session) => look(session, consecutive, options), false),
  )

numbered(program.command('unlock'))
  .description('Forget the wrong tokens of one subject, and unlock it.')
  .option('--card', 'the holder of a card, or the card itself when it has none')
  .addOption(new Option('--document <type>', 'a holder, by the type of the document').choices(DOCUMENT_TYPES))
  .option('--terminal <acquirer:store:terminal>', 'a terminal, for terminal-bound tokens')
  .action((options: Common & SubjectOptions) => run(options, (session) => unlock(session, options)))

changing(program.command('cancel'))
  .description('End the token of a generation, unless it is spent: a void through the log.')
  .addArgument(consecutiveArgument())
  .addOption(acquirerOption())
  .action((consecutive: string, options: Common & { acquirer: string }) =>
    run(options, (session) => cancel(session, consecutive, options)),
  )

for (const { name, state, does } of CARD_COMMANDS) {
  numbered(program.command(name))
    .description(does)
    .action((options: Common) => run(options, (session) => setCardState(session, state, options)))
}

await runProgram(program)

async function look(session: Session, consecutive: string, options: { acquirer: string; code?: TransactionCode }) {
  const codes = options.code === undefined ? TRANSACTION_CODES : [options.code]
  const asked = inquiries(options.acquirer, consecutive, codes, randomUUID)
  const found = (await Promise.all(asked.map((inquiry) => session.ask(inquiry)))).filter((reply) => reply.found)
  const shown = found.map((reply) => ({
    scope: reply.scope,
    responseCode: reply.responseCode,
    state: reply.state,
    ...(reply.authorizationNumber === undefined ? {} : { authorizationNumber: reply.authorizationNumber }),
    ...(reply.token ? { tokenExpiresAt: new Date(reply.token.expiresAt).toISOString() } : {}),
  }))
  const lines = shown.map(
    ({ scope, responseCode, state, authorizationNumber, tokenExpiresAt }) =>
      `${scope}: ${responseCode} ${state}${authorizationNumber ? `, authorization ${authorizationNumber}` : ''}${tokenExpiresAt ? `, token until ${tokenExpiresAt}` : ''}`,
  )
  const none = `nothing is decided under ${consecutive} for ${options.acquirer}`
  return result(found.length > 0 ? EXIT.done : EXIT.refused, lines.length > 0 ? lines.join('\n') : none, {
    transactions: shown,
  })
}

interface SubjectOptions {
  readonly card?: boolean
  readonly document?: DocumentType
  readonly terminal?: string
}

async function unlock(session: Session, options: Common & SubjectOptions): Promise<Result> {
  const subject = await subjectOf(options, session.keys)
  const { responseCode } = await session.ask(unlockCommand(subject, session.context))
  return responseCode === '00'
    ? result(EXIT.done, 'unlocked: its wrong tokens are forgotten', { responseCode })
    : result(EXIT.refused, `declined with ${responseCode}`, { responseCode })
}

async function cancel(session: Session, consecutive: string, options: Common & { acquirer: string }): Promise<Result> {
  const { responseCode } = await session.ask(cancelCommand(options.acquirer, consecutive, session.context))
  if (responseCode === '00') return result(EXIT.done, 'cancelled: its token is ended', { responseCode })
  const [inquiry] = inquiries(options.acquirer, consecutive, ['TOKEN_GENERATION'], randomUUID)
  const generation = inquiry ? await session.ask(inquiry) : null
  const why = whyNotCancelled(responseCode, generation)
  const hint = `\`npm run audit -- timeline ${consecutive} --acquirer ${options.acquirer}\` shows what happened`
  return result(EXIT.refused, `not cancelled (${responseCode}): ${why}\n${hint}`, { responseCode, why })
}

async function setCardState(session: Session, state: CardState, options: Common): Promise<Result> {
  const number = cardNumberOf(await askNumber('card number', sourceOf(options)))
  const card = { hash: session.keys.hash('card', number), mask: maskCardNumber(number) }
  const { responseCode } = await session.ask(cardStateCommand(card, state, session.context))
  if (responseCode === '00') return result(EXIT.done, `card ${card.mask} is ${state}`, { responseCode, state })
  const why = responseCode === '14' ? 'this card is not registered' : 'declined'
  return result(EXIT.refused, `${why} (${responseCode})`, { responseCode, why })
}

async function subjectOf(options: Common & SubjectOptions, keys: KeyRing): Promise<UnlockedSubject> {
  const { card, document: type, terminal } = options
  if ([card, type, terminal].filter((given) => given !== undefined).length !== 1)
    throw new TypedNumberError(
      'say whose tokens: one of --card, --document <type>, --terminal <acquirer:store:terminal>',
    )
  if (terminal !== undefined) {
    const { acquirerId, storeId, terminalId } = terminalOf(terminal)
    return { terminalHash: keys.hash('terminal', `${acquirerId}:${storeId}:${terminalId}`) }
  }
  if (type === undefined) {
    const number = cardNumberOf(await askNumber('card number', sourceOf(options)))
    return { card: { hash: keys.hash('card', number), mask: maskCardNumber(number) } }
  }
  const number = await askNumber(`number of the ${type}`, sourceOf(options))
  return { document: { hash: keys.hash('document', documentOf(type, number)), mask: maskDocument({ type, number }) } }
}

/** Connects, does the work and tells how it ended. Never throws. */
async function run(options: Common, work: (session: Session) => Promise<Result>, isNamed = true): Promise<void> {
  const closing: (() => Promise<void>)[] = []
  try {
    const operator = isNamed ? operatorOf(options) : ''
    const connected = await connect(process.env)
    closing.unshift(() => connected.log.close())
    const keys = createKeyRing(connected.keys)
    const requester = await createRequester(connected.log, createAvroWire(), connected.replyTimeoutMs)
    closing.unshift(() => requester.close())
    const ask = async (body: EdgeBody): Promise<Reply> => {
      for (let attempt = 1; ; attempt++) {
        const answer = await requester.ask(body)
        if (typeof answer === 'object') return answer
        if (attempt < TRIES) continue
        throw new NoAnswerError(
          answer === 'refused'
            ? 'the log does not take requests: nothing was done'
            : 'no answer in time: it may have been done all the same. Are issuer and authorizer running?',
        )
      }
    }
    const context = { operator, keys, now: Date.now(), id: randomUUID() }
    const { code, text, json } = await work({ context, keys, ask })
    process.stdout.write(`${options.json ? JSON.stringify(json) : text}\n`)
    process.exitCode = code
  } catch (error) {
    process.stderr.write(`${explainOwn(error)}\n`)
    process.exitCode = EXIT.failed
  } finally {
    for (const close of closing) await close()
  }
}

function explainOwn(error: unknown): string {
  if (error instanceof TypedNumberError || error instanceof NoAnswerError) return error.message
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'EACCES' || code === 'EISDIR') return `the file cannot be read (${code})`
  return explain(error)
}

/** @throws ConfigError without a usable name. */
function operatorOf(options: Common): string {
  const operator = options.operator ?? readEnv(operatorVariables, process.env).OPERATOR
  if (operator !== undefined) return operator
  throw new ConfigError(['OPERATOR: is required, or --operator: your name goes into the event'])
}

function sourceOf({ numberFile }: Common) {
  return numberFile === undefined ? {} : { file: numberFile }
}

function result(code: Result['code'], text: string, json: Result['json']): Result {
  return { code, text, json: { done: code === EXIT.done, ...json } }
}

function common(command: Command): Command {
  return command.option('--json', 'print the result as one JSON text')
}

/** What changes something says who asked for it, and may need a number. */
function changing(command: Command): Command {
  return common(command).addOption(
    new Option('--operator <name>', 'who asks: 1-64 of letters, digits and ._@-').argParser(operatorName),
  )
}

/** A number that is asked for. */
function numbered(command: Command): Command {
  return changing(command).option('--number-file <file>', 'read the number from the first line of a file')
}

function consecutiveArgument(): Argument {
  return new Argument('<consecutive>', 'the transaction consecutive').argParser((text) => {
    if (!/^[A-Za-z0-9._-]{1,64}$/.test(text)) throw new InvalidArgumentError('1-64 of letters, digits and ._-')
    return text
  })
}

function acquirerOption(): Option {
  return new Option('--acquirer <id>', 'the acquirer that used the consecutive (needed)').makeOptionMandatory()
}

function operatorName(text: string): string {
  if (!OPERATOR_NAME.test(text) || holdsCardNumber(text))
    throw new InvalidArgumentError('1-64 of letters, digits and ._@-, and no card number.')
  return text
}
