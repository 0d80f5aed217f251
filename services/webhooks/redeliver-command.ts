// npm run webhooks -- redeliver: its options, its progress on standard error, and its exit code.

import { InvalidArgumentError, type Command } from 'commander'
import { createAvroWire } from '../adapters/avro/wire.ts'
import { openLog } from '../runtime/open-log.ts'
import { explain } from '../cli/connect.ts'
import { EXIT_FAILED } from '../cli/program.ts'
import { StopConsumingError } from '../consumer/handler.ts'
import { parseStart, START_FORMS, type Start } from '../consumer/start.ts'
import { ConfigError } from '../runtime/env.ts'
import { createLogger } from '../runtime/logging.ts'
import { createDelivery } from './delivery.ts'
import { noProgress, redeliver, type RedeliveryProgress } from './redeliver.ts'
import { readSettings } from './subscriptions.ts'

interface Options {
  readonly subscription: string
  readonly from: Start
  readonly to: Start
  readonly attempts: string
  readonly dryRun: boolean
}

const EXIT_SOME_FAILED = 1
const PROGRESS_MS = 1_000
const MAX_ATTEMPTS = 100

export function addRedeliver(program: Command): void {
  program
    .command('redeliver')
    .description('deliver again what one subscription wants, from any time; message ids are those of the first time')
    .requiredOption('--subscription <name>', 'of WEBHOOKS_FILE')
    .requiredOption('--from <where>', `where to begin: ${START_FORMS}`, placeOf)
    .option('--to <where>', 'where to end, not included: the same forms', placeOf, 'end')
    .option('--attempts <n>', 'calls for one event before it counts as failed', '5')
    .option('--dry-run', 'count, and deliver nothing', false)
    .addHelpText('after', '\nExit codes: 0 all delivered, 1 some were not, 2 it could not be done or was interrupted.')
    .action(async (options: Options) => {
      process.exitCode = await run(options)
    })
}

function placeOf(text: string): Start {
  const place = parseStart(text, Date.now())
  if (place === null) throw new InvalidArgumentError(`It must be ${START_FORMS}.`)
  return place
}

async function run(options: Options): Promise<number> {
  try {
    return await deliverAgain(options)
  } catch (error) {
    say(error instanceof StopConsumingError ? error.message : explain(error))
    return EXIT_FAILED
  }
}

async function deliverAgain(options: Options): Promise<number> {
  const { subscriptions, ...config } = readSettings(process.env)
  const subscription = subscriptions.find(({ name }) => name === options.subscription)
  if (!subscription) {
    const names = subscriptions.map(({ name }) => name).join(', ')
    throw new ConfigError([`--subscription: none of that name is enabled in WEBHOOKS_FILE; there are: ${names}`])
  }
  const attempts = Number(options.attempts)
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > MAX_ATTEMPTS)
    throw new ConfigError([`--attempts: must be a whole number from 1 to ${MAX_ATTEMPTS}`])
  const logger = createLogger({ service: 'cli', level: 'warn', write: (line) => void process.stderr.write(line) })
  const log = await openLog({ ...config.kafka, clientId: 'webhooks-redeliver', logger })
  const delivery = createDelivery(subscription, config)
  const progress = noProgress()
  const ended = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.abort())
  const timer = setInterval(() => say(told(progress)), PROGRESS_MS)
  try {
    const next = await redeliver({
      ...options,
      ...config,
      retry: { ...config.retry, attempts },
      log,
      wire: createAvroWire(),
      subscription,
      delivery,
      signal: ended.signal,
      progress,
    })
    return summary(options, progress, next, ended.signal.aborted)
  } finally {
    clearInterval(timer)
    delivery.close()
    await log.close()
  }
}

function summary(
  options: Options,
  progress: RedeliveryProgress,
  next: readonly bigint[],
  interrupted: boolean,
): number {
  say(told(progress))
  for (const [reason, count] of progress.reasons) say(`${count} not delivered: ${reason}`)
  if (interrupted) {
    say(`interrupted: go on with --from ${next.map((offset, partition) => `${partition}:${offset}`).join(',')}`)
    return EXIT_FAILED
  }
  if (options.dryRun) say('nothing was delivered, since --dry-run was given')
  return progress.failed > 0 ? EXIT_SOME_FAILED : 0
}

function told({ read, total, matched, delivered, failed }: RedeliveryProgress): string {
  const counts = `${matched} of them for this subscription, ${delivered} delivered, ${failed} failed`
  return `${read} of ${total} records read, ${counts}`
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
