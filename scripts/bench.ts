// npm run bench: how fast the real stack answers over HTTP, beside the floor that kafkajs alone sets on the same broker
// in the same run. Machines differ and are noisy, so what counts is the ratio.

import { parseArgs } from 'node:util'
import { benchCustomers } from './bench/customers.ts'
import { startFloor } from './bench/floor.ts'
import { generateLoad, type LoadResult } from './bench/generator.ts'
import { startSystem, type System } from './bench/system.ts'

const USAGE = `usage: npm run bench -- [--in-flight 1,16,64,256] [--seconds 8] [--warm-up 120] [--customers 2000] [--json]
  Starts Kafka, Redis, ingress, issuer and authorizer, and keeps so many calls in flight: generations, each followed by the
  purchase that spends its token. In turns with the load it takes the floor, for as many seconds: a bare kafkajs echo over
  two topics with as many records in flight. Exit code 1 when an answer is not approved. The warm-up is long because the
  broker is new: on a slow machine its compilers take a tenth of two cores in its first minute under load, a twentieth in
  the second.
`
const CREDENTIALS = 'demo-acquirer:demo-acquirer-secret'
const US_PER_SECOND = 1_000_000
const PERCENTILES = [50, 90, 99, 99.9] as const
/** Load and floor take turns: of a machine that is faster or slower for some seconds, both get their part. */
const TURNS = 4

interface Row {
  readonly inFlight: number
  readonly floorPerSecond: number
  readonly perSecond: number
  readonly ratio: number
  /** Milliseconds, by percentile, and the maximum. */
  readonly latencyMs: Readonly<Record<string, number>>
  /** CPU microseconds a transaction, by process; of the generator too, which shares the machine. */
  readonly cpuUs: Readonly<Record<string, number>>
  readonly answers: Readonly<Record<string, number>>
}

const { values } = parseArgs({
  options: {
    'in-flight': { type: 'string', default: '1,16,64,256' },
    seconds: { type: 'string', default: '8' },
    'warm-up': { type: 'string', default: '120' },
    customers: { type: 'string', default: '2000' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const steps = values['in-flight'].split(',').map(Number)
const seconds = Number(values.seconds)
const warmUp = Number(values['warm-up'])
const count = Number(values.customers)
if (values.help || ![...steps, seconds, warmUp, count].every((value) => Number.isFinite(value) && value > 0)) {
  process.stdout.write(USAGE)
  process.exit(values.help ? 0 : 2)
}
process.exit(await main())

async function main(): Promise<number> {
  const say = (line: string) => void process.stderr.write(`bench: ${line}\n`)
  const customers = benchCustomers(count)
  say(`starting Kafka, Redis and the services, importing ${customers.length} customers`)
  const system = await startSystem(customers)
  try {
    const floor = await startFloor(system.floor)
    const load = (inFlight: number, duration: number) =>
      generateLoad({
        urls: system.urls,
        customers,
        inFlight,
        seconds: duration,
        run: `b${Date.now()}`,
        authorization: `Basic ${Buffer.from(CREDENTIALS).toString('base64')}`,
      })
    say(`warming up for ${warmUp} s`)
    await floor.perSecond(64, 2)
    await load(256, warmUp)
    const rows: Row[] = []
    for (const inFlight of steps) {
      say(`${inFlight} in flight`)
      rows.push(
        await measured(system, inFlight, {
          floor: () => floor.perSecond(inFlight, seconds / TURNS),
          load: () => load(inFlight, seconds / TURNS),
        }),
      )
    }
    floor.stop()
    process.stdout.write(values.json ? `${JSON.stringify(rows, null, 2)}\n` : table(rows))
    return rows.every(({ answers }) => Object.keys(answers).every((answer) => answer === '200 00')) ? 0 : 1
  } finally {
    await system.stop()
  }
}

interface Turn {
  /** Echoes a second. */
  readonly floor: () => Promise<number>
  readonly load: () => Promise<LoadResult>
}

async function measured(system: System, inFlight: number, turn: Turn): Promise<Row> {
  const loads: LoadResult[] = []
  const floors: number[] = []
  const cpuSeconds = new Map<string, number>()
  for (let turns = 0; turns < TURNS; turns++) {
    floors.push(await turn.floor())
    const before = cpuSecondsOf(system)
    loads.push(await turn.load())
    for (const [name, total] of cpuSecondsOf(system)) {
      cpuSeconds.set(name, (cpuSeconds.get(name) ?? 0) + total - (before.get(name) ?? 0))
    }
  }
  const { calls, perSecond, latency, answers } = together(loads)
  const floorPerSecond = sum(floors) / TURNS
  const ms = (us: number) => Math.round(us / 10) / 100
  return {
    inFlight,
    floorPerSecond: Math.round(floorPerSecond),
    perSecond: Math.round(perSecond),
    ratio: Math.round((perSecond / floorPerSecond) * 1_000) / 1_000,
    latencyMs: {
      ...Object.fromEntries(PERCENTILES.map((p) => [`p${p}`, ms(latency.getValueAtPercentile(p))])),
      max: ms(latency.maxValue),
    },
    cpuUs: Object.fromEntries(
      [...cpuSeconds].map(([name, total]) => [name, Math.round((total / calls) * US_PER_SECOND)]),
    ),
    answers,
  }
}

/** Of each process of the system, and of this one, which is the generator. */
function cpuSecondsOf(system: System): ReadonlyMap<string, number> {
  const { user, system: kernel } = process.cpuUsage()
  return new Map([...system.cpuSeconds(), ['generator', (user + kernel) / US_PER_SECOND]])
}

function together(loads: readonly LoadResult[]): LoadResult {
  const [{ latency }] = loads as [LoadResult]
  const answers: Record<string, number> = {}
  for (const load of loads) {
    if (load.latency !== latency) latency.add(load.latency)
    for (const [answer, count] of Object.entries(load.answers)) answers[answer] = (answers[answer] ?? 0) + count
  }
  const calls = sum(loads.map((load) => load.calls))
  return { calls, perSecond: sum(loads.map((load) => load.perSecond)) / loads.length, latency, answers }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

function table(rows: readonly Row[]): string {
  const columns = [
    'in flight',
    'floor/s',
    'calls/s',
    'ratio',
    ...PERCENTILES.map((p) => `p${p} ms`),
    'max ms',
    'CPU µs a call',
    'answers',
  ]
  const lines = rows.map((row) =>
    [
      row.inFlight,
      row.floorPerSecond,
      row.perSecond,
      row.ratio.toFixed(3),
      ...PERCENTILES.map((p) => row.latencyMs[`p${p}`]),
      row.latencyMs['max'],
      Object.entries(row.cpuUs)
        .map(([name, us]) => `${name} ${us}`)
        .join(', '),
      Object.entries(row.answers)
        .map(([answer, n]) => `${answer}: ${n}`)
        .join(', '),
    ].join(' | '),
  )
  return `| ${[columns.join(' | '), columns.map(() => '---').join(' | '), ...lines].join(' |\n| ')} |\n`
}
