// Workers with their recoveries while the store is emptied, rewound and reconnected under them, and while what they have
// published arrives late: every invariant holds on what is valid, and every request has a valid answer. Each mistake
// that is made on purpose is noticed.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { systemEntropy } from '../../../services/adapters/keys/entropy.ts'
import { createMemoryLog } from '../../../services/adapters/memory/log.ts'
import { createMemoryStore, type MemoryStore } from '../../../services/adapters/memory/store.ts'
import { Barriers } from '../../../services/core/subject/epochs.ts'
import type { DecisionEvent, RefusalEvent } from '../../../services/core/subject/event.ts'
import { DEFAULT_RULES } from '../../../services/core/subject/rules.ts'
import type { Command } from '../../../services/core/transaction/command.ts'
import { scopeKey } from '../../../services/core/transaction/scope.ts'
import { replyIn } from '../../../services/ingress/replies/decode.ts'
import type { Log, LogRecord } from '../../../services/ports/log.ts'
import { differences, dumpLog, dumpStore } from '../../../services/runtime/recovery/dump.ts'
import { Recovery } from '../../../services/runtime/recovery/recovery.ts'
import { TOPIC, TOPICS } from '../../../services/runtime/topics.ts'
import { hashOf } from '../../../services/runtime/worker/plan-unit.ts'
import { startWorker } from '../../../services/runtime/worker/worker.ts'
import { checkInvariants, type Run } from '../../protocol/invariants.ts'
import { seeded } from '../../protocol/world.ts'
import { commands, keys, wire } from '../worker/harness.ts'

const SEEDS = Number(process.env['LOSS_SEEDS'] ?? 6)
const MISTAKE_SEEDS = 15
const LATE_MS = 40
const ANSWERED_WITHIN_MS = 6_000
const [CARD, HOLDER] = ['6039591000000018', 'CC:1']

type Loss = 'wipe' | 'flush' | 'rewind' | 'restart'
type Mistake =
  'reads-no-log' | 'raises-no-barrier' | 'takes-the-acknowledged-for-valid' | 'names-the-epoch-when-it-sends'

const clock = { now: () => Date.now() }
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const isBarrier = ({ topic, headers }: LogRecord) => headers['ce_type'] === 'epoch-raised' && topic !== TOPIC.epochs

/** What is published arrives late, in order for each topic's key; barriers and epochs at once. */
function lateLog(log: Log, random: () => number, latest: { epoch: string }, mistake?: Mistake): Log {
  let last: Promise<unknown> = Promise.resolve()
  const slowly = (records: readonly LogRecord[]) => {
    const sent = last.then(async () => {
      if (random() < 0.3) await pause(random() * LATE_MS)
      const wrong = mistake === 'names-the-epoch-when-it-sends'
      await log.publish(wrong ? records.map((record) => withEpoch(record, latest.epoch)) : records)
    })
    last = sent.catch(() => undefined)
    return sent
  }
  return Object.assign(Object.create(log) as Log, {
    publish: (records: readonly LogRecord[]) => {
      const fenced = records.some(({ topic }) => topic === TOPIC.epochs) || records.some(isBarrier)
      if (fenced) latest.epoch = records[0]?.headers['epoch'] ?? latest.epoch
      if (mistake === 'raises-no-barrier' && records.some(isBarrier)) return Promise.resolve()
      return fenced ? log.publish(records) : slowly(records)
    },
    partitions: (topic: string) => log.partitions(topic),
    extent: (topic: string, partition: number) => log.extent(topic, partition),
    consume: (...args: Parameters<Log['consume']>) => log.consume(...args),
    read: (topic: string, partition: number, from?: bigint, to?: bigint) =>
      mistake === 'reads-no-log' && topic === TOPIC.events ? nothing() : log.read(topic, partition, from, to),
  })
}

async function* nothing() {}

function withEpoch(record: LogRecord, epoch: string): LogRecord {
  return record.topic === TOPIC.events ? { ...record, headers: { ...record.headers, epoch } } : record
}

function lose(store: MemoryStore, loss: Loss, snapshot: ReturnType<MemoryStore['snapshot']>): void {
  if (loss === 'rewind') store.rewind(snapshot)
  else store[loss]()
}

async function runWith(seed: number, losses: readonly Loss[], mistake?: Mistake): Promise<void> {
  const random = seeded(seed)
  const log = createMemoryLog({ topics: TOPICS, clock })
  const store = createMemoryStore({ clock })
  const bugs: unknown[] = []
  const latest = { epoch: '0' }
  const observer = { round: none, decided: none, conflict: none, retried: none, deadLetter: none, inFlight: none }
  const shell = { clock, entropy: systemEntropy, keys, rules: DEFAULT_RULES }
  const workers = await Promise.all(
    [1, 2, 3].map(() =>
      startWorker({
        log: lateLog(log.client(), random, latest, mistake),
        store,
        wire,
        shell,
        observer: { ...observer, bug: (error) => void bugs.push(error) },
        group: 'authorizer',
        topic: TOPIC.purchaseRequests,
        maxRound: 5,
        maxInFlight: 100,
      }),
    ),
  )
  try {
    const asked: Command[] = []
    const ask = async (...bodies: Command[]) => {
      asked.push(...bodies)
      await log.publish(
        bodies.map((body) => ({
          topic: TOPIC.purchaseRequests,
          key: `${random()}`,
          ...wire.encodeRequest({ body, replyPartition: 0 }),
        })),
      )
    }
    await ask(
      commands.registration('r', { card: CARD, document: HOLDER }),
      commands.opening('o', { document: HOLDER, amount: 10_000 }),
    )
    await answered(log, asked)
    let snapshot = store.snapshot()
    for (const [n, loss] of losses.entries()) {
      const credits = Array.from({ length: 12 }, (_, m) =>
        commands.credit(`c${n}-${m}`, { document: HOLDER, amount: 1 + m }),
      )
      const spent = Array.from({ length: 4 }, (_, m) => `p${n}-${m}`)
      await ask(...credits, ...spent.map((name) => commands.spending(name, { card: CARD, token: '000001', amount: 5 })))
      await pause(random() * 60)
      lose(store, loss, snapshot)
      await ask(...spent.filter(() => random() < 0.5).map((name) => commands.undoing('REVERSAL', name, { amount: 5 })))
      if (random() < 0.5) snapshot = store.snapshot()
    }
    await answered(log, asked)
    expect(bugs).toEqual([])
    const run = await validRun(log, store)
    await checkInvariants(run)
    await pause(50)
    expect(differences(await dumpLog(log, wire, DEFAULT_RULES), await dumpStore(store.upkeep), Date.now())).toEqual([])
  } finally {
    await Promise.all(workers.map((worker) => worker.stop(100)))
  }
}

const none = () => undefined

/** @throws Error when a request has no valid reply in time. */
async function answered(log: Log, asked: readonly Command[]): Promise<void> {
  const deadline = performance.now() + ANSWERED_WITHIN_MS
  for (;;) {
    const replied = new Set((await replies(log)).map(({ scope, fingerprint }) => `${scope} ${fingerprint}`))
    const open = asked.filter(({ scope, fingerprint }) => !replied.has(`${scopeKey(scope)} ${fingerprint}`))
    if (open.length === 0) return
    if (performance.now() > deadline) throw new Error(`${open.length} requests have no valid reply`)
    await pause(20)
  }
}

async function replies(log: Log) {
  const barriers = new Barriers()
  const found = []
  for await (const record of log.read(TOPIC.replies, 0)) {
    const reply = replyIn(record, wire, barriers)
    if (typeof reply !== 'string') found.push(reply)
  }
  return found
}

/** What every reader takes for valid. */
async function validRun(log: Log, store: MemoryStore): Promise<Run> {
  const run: Run = { events: [], hashes: [], replies: [], store }
  const barriers = new Barriers()
  for (let partition = 0; partition < (await log.partitions(TOPIC.events)); partition++) {
    for await (const record of log.read(TOPIC.events, partition)) {
      if (barriers.judge(record) !== 'valid') continue
      const event = wire.decodeEvent(record.value)
      if (event.type === 'rules-published') continue
      run.events.push(event as DecisionEvent | RefusalEvent)
      run.hashes.push(hashOf(record.value ?? new Uint8Array()))
    }
  }
  for (const reply of await replies(log)) run.replies.push({ inquiry: false, reply, eventsBefore: run.events.length })
  return run
}

function someLosses(seed: number): Loss[] {
  const random = seeded(seed * 7_919)
  return Array.from(
    { length: 4 },
    () => (['wipe', 'flush', 'rewind', 'restart'] as const)[Math.floor(random() * 4)] as Loss,
  )
}

describe('workers whose store loses what it had', () => {
  afterEach(() => void vi.restoreAllMocks())

  it(`keep every invariant and answer every request, in ${SEEDS} stories of losses`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      await runWith(seed, someLosses(seed)).catch((error: Error) => {
        throw new Error(`seed ${seed} (${someLosses(seed).join(', ')}): ${error.message}`, { cause: error })
      })
    }
  }, 120_000)

  it.each<[Mistake, RegExp]>([
    ['reads-no-log', /fork|gap|chain|store|no valid reply|agree|equal/],
    ['raises-no-barrier', /fork|gap|chain|store|no valid reply|agree|equal/],
    ['names-the-epoch-when-it-sends', /fork|gap|chain|store|no valid reply|agree|equal/],
    ['takes-the-acknowledged-for-valid', /fork|gap|chain|store|no valid reply|agree|equal/],
  ])(
    'would be noticed to be wrong with one that %s',
    async (mistake, complaint) => {
      if (mistake === 'takes-the-acknowledged-for-valid') {
        vi.spyOn(Recovery.prototype, 'confirm').mockResolvedValue(true)
      }
      let noticed = ''
      for (let seed = 1; seed <= MISTAKE_SEEDS && noticed === ''; seed++) {
        await runWith(seed, ['rewind', 'wipe', 'rewind', 'flush'], mistake).catch(
          (error: Error) => void (noticed = error.message),
        )
      }
      expect(noticed).toMatch(complaint)
    },
    180_000,
  )
})
