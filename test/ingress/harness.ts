// An ingress on a log in memory with a worker that answers as it is told. All but the worker is as in production.

import type { FastifyInstance } from 'fastify'
import { Registry } from 'prom-client'
import { afterEach } from 'vitest'
import { createKeyRing } from '../../services/adapters/keys/key-ring.ts'
import { createDebugDelivery } from '../../services/adapters/delivery/debug.ts'
import { createMemorySessions } from '../../services/adapters/memory/sessions.ts'
import { createMemoryLog, type MemoryLog } from '../../services/adapters/memory/log.ts'
import { createAvroWire } from '../../services/adapters/avro/wire.ts'
import type { Request } from '../../services/core/transaction/command.ts'
import type { IssuedToken } from '../../services/core/transaction/outcome.ts'
import type { Reply } from '../../services/core/transaction/reply.ts'
import { scopeKey } from '../../services/core/transaction/scope.ts'
import { createIngress } from '../../services/ingress/app.ts'
import {
  DEFAULT_LIMITS,
  type AspenSetup,
  type IngressLimits,
  type Logger,
  type OpenpaySetup,
  type RemoteCards,
} from '../../services/ingress/deps.ts'
import type { KeyRing } from '../../services/ports/keys.ts'
import type { Log, LogRecord } from '../../services/ports/log.ts'
import type { DeliveryChannel } from '../../services/ports/delivery.ts'
import type { Sessions } from '../../services/ports/sessions.ts'
import type { EvertecAppConfig } from '../../services/runtime/apps.ts'
import type { AspenAppConfig } from '../../services/runtime/apps-aspen.ts'
import { TOPIC, TOPICS } from '../../services/runtime/topics.ts'
import { logWith } from '../ports/log-with.ts'

export const wire = createAvroWire()

const bytes = (fill: number) => Buffer.alloc(32, fill).toString('base64')
export const keys = createKeyRing({
  identity: { id: 'i1', key: bytes(1) },
  token: [{ id: 't1', key: bytes(2) }],
  seal: [{ id: 's1', key: bytes(3) }],
})

export const APP: EvertecAppConfig = {
  key: 'acquirer-app',
  secret: 'se:cret-ñ',
  clientId: 'org',
  enabled: true,
  acquirers: ['A1', 'A2'],
  transactionCodes: { '0200': 'TOKEN_PURCHASE', '0100': 'TOKEN_GENERATION' },
}
export const OTHER_APP: EvertecAppConfig = {
  key: 'other-app',
  secret: 'other-secret',
  clientId: 'other',
  enabled: true,
  acquirers: ['B1'],
  transactionCodes: {},
}
export const DISABLED_APP: EvertecAppConfig = {
  key: 'disabled-app',
  secret: 'disabled-secret',
  clientId: 'org',
  enabled: false,
  acquirers: ['A1'],
  transactionCodes: {},
}
export const SLOW_APP: EvertecAppConfig = {
  key: 'slow-app',
  secret: 'slow-secret',
  clientId: 'org',
  enabled: true,
  acquirers: ['A1'],
  transactionCodes: {},
  ratePerSecond: 2,
}

/** Two apps of one client, one of another, and one that is disabled. */
const aspenApp = (key: string, clientId: string, other: Partial<AspenAppConfig> = {}): AspenAppConfig => ({
  key,
  clientId,
  secret: `${key}-secret-of-at-least-32-bytes-ñ`,
  enabled: true,
  debugMode: false,
  basicAllowed: false,
  permissions: ['validate', 'send', 'channels', 'cancel'],
  sessionSeconds: 60,
  ...other,
})
export const ASPEN_APP = aspenApp('aspen-app', 'org', { debugMode: true, basicAllowed: true })
export const OTHER_ASPEN_APP = aspenApp('other-aspen', 'other')
export const NARROW_ASPEN_APP = aspenApp('narrow-aspen', 'org', { permissions: ['channels'] })
export const DISABLED_ASPEN_APP = aspenApp('disabled-aspen', 'org', { enabled: false })
const ASPEN_APPS = [ASPEN_APP, OTHER_ASPEN_APP, NARROW_ASPEN_APP, DISABLED_ASPEN_APP]

/** For an ingress whose test is of another dialect. */
export const NO_ASPEN: AspenSetup = {
  apps: [],
  sessions: createMemorySessions({ clock: { now: Date.now } }),
  delivery: createDebugDelivery(),
}

export const credentials = (key: string, secret: string) =>
  `Basic ${Buffer.from(`${key}:${secret}`).toString('base64')}`
export const AUTHORIZATION = credentials(APP.key, APP.secret)
export const JSON_HEADERS = { authorization: AUTHORIZATION, 'content-type': 'application/json' }

export const CARD = '6039591000000018'
export const TOKEN = '482915'
export const DOCUMENT = '1012345678'
export const ACQUIRER = { id: 'A1', storeId: 'S1', terminalId: 'T1' }
export const GENERATION = { consecutive: 'gen-1', transactionCode: 'TOKEN_GENERATION', acquirer: ACQUIRER }
export const PURCHASE = {
  consecutive: 'buy-1',
  transactionCode: 'TOKEN_PURCHASE',
  acquirer: ACQUIRER,
  cardNumber: CARD,
  token: TOKEN,
  accountType: '10',
  amount: 100,
}
export const REVERSAL = { consecutive: 'buy-1', transactionCode: 'REVERSAL', acquirer: ACQUIRER }
export const VOID = { consecutive: 'void-1', transactionCode: 'VOID', acquirer: ACQUIRER, originalConsecutive: 'buy-1' }

/** What the worker answers: the rest of a reply, or null for silence. May take its time. */
export type Answer = (request: Request) => Partial<Reply> | null | Promise<Partial<Reply> | null>

export const approve: Answer = () => ({ responseCode: '00', authorizationNumber: '123456' })

/** A log in memory with the topics of the service. */
export function memoryLog(): MemoryLog {
  return createMemoryLog({ topics: TOPICS })
}

/** The ring, with some of its operations done otherwise. */
export function keysWith(other: Partial<KeyRing>): KeyRing {
  return {
    hash: (purpose, text) => keys.hash(purpose, text),
    seal: (plain, context) => keys.seal(plain, context),
    open: (sealed, context) => keys.open(sealed, context),
    sealCard: (number, context) => keys.sealCard(number, context),
    openCard: (sealed, wrapped, context) => keys.openCard(sealed, wrapped, context),
    issue: (slot, id, digits) => keys.issue(slot, id, digits),
    reveal: (token) => keys.reveal(token),
    presentedHashes: (slot, digits) => keys.presentedHashes(slot, digits),
    ...other,
  }
}

const TOKEN_ID = 'AAAAAAAAAAAAAAAAAAAAAA'
const issued = keys.issue('T.slot', TOKEN_ID, 6)
export const ISSUED_DIGITS = issued.digits

/** A token as a worker's reply holds it. */
export function issuedToken(expiresAt: number): IssuedToken {
  return { id: TOKEN_ID, hash: issued.hash, digits: 6, expiresAt }
}

export interface Line {
  readonly level: string
  readonly fields: Record<string, unknown>
  readonly message: string
}

export interface Harness {
  readonly app: FastifyInstance
  readonly log: Log
  /** Requests published, as the worker read them. */
  readonly requests: Request[]
  /** Records published to the request topics. */
  readonly published: LogRecord[]
  readonly lines: Line[]
  readonly registry: Registry
  post(
    body: unknown,
    headers?: Record<string, string>,
  ): Promise<{
    status: number
    body: any
    headers: Record<string, unknown>
  }>
  get(
    path: string,
    headers?: Record<string, string>,
  ): Promise<{
    status: number
    body: any
    headers: Record<string, unknown>
  }>
}

export interface HarnessOptions {
  readonly answer?: Answer
  readonly limits?: Partial<IngressLimits>
  readonly log?: Log
  readonly apps?: readonly EvertecAppConfig[]
  readonly aspenApps?: readonly AspenAppConfig[]
  readonly sessions?: Sessions
  readonly delivery?: DeliveryChannel
  readonly publicUrl?: string
  readonly storePing?: () => Promise<void>
  readonly now?: () => number
  readonly replyPartition?: number
  readonly keys?: KeyRing
  readonly openpay?: OpenpaySetup
  readonly remoteCards?: RemoteCards
}

/** No merchants, and nothing that keeps secrets. */
const NO_OPENPAY: OpenpaySetup = {
  merchants: [],
  cardTokens: { ttlMs: 3_600_000, securityCodeTtlMs: 900_000, privateRanges: [] },
  secrets: { stash: () => Promise.reject(new Error('nobody has a merchant here')) },
}

/** An ingress that is ready, with a worker behind it. Close `app` afterwards. */
export async function startIngress(options: HarnessOptions = {}): Promise<Harness> {
  const inner = options.log ?? memoryLog()
  const requests: Request[] = []
  const published: LogRecord[] = []
  const lines: Line[] = []
  const registry = new Registry()
  const log = logWith(inner, {
    publish: (records) => {
      published.push(...records)
      return inner.publish(records)
    },
  })
  if (options.answer !== undefined) await startWorker(inner, options.answer, requests)
  const app = createIngress({
    log,
    wire,
    keys: options.keys ?? keys,
    clock: { now: options.now ?? Date.now },
    aspen: {
      apps: options.aspenApps ?? ASPEN_APPS,
      sessions: options.sessions ?? createMemorySessions({ clock: { now: options.now ?? Date.now } }),
      delivery: options.delivery ?? createDebugDelivery(),
    },
    publicUrl: options.publicUrl,
    evertecApps: options.apps ?? [APP, OTHER_APP, DISABLED_APP, SLOW_APP],
    openpay: options.openpay ?? NO_OPENPAY,
    remoteCards: options.remoteCards,
    limits: { ...DEFAULT_LIMITS, replyTimeoutMs: 2_000, probeIntervalMs: 50, ...options.limits },
    replyPartition: options.replyPartition,
    storePing: options.storePing,
    logger: keepLines(lines),
    registry,
  })
  await app.ready()
  const answered = (response: { statusCode: number; body: string; headers: Record<string, unknown> }) => ({
    status: response.statusCode,
    headers: response.headers,
    body: parsed(response.body),
  })
  return {
    app,
    log: inner,
    requests,
    published,
    lines,
    registry,
    post: async (body, headers = JSON_HEADERS) =>
      answered(
        await app.inject({
          method: 'POST',
          url: '/financial',
          headers,
          payload: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
        }),
      ),
    get: async (path, headers = { authorization: AUTHORIZATION }) =>
      answered(await app.inject({ method: 'GET', url: path, headers })),
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Answers every request of both topics on the partition it asks for. */
export async function startWorker(log: Log, answer: Answer, requests: Request[] = []): Promise<void> {
  const take = async (request: Request) => {
    const answered = await answer(request)
    if (answered !== null) await publishReply(log, request, answered)
  }
  await log.consume('worker', [TOPIC.tokenRequests, TOPIC.purchaseRequests], async (batch) => {
    for (const record of batch.records) {
      const request = wire.decodeRequest(record)
      requests.push(request)
      void take(request)
      batch.done(record.offset)
    }
  })
}

/** Publishes the reply to a request. */
export async function publishReply(log: Log, { body, replyPartition }: Request, answer: Partial<Reply>): Promise<void> {
  const asked =
    body.kind === 'INQUIRY'
      ? { scope: scopeKey(body.of), fingerprint: '', inquiryId: body.inquiryId }
      : { scope: scopeKey(body.scope), fingerprint: body.fingerprint, inquiryId: '' }
  const reply: Reply = { ...asked, found: true, tokenShown: false, epoch: 1, runId: 'run', ...answer }
  await log.publish([{ topic: TOPIC.replies, key: reply.scope, partition: replyPartition, ...wire.encodeReply(reply) }])
}

function keepLines(lines: Line[]): Logger {
  const keep = (level: string) => (fields: object, message: string) => {
    lines.push({ level, fields: fields as Record<string, unknown>, message })
  }
  return { info: keep('info'), warn: keep('warn'), error: keep('error') }
}

/** `startIngress` for a file of tests: what a test started is closed after it. */
export function ingressPerTest(): (options?: HarnessOptions) => Promise<Harness> {
  const open: Harness[] = []
  afterEach(async () => {
    await Promise.all(open.splice(0).map(({ app }) => app.close()))
  })
  return async (options) => {
    const harness = await startIngress(options)
    open.push(harness)
    return harness
  }
}
