// audit rebuild: Redis made again from the log, or compared with it.

import { randomUUID } from 'node:crypto'
import { Option, type Command } from 'commander'
import { ENTRY_KINDS } from '../../protocol/entries.ts'
import { FoldError } from '../../protocol/fold.ts'
import { differences, dumpLog, dumpStore, linesOf, type Difference } from '../../runtime/recovery/dump.ts'
import { SEIZED_MS } from '../../runtime/recovery/catch-up.ts'
import { endsOf, Recovery, type Term } from '../../runtime/recovery/recovery.ts'
import { TOPIC } from '../../runtime/topics.ts'
import {
  AuditProblem,
  EXIT,
  runCommand,
  withCommonOptions,
  type CommonOptions,
  type Report,
  type Run,
} from './frame.ts'
import { withStoreAndLog, type StoreAndLog } from './store.ts'

interface Options extends CommonOptions {
  readonly clear?: boolean
  readonly check?: boolean
}

/** Events of one group of slots that a comparison folds in memory. */
const EVENTS_OF_A_GROUP = 1_000_000
const MAX_SHOWN = 20
const CONNECTED_WITHIN_MS = 10_000
const POLL_MS = 50

export function addRebuild(program: Command): void {
  withCommonOptions(
    program
      .command('rebuild')
      .description(
        'Bring the Redis of REDIS_URL up to the log of KAFKA_BROKERS: all of it into an empty one, what is missing into ' +
          'one that lost its last writes. Interrupted or killed, the next run, or a service, goes on where it was, after ' +
          'up to 15 seconds if it was killed. Services decide nothing meanwhile.',
      )
      .option('--clear', 'forget everything that Redis holds first: for a damaged one', false)
      .option('--check', 'change nothing: compare what Redis holds with a fold of the log', false),
  ).action((options: Options) =>
    runCommand(options, (run) =>
      withStoreAndLog(process.env, (parts) => (options.check ? check(parts, run) : rebuild(parts, run, options))),
    ),
  )
}

export function addDump(program: Command): void {
  withCommonOptions(
    program
      .command('dump')
      .description('Print the state of every slot in a canonical form, sorted: to compare two of them.')
      .addOption(
        new Option('--of <what>', 'what Redis holds, or a fold of the log').choices(['store', 'log']).default('store'),
      ),
  ).action((options: CommonOptions & { readonly of: 'store' | 'log' }) =>
    runCommand(options, (run) =>
      withStoreAndLog(process.env, async ({ store, log, wire, rules }) => {
        const progress = run.progress('records', null)
        const onProgress = tell(progress)
        if (options.of === 'store') await mustBeReadable(store)
        const dump =
          options.of === 'store' ? await dumpStore(store.upkeep) : await dumpLog(log, wire, rules, { onProgress })
        const lines = linesOf(dump, Date.now())
        return { code: EXIT.well, text: lines.join('\n'), json: lines }
      }),
    ),
  )
}

async function rebuild({ log, store, wire, rules }: StoreAndLog, run: Run, { clear }: Options): Promise<Report> {
  const owner = randomUUID()
  if (clear) await forgetEverything({ store }, owner)
  if (run.signal.aborted) await store.upkeep.release(owner)
  run.signal.throwIfAborted()
  const total = (await endsOf(log, TOPIC.events)).reduce((sum, end) => sum + Number(end), 0)
  const progress = run.progress('records', total)
  const onProgress = tell(progress)
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => undefined)
  let read = 0
  const recovery = new Recovery({
    log,
    store,
    wire,
    rules,
    owner,
    clock: { now: () => Date.now() },
    observer: {
      progress: (state) => {
        try {
          onProgress(state)
        } catch (error) {
          failed.reject(error as Error)
        }
      },
      admitted: (_term: Term, records: number) => void (read = records),
      failed: (error) => {
        if (!(error instanceof FoldError) || error.kind === 'gap') return
        failed.reject(new AuditProblem(`${error.message}. To make Redis again from nothing: --clear`))
      },
    },
  })
  run.signal.addEventListener('abort', () => failed.reject(run.signal.reason as Error))
  recovery.start()
  try {
    const { epoch } = await Promise.race([recovery.open(), failed.promise])
    const rate = Math.round(read / Math.max(progress.seconds, 0.001)).toLocaleString('en')
    const done =
      read === 0
        ? 'Redis holds what the log says: nothing was lost since the services last looked. --check compares all of it.'
        : `Redis holds what the log says: ${read.toLocaleString('en')} records read, ${rate} a second. Epoch ${epoch}.`
    return { code: EXIT.well, text: done, json: { epoch, records: read, seconds: progress.seconds } }
  } finally {
    await recovery.stop()
  }
}

/** Becomes the only one who brings the store up, then empties it: services wait meanwhile. */
async function forgetEverything({ store }: Pick<StoreAndLog, 'store'>, owner: string): Promise<void> {
  const deadline = performance.now() + CONNECTED_WITHIN_MS + SEIZED_MS
  while (!(await store.upkeep.seize(owner, SEIZED_MS))) {
    if (performance.now() > deadline) throw new AuditProblem('A service is bringing Redis up to the log: wait for it.')
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  await store.upkeep.suspend(owner)
  await store.upkeep.clear(owner, SEIZED_MS, ENTRY_KINDS)
  const connected = performance.now() + CONNECTED_WITHIN_MS
  while (
    !(await store.ping().then(
      () => true,
      () => false,
    ))
  ) {
    if (performance.now() > connected) throw new AuditProblem('Redis does not answer any more.')
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

async function mustBeReadable({ upkeep }: StoreAndLog['store']): Promise<void> {
  const { unusable } = await upkeep.notes()
  if (!unusable) return
  throw new AuditProblem(
    'What Redis holds was written by an older release, or is being cleared: npm run audit -- rebuild makes it anew.',
  )
}

/** Group by group, so that memory is bounded whatever the number of slots. */
async function check({ log, store, wire, rules }: StoreAndLog, run: Run): Promise<Report> {
  await mustBeReadable(store)
  const records = (await endsOf(log, TOPIC.events)).reduce((sum, end) => sum + Number(end), 0)
  const count = Math.max(1, Math.ceil(records / EVENTS_OF_A_GROUP))
  const progress = run.progress('records', records * count)
  const found: Difference[] = []
  let compared = 0
  for (let index = 0; index < count; index++) {
    const expected = await dumpLog(log, wire, rules, { group: { index, count }, onProgress: tell(progress) })
    compared += expected.size
    found.push(...differences(expected, await dumpStore(store.upkeep, { index, count }), Date.now()))
  }
  const entries = compared.toLocaleString('en')
  if (found.length === 0) {
    return { code: EXIT.well, text: `Redis holds what the log says: ${entries} entries.`, json: { compared, found } }
  }
  const shown = found.slice(0, MAX_SHOWN).map(({ kind, name }) => `${kind}: ${name}`)
  const more = found.length > MAX_SHOWN ? [`and ${(found.length - MAX_SHOWN).toLocaleString('en')} more`] : []
  const hint = 'While services decide, their last moments may differ. If it stays: npm run audit -- rebuild --clear'
  return {
    code: EXIT.found,
    text: [`${found.length.toLocaleString('en')} of ${entries} entries differ:`, ...shown, ...more, hint].join('\n'),
    json: { compared, found },
  }
}

/** Progress comes as a sum, and is told by what was added. */
function tell(progress: ReturnType<Run['progress']>): (state: { readonly done: number }) => void {
  let told = 0
  return ({ done }) => {
    progress.add(Math.max(done - told, 0))
    told = done
  }
}
