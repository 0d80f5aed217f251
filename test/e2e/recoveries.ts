// Who of a stack brings the store up to the log, as the services' logs and Redis tell it; and processes that are frozen.
import { readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { Barriers } from '../../services/core/subject/epochs.ts'
import type { StoredRecord } from '../../services/ports/log.ts'
import { TOPIC } from '../../services/runtime/topics.ts'
import { askRedis } from '../servers/redis-probe.ts'
import { until, wire, type Service, type Stack } from './harness.ts'

const BEGUN = 'bringing the store up to the log'
const ENDED = 'the store holds what the log says: deciding'
const BEGINS_WITHIN_MS = 20_000
const FREEZES = 200
/** After it an outbox that is still there is that of a frozen worker. */
const OTHERS_PUBLISH_WITHIN_MS = 100

/** One line of a service's log about a recovery. */
interface Told {
  readonly message: string
  readonly epoch: number
  readonly records: number
}

/** What a service has told of its recoveries, oldest first. */
export function recoveriesOf({ logFile }: Service): readonly Told[] {
  return readFileSync(logFile, 'utf8')
    .split('\n')
    .filter((line) => line.includes(BEGUN) || line.includes(ENDED))
    .map((line) => JSON.parse(line) as Told)
    .filter(({ message }) => message === BEGUN || message === ENDED)
}

/** Whether the newest that it told is that it has begun. */
export const isCatchingUp = (service: Service): boolean => recoveriesOf(service).at(-1)?.message === BEGUN
/** Whether it decides under an epoch above this one, for which it has read the log itself. */
export const hasCaughtUp = (service: Service, above: number): boolean =>
  recoveriesOf(service).some(({ message, epoch, records }) => message === ENDED && epoch > above && records > 0)
/** The newest epoch that any of them has told of. */
export const newestEpoch = (stack: Stack): number =>
  Math.max(0, ...workersOf(stack).flatMap((service) => recoveriesOf(service).map(({ epoch }) => epoch)))

export function workersOf(stack: Stack): readonly Service[] {
  return [...stack.services.values()].filter(({ name }) => !name.startsWith('ingress'))
}

/** Stops processes where they are; the result lets them go on. */
function freeze(...services: readonly Service[]): () => void {
  for (const { pid } of services) process.kill(pid, 'SIGSTOP')
  return () => {
    for (const { pid } of services) process.kill(pid, 'SIGCONT')
  }
}

/**
 * Freezes workers at a moment when they have committed events that they have not published, or not forgotten: those stay
 * where they are, while those of the others come and go.
 */
export async function frozenWithEvents(stack: Stack, ...services: readonly Service[]): Promise<() => void> {
  for (let attempt = 0; attempt < FREEZES; attempt++) {
    const wake = freeze(...services)
    const seen = await outboxes(stack)
    await setTimeout(OTHERS_PUBLISH_WITHIN_MS)
    const later = await outboxes(stack)
    if (seen.some((held) => later.includes(held))) return wake
    wake()
    await setTimeout(attempt % 10)
  }
  throw new Error('no worker was caught between a commit and the acknowledgement of its event')
}

/** Of the slots that have one: the value of the version's key. */
async function outboxes({ servers: { redisUrl } }: Stack): Promise<readonly string[]> {
  const [keys] = await askRedis(redisUrl, [['KEYS', 'version:*']])
  if ((keys as readonly Buffer[]).length === 0) return []
  const [values] = await askRedis(redisUrl, [['MGET', ...(keys as readonly Buffer[]).map(String)]])
  return (values as readonly (Buffer | null)[])
    .map((value) => value?.toString('latin1') ?? '')
    .filter((value) => value.split('\n')[2])
}

/**
 * Empties the store until a worker is caught in the middle of its catch-up, frozen there: it has seized the store, and
 * no term is admitted.
 */
export async function frozenInItsCatchUp(stack: Stack): Promise<Service> {
  const { redisUrl } = stack.servers
  const deadline = performance.now() + BEGINS_WITHIN_MS
  while (performance.now() < deadline) {
    const before = newestEpoch(stack)
    await askRedis(redisUrl, [['FLUSHALL']])
    let holder: Service | undefined
    await until(
      'a catch-up has begun',
      BEGINS_WITHIN_MS,
      () => {
        holder = workersOf(stack).find((one) => isCatchingUp(one) && (recoveriesOf(one).at(-1)?.epoch ?? 0) > before)
        return holder !== undefined || newestEpoch(stack) > before
      },
      5,
    )
    if (!holder) continue
    const goOn = freeze(holder)
    const [owner, term] = await askRedis(redisUrl, [
      ['GET', 'store:owner'],
      ['GET', 'store:term'],
    ])
    if (owner !== null && term === null && isCatchingUp(holder)) return holder
    goOn()
    await until('it has caught up', BEGINS_WITHIN_MS, () => workersOf(stack).some((one) => hasCaughtUp(one, before)))
  }
  throw new Error('nobody was caught in the middle of a catch-up')
}

/**
 * Void events: `all` of them; and approvals that stand nowhere else. An event that counts may come again, and be void
 * there.
 */
export async function voidEvents(stack: Stack) {
  const barriers = new Barriers()
  const all: StoredRecord[] = []
  const valid = new Set<string>()
  for (const record of await stack.records(TOPIC.events)) {
    if (barriers.judge(record) === 'void') all.push(record)
    else valid.add(bytesOf(record))
  }
  const nowhereElse = all.filter((record) => !valid.has(bytesOf(record))).map(({ value }) => wire.decodeEvent(value))
  const approvals = nowhereElse.filter((event) => 'slot' in event).filter(({ responseCode }) => responseCode === '00')
  return { all, approvals }
}

function bytesOf({ value }: StoredRecord): string {
  return Buffer.from(value ?? '').toString('base64')
}
