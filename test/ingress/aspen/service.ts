// The whole service on memory behind the dialects of Aspen and Evertec: two ingress instances, issuer, authorizer, a demo
// card with money. All but the adapters is as in production.

import { afterEach } from 'vitest'
import { systemEntropy } from '../../../services/adapters/keys/entropy.ts'
import { createMemorySessions, type MemorySessions } from '../../../services/adapters/memory/sessions.ts'
import { createMemoryStore } from '../../../services/adapters/memory/store.ts'
import type { MemoryLog } from '../../../services/adapters/memory/log.ts'
import { importAccounts } from '../../../services/cli/account-import.ts'
import { rowsOfCards } from '../../../services/cli/account-rows.ts'
import { createRequester } from '../../../services/cli/requester.ts'
import type { AuthorizationEvent } from '../../../services/core/subject/event.ts'
import { DEFAULT_RULES } from '../../../services/core/subject/rules.ts'
import { DEMO_SET_FILE, readApps } from '../../../services/runtime/apps.ts'
import { TOPIC } from '../../../services/runtime/topics.ts'
import { startWorker, type Worker, type WorkerObserver } from '../../../services/runtime/worker/worker.ts'
import {
  APP,
  ASPEN_APP,
  credentials,
  keys,
  memoryLog,
  OTHER_APP,
  startIngress,
  wire,
  type Harness,
  type HarnessOptions,
} from '../harness.ts'
import { aspenClient, type Answer, type AspenClient } from './client.ts'

export const USER = { docType: 'CC', docNumber: '1012345678' }
export const CARD = '6039591000000018'

export interface Service {
  readonly one: Harness
  readonly other: Harness
  readonly log: MemoryLog
  readonly sessions: MemorySessions
  /** Moves the time of all of it. */
  pass(ms: number): void
  now(): number
  /** Signed in, on the first instance. */
  readonly client: AspenClient
  /** Sends a token to a user, by an app in debug mode. */
  sent(fields?: object): Promise<string>
  /** Validates a token of the usual user. */
  put(token: string, fields?: object): Promise<Answer>
  /** A purchase with the demo card, by the app of this dialect's client or of the other. */
  purchase(token: string, by: 'own' | 'other', fields?: object): Promise<string>
  events(): Promise<AuthorizationEvent[]>
}

const OBSERVER: WorkerObserver = {
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

export async function startService(options: HarnessOptions = {}): Promise<Service & { stop(): Promise<void> }> {
  let passed = 0
  const clock = { now: () => Date.now() + passed }
  const log = memoryLog()
  const store = createMemoryStore({ clock })
  const shell = { clock, entropy: systemEntropy, keys, rules: DEFAULT_RULES }
  const workers: Worker[] = []
  for (const topic of [TOPIC.tokenRequests, TOPIC.purchaseRequests]) {
    const bounds = { maxRound: 200, maxInFlight: 2_000 }
    const own = log.client()
    workers.push(
      await startWorker({ log: own, store, wire, shell, observer: OBSERVER, group: topic, topic, ...bounds }),
    )
  }
  const requester = await createRequester(log, wire, 5_000)
  const { cards } = readApps(DEMO_SET_FILE, 'development')
  await importAccounts(rowsOfCards(cards), { ask: requester.ask, keys, clock })
  await requester.close()
  const sessions = createMemorySessions({ clock })
  const shared = { log, sessions, now: clock.now, limits: { replyTimeoutMs: 10_000 }, ...options }
  const [one, other] = await Promise.all([startIngress(shared), startIngress(shared)])
  const client = aspenClient(one.app, ASPEN_APP, clock.now)
  await client.signIn()
  let purchases = 0
  return {
    one,
    other,
    log,
    sessions,
    now: clock.now,
    pass: (ms) => void (passed += ms),
    client,
    sent: async (fields = {}) => {
      const { status, body } = await client.call('POST', '/tokens/send', { body: { ...USER, ...fields } })
      if (status !== 200) throw new Error(`not sent: ${status}`)
      return String(body.token)
    },
    put: (token, fields = {}) =>
      client.call('PUT', `/tokens/${token}`, { body: { ...USER, amount: 25_000, ...fields } }),
    purchase: async (token, by, fields = {}) => {
      const app = by === 'own' ? APP : OTHER_APP
      const acquirer = { id: app.acquirers[0], storeId: 'S1', terminalId: 'T1' }
      const consecutive = `buy-${(purchases += 1)}`
      const body = { consecutive, transactionCode: 'TOKEN_PURCHASE', acquirer, cardNumber: CARD, token }
      const answer = await one.post(
        { ...body, accountType: '10', amount: 25_000, ...fields },
        { authorization: credentials(app.key, app.secret), 'content-type': 'application/json' },
      )
      return String(answer.body.responseCode)
    },
    events: async () => {
      const events: AuthorizationEvent[] = []
      for (let partition = 0; partition < (await log.partitions(TOPIC.events)); partition++) {
        for await (const record of log.read(TOPIC.events, partition)) events.push(wire.decodeEvent(record.value))
      }
      return events
    },
    stop: async () => {
      await Promise.all([one.app.close(), other.app.close()])
      await Promise.all(workers.map((worker) => worker.stop(1_000)))
    },
  }
}

/** `startService` for a file of tests: what a test started is stopped after it. */
export function servicePerTest(): (options?: HarnessOptions) => Promise<Service> {
  const open: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const stop of open.splice(0)) await stop()
  })
  return async (options) => {
    const service = await startService(options)
    open.push(service.stop)
    return service
  }
}
