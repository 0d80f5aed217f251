// The floor: what kafkajs alone does with two hops through the same broker. As many callers as there are calls in flight
// each send a record, wait for its echo over a second topic, told by its key, and send the next; caller and echo send
// all that has gathered as soon as the request before has returned. Each is a process of its own, in which kafkajs is as
// it was published. It is bare on purpose, and so the only script that names kafkajs.

import { fork, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import kafkajs, { type Message } from 'kafkajs'
import { MeasuredTime } from './measured-time.ts'

const { Kafka, logLevel } = kafkajs

export interface FloorOptions {
  readonly brokers: readonly string[]
  readonly requests: string
  readonly replies: string
}

const VALUE_BYTES = 300
const MAX_BATCH = 1_000

function client(brokers: readonly string[]) {
  return new Kafka({ clientId: 'floor', brokers: [...brokers], logLevel: logLevel.NOTHING })
}

/** Sends what has gathered as soon as nothing is in flight; what comes in one turn of the event loop, together. */
async function gatherer(brokers: readonly string[], topic: string): Promise<(message: Message) => void> {
  const producer = client(brokers).producer()
  await producer.connect()
  const queue: Message[] = []
  let sending = false
  const pump = async () => {
    sending = true
    await new Promise((resolve) => setImmediate(resolve))
    while (queue.length > 0) await producer.send({ topic, messages: queue.splice(0, MAX_BATCH) })
    sending = false
  }
  return (message) => {
    queue.push(message)
    if (!sending) void pump()
  }
}

interface Consuming {
  pause(): void
  resume(): void
}

async function consume(
  brokers: readonly string[],
  topic: string,
  onMessage: (message: Message) => void,
): Promise<Consuming> {
  const consumer = client(brokers).consumer({ groupId: `floor-${topic}-${process.pid}`, maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: false })
  const joined = new Promise<void>((resolve) => void consumer.on(consumer.events.FETCH, () => resolve()))
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: 8,
    eachBatch: async ({ batch }) => batch.messages.forEach(({ key, value }) => onMessage({ key, value })),
  })
  await joined
  return { pause: () => consumer.pause([{ topic }]), resume: () => consumer.resume([{ topic }]) }
}

export interface Floor {
  /** Calls a second with so many in flight; as in the load, what they take to settle is not measured. */
  perSecond(inFlight: number, seconds: number): Promise<number>
  stop(): void
}

interface Drive {
  readonly inFlight: number
  readonly seconds: number
}

/** Starts both processes; resolves when they listen. Between two measurements they ask the broker for nothing. */
export async function startFloor(options: FloorOptions): Promise<Floor> {
  const echoing = await start('echo', options)
  const driver = await start('driver', options)
  return {
    perSecond: async (inFlight, seconds) => {
      echoing.send('resume')
      const answer = nextMessage(driver, 'driver') as Promise<number>
      driver.send({ inFlight, seconds } satisfies Drive)
      const perSecond = await answer
      echoing.send('pause')
      return perSecond
    },
    stop: () => {
      for (const child of [driver, echoing]) child.kill()
    },
  }
}

type Role = 'echo' | 'driver'

async function start(role: Role, options: FloorOptions): Promise<ChildProcess> {
  const child = fork(fileURLToPath(import.meta.url), [role, JSON.stringify(options)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    // kafkajs sets timers in the past.
    execArgv: [...process.execArgv, '--disable-warning=TimeoutNegativeWarning'],
  })
  await nextMessage(child, role)
  return child
}

function nextMessage(child: ChildProcess, role: Role): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`the ${role} of the floor ended with ${code}`))
    child.once('exit', ended)
    child.once('message', (message) => {
      child.off('exit', ended)
      resolve(message)
    })
  })
}

/** Drives as often as it is told, and tells the calls a second. */
async function drive({ brokers, requests, replies }: FloorOptions): Promise<void> {
  const waiting = new Map<string, () => void>()
  const replying = await consume(brokers, replies, ({ key }) => {
    const id = String(key)
    waiting.get(id)?.()
    waiting.delete(id)
  })
  const send = await gatherer(brokers, requests)
  const value = randomBytes(VALUE_BYTES)
  let n = 0
  const call = () =>
    new Promise<void>((resolve) => {
      const key = String(n++)
      waiting.set(key, resolve)
      send({ key, value })
    })
  const rate = async ({ inFlight, seconds }: Drive): Promise<number> => {
    replying.resume()
    // Both read again when the first echo is here.
    await call()
    const measured = new MeasuredTime(seconds)
    const caller = async () => {
      for (let now = 0; now < measured.until;) {
        await call()
        now = performance.now()
        measured.answered(now)
      }
    }
    await Promise.all(Array.from({ length: inFlight }, caller))
    replying.pause()
    return measured.perSecond()
  }
  process.on('message', (asked) => void rate(asked as Drive).then((perSecond) => process.send?.(perSecond)))
  process.send?.('ready')
}

async function echo({ brokers, requests, replies }: FloorOptions): Promise<void> {
  const send = await gatherer(brokers, replies)
  const requesting = await consume(brokers, requests, send)
  process.on('message', (told) => (told === 'pause' ? requesting.pause() : requesting.resume()))
  process.send?.('ready')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [role, options = '{}'] = process.argv.slice(2)
  // However the bench ends, so do its processes.
  process.on('disconnect', () => process.exit())
  await (role === 'echo' ? echo : drive)(JSON.parse(options) as FloorOptions)
}
