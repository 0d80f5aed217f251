// The whole service on memory behind the Openpay dialect: ingress, issuer, authorizer, and an authorizer of cards that
// answers as a test tells it. All but the adapters is as in production.

import type { FastifyInstance } from 'fastify'
import { Registry } from 'prom-client'
import { afterEach } from 'vitest'
import { createDemoAuthorizer } from '../../../services/adapters/card-authorizer/demo.ts'
import { systemEntropy } from '../../../services/adapters/keys/entropy.ts'
import { createMemoryStore, type MemoryStore } from '../../../services/adapters/memory/store.ts'
import type { MemoryLog } from '../../../services/adapters/memory/log.ts'
import type { AuthorizationEvent } from '../../../services/core/subject/event.ts'
import { DEFAULT_RULES } from '../../../services/core/subject/rules.ts'
import { createIngress } from '../../../services/ingress/app.ts'
import { DEFAULT_LIMITS, type IngressLimits } from '../../../services/ingress/deps.ts'
import type { AuthorizationRequest, CardAuthorizer, RefundRequest } from '../../../services/ports/card-authorizer.ts'
import type { Log, LogRecord } from '../../../services/ports/log.ts'
import type { Store } from '../../../services/ports/store.ts'
import type { OpenpayMerchantConfig } from '../../../services/runtime/apps-openpay.ts'
import { TOPIC } from '../../../services/runtime/topics.ts'
import { startWorker, type Worker, type WorkerObserver } from '../../../services/runtime/worker/worker.ts'
import { keys, memoryLog, NO_ASPEN, wire } from '../harness.ts'
import { logWith } from '../../ports/log-with.ts'

export const MERCHANT: OpenpayMerchantConfig = {
  merchantId: 'mzdtln0bmtms6o3kck8f',
  clientId: 'demo',
  enabled: true,
  privateKeys: ['sk_e568c42a6c384b7ab02cd47d2e407cab', 'sk_anotherprivatekeyofthemerchant'],
  publicKeys: ['pk_f0660ad5a39f4912872e24a7a660370c'],
}
export const OTHER: OpenpayMerchantConfig = {
  merchantId: 'mother0000000000demo',
  clientId: 'other',
  enabled: true,
  privateKeys: ['sk_00000000000000000000000000000other'],
  publicKeys: [],
}
export const DISABLED: OpenpayMerchantConfig = {
  merchantId: 'mdisabled00000000000',
  clientId: 'other',
  enabled: false,
  privateKeys: ['sk_disableddisableddisabled'],
  publicKeys: [],
}
export const SLOW: OpenpayMerchantConfig = {
  merchantId: 'mslow000000000000000',
  clientId: 'other',
  enabled: true,
  privateKeys: ['sk_slowslowslowslowslow'],
  publicKeys: [],
  ratePerSecond: 2,
}

const firstKey = (of: readonly string[]) => of[0] ?? ''
export const basicOf = (key: string) => ({ authorization: `Basic ${Buffer.from(`${key}:`).toString('base64')}` })
export const PRIVATE = basicOf(firstKey(MERCHANT.privateKeys))
export const PUBLIC = basicOf(firstKey(MERCHANT.publicKeys))
export const FOREIGN = basicOf(firstKey(OTHER.privateKeys))

/** Noon in Bogotá, the middle of a month. */
export const NOW = Date.UTC(2026, 10, 15, 17)

export const CARD = '4111111111111111'
export const TOKEN = {
  card_number: CARD,
  holder_name: 'Juan Perez Ramirez',
  expiration_year: '29',
  expiration_month: '12',
  cvv2: '110',
  address: {
    city: 'Bogotá',
    country_code: 'CO',
    postal_code: '110511',
    line1: 'Av 5 de Febrero',
    line2: 'Roble 207',
    line3: 'col carrillo',
    state: 'Bogota',
  },
}
export const charge = (source: string, fields: object = {}) => ({
  source_id: source,
  method: 'card',
  amount: 716,
  currency: 'COP',
  description: 'Cargo inicial a mi cuenta',
  device_session_id: 'kR1MiQhz2otdIuUlQkbEyitIqVMiI16f',
  customer: { name: 'Cliente Colombia', email: 'juan.vazquez@empresa.co' },
  ...fields,
})

export interface Answered {
  readonly status: number
  readonly body: any
  readonly text: string
  readonly headers: Readonly<Record<string, unknown>>
}

export interface Service {
  readonly app: FastifyInstance
  readonly log: MemoryLog
  readonly store: MemoryStore
  /** Requests that reached the log. */
  readonly published: LogRecord[]
  /** Secrets kept so far: how often the store was asked to keep some. */
  readonly stashes: number[]
  /** What the authorizer of cards was asked for. */
  readonly authorized: AuthorizationRequest[]
  readonly refunded: RefundRequest[]
  /** Unix milliseconds, for all of it; workers may be ahead. */
  clock: { now: () => number; workersAheadMs: number }
  /** A path under the merchant's, and a body that is sent as JSON unless it is text. */
  call(method: string, path: string, options?: CallOptions): Promise<Answered>
  post(path: string, body?: unknown, headers?: Record<string, string>): Promise<Answered>
  get(path: string, headers?: Record<string, string>): Promise<Answered>
  /** The id of a new token. */
  token(fields?: object): Promise<string>
  events(): Promise<AuthorizationEvent[]>
}

export interface CallOptions {
  readonly body?: unknown
  readonly headers?: Record<string, string>
  readonly merchantId?: string
}

export interface ServiceOptions {
  readonly authorizer?: Partial<CardAuthorizer>
  readonly limits?: Partial<IngressLimits>
  readonly now?: number
  /** Without them nothing is ever answered. */
  readonly workers?: boolean
  readonly secrets?: Pick<Store, 'stash'>
  readonly storePing?: () => Promise<void>
  readonly log?: Partial<Log>
}

const DECLINES = new Map([
  ['4222222222222220', '05'],
  ['4000000000000069', '54'],
  ['4444444444444448', '51'],
  ['4000000000000119', '43'],
  ['4000000000000044', '59'],
] as const)

const NO_OBSERVER: WorkerObserver = {
  round: () => undefined,
  decided: () => undefined,
  conflict: () => undefined,
  retried: () => undefined,
  bug: (error) => {
    throw error
  },
  deadLetter: () => undefined,
  inFlight: () => undefined,
}

async function startService(options: ServiceOptions): Promise<Service & { stop(): Promise<void> }> {
  const clock = { now: () => options.now ?? NOW, workersAheadMs: 0 }
  const log = memoryLog()
  const time = { now: () => clock.now() }
  const store = createMemoryStore({ clock: time })
  const published: LogRecord[] = []
  const stashes: number[] = []
  const authorized: AuthorizationRequest[] = []
  const refunded: RefundRequest[] = []
  const demo = createDemoAuthorizer(DECLINES)
  const cards = { ...demo, ...options.authorizer }
  const authorizer: CardAuthorizer = {
    ...cards,
    authorize: (request) => (authorized.push(request), cards.authorize(request)),
    refund: (request) => (refunded.push(request), cards.refund(request)),
  }
  const workerTime = { now: () => clock.now() + clock.workersAheadMs }
  const shell = { clock: workerTime, entropy: systemEntropy, keys, rules: DEFAULT_RULES }
  const workers: Worker[] = []
  for (const topic of options.workers === false ? [] : [TOPIC.tokenRequests, TOPIC.purchaseRequests]) {
    const bounds = { maxRound: 200, maxInFlight: 2_000 }
    workers.push(
      await startWorker({
        log: log.client(),
        store,
        wire,
        shell,
        observer: NO_OBSERVER,
        group: topic,
        topic,
        authorizer,
        ...bounds,
      }),
    )
  }
  const secrets = options.secrets ?? store
  const app = createIngress({
    log: logWith(log, {
      publish: (records) => (published.push(...records), log.publish(records)),
      ...options.log,
    }),
    wire,
    keys,
    clock: time,
    evertecApps: [],
    aspen: NO_ASPEN,
    openpay: {
      merchants: [MERCHANT, OTHER, DISABLED, SLOW],
      cardTokens: { ttlMs: 3_600_000, securityCodeTtlMs: 900_000, privateRanges: ['603959'] },
      secrets: { stash: (slot, kept) => (stashes.push(kept.length), secrets.stash(slot, kept)) },
    },
    limits: { ...DEFAULT_LIMITS, replyTimeoutMs: 5_000, probeIntervalMs: 50, ...options.limits },
    storePing: options.storePing,
    logger: { info: () => undefined, warn: () => undefined, error: () => undefined },
    registry: new Registry(),
  })
  await app.ready()
  const call: Service['call'] = async (
    method,
    path,
    { body, headers = PRIVATE, merchantId = MERCHANT.merchantId } = {},
  ) => {
    const sent = typeof body === 'string' || body === undefined ? body : JSON.stringify(body)
    const type = sent === undefined ? {} : { 'content-type': 'application/json' }
    const response = await app.inject({
      method: method as 'GET',
      url: `/v1/${merchantId}${path}`,
      headers: { ...type, ...headers },
      ...(sent === undefined ? {} : { payload: sent }),
    })
    const { statusCode: status, body: text } = response
    return { status, text, body: text === '' ? undefined : JSON.parse(text), headers: response.headers }
  }
  const service: Service = {
    app,
    log,
    store,
    published,
    stashes,
    authorized,
    refunded,
    clock,
    call,
    post: (path, body, headers) => call('POST', path, { body, ...(headers ? { headers } : {}) }),
    get: (path, headers) => call('GET', path, headers ? { headers } : {}),
    token: async (fields = {}) => (await call('POST', '/tokens', { body: { ...TOKEN, ...fields } })).body.id,
    events: async () => {
      const events: AuthorizationEvent[] = []
      for (let partition = 0; partition < (await log.partitions(TOPIC.events)); partition++) {
        for await (const record of log.read(TOPIC.events, partition)) events.push(wire.decodeEvent(record.value))
      }
      return events
    },
  }
  return Object.assign(service, {
    stop: async () => {
      await app.close()
      await Promise.all(workers.map((worker) => worker.stop(1_000)))
    },
  })
}

/** For a file of tests: what a test started is stopped after it. */
export function servicePerTest(): (options?: ServiceOptions) => Promise<Service> {
  const running: { stop(): Promise<void> }[] = []
  afterEach(async () => {
    await Promise.all(running.splice(0).map((service) => service.stop()))
  })
  return async (options = {}) => {
    const service = await startService(options)
    running.push(service)
    return service
  }
}
