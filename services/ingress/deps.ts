// What the HTTP edge is given. It makes nothing itself that reaches outside: no broker, store or key, no environment.

import type { Registry } from 'prom-client'
import type { Clock } from '../ports/clock.ts'
import type { DeliveryChannel } from '../ports/delivery.ts'
import type { KeyRing } from '../ports/keys.ts'
import type { Log } from '../ports/log.ts'
import type { Sessions } from '../ports/sessions.ts'
import type { Wire } from '../ports/wire.ts'
import type { Store } from '../ports/store.ts'
import type { EvertecAppConfig } from '../runtime/apps.ts'
import type { OpenpayMerchantConfig } from '../runtime/apps-openpay.ts'
import type { CardTokenConfig } from '../runtime/config-card-tokens.ts'
import type { AspenAppConfig } from '../runtime/apps-aspen.ts'

/** The lines the edge writes. Fields are chosen one by one: never a body, a path or an issue; errors as described. */
export interface Logger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** The bounds of one ingress instance. */
export interface IngressLimits {
  /** How long a call waits for its reply, and the life a transaction's request is given. Milliseconds. */
  readonly replyTimeoutMs: number
  /** How long open calls may still get their reply on shutdown. Milliseconds. */
  readonly shutdownTimeoutMs: number
  /** Calls that wait for a reply at one time. Beyond it: 503. */
  readonly maxOpenCalls: number
  /** Calls that wait for the same reply. Beyond it: 503. */
  readonly maxCallsPerReply: number
  /** Sockets. Beyond it new ones are dropped. */
  readonly maxConnections: number
  /** How long a request may take to arrive, its body included. Milliseconds. */
  readonly requestTimeoutMs: number
  /** How long its headers may take. Milliseconds. */
  readonly headersTimeoutMs: number
  /** How long an idle connection is kept. Milliseconds; longer than common proxies keep theirs. */
  readonly keepAliveTimeoutMs: number
  /** Between two questions to log and store whether they answer. Milliseconds. */
  readonly probeIntervalMs: number
}

/** The contract's times (section 1), and bounds that hold some hundred megabytes at worst. */
export const DEFAULT_LIMITS: IngressLimits = {
  replyTimeoutMs: 15_000,
  shutdownTimeoutMs: 8_000,
  maxOpenCalls: 10_000,
  maxCallsPerReply: 1_000,
  maxConnections: 12_000,
  requestTimeoutMs: 10_000,
  headersTimeoutMs: 5_000,
  keepAliveTimeoutMs: 72_000,
  probeIntervalMs: 1_000,
}

/** Sockets beyond the calls that wait: idle ones, health, metrics. */
const SPARE_CONNECTIONS = 2_000

/** The bounds of an instance as configured; the others at their defaults. */
export function limitsOf(
  config: Pick<IngressLimits, 'replyTimeoutMs' | 'shutdownTimeoutMs' | 'maxOpenCalls'>,
): IngressLimits {
  const { replyTimeoutMs, shutdownTimeoutMs, maxOpenCalls } = config
  return {
    ...DEFAULT_LIMITS,
    replyTimeoutMs,
    shutdownTimeoutMs,
    maxOpenCalls,
    maxConnections: maxOpenCalls + SPARE_CONNECTIONS,
  }
}

/** What the Openpay dialect is given. */
export interface OpenpaySetup {
  readonly merchants: readonly OpenpayMerchantConfig[]
  readonly cardTokens: CardTokenConfig
  /** Keeps the data keys of card numbers, and security codes. */
  readonly secrets: Pick<Store, 'stash'>
}

/** Cards whose funds another authorizer holds. */
export interface RemoteCards {
  /** Leading digits. */
  readonly ranges: readonly string[]
  /** Keeps the keys of their numbers until the request's deadline. */
  readonly secrets: Pick<Store, 'stash'>
}

/** What the Aspen dialect needs besides. Sessions and delivery are their owner's to close. */
export interface AspenSetup {
  readonly apps: readonly AspenAppConfig[]
  readonly sessions: Sessions
  readonly delivery: DeliveryChannel
}

export interface IngressDeps {
  readonly log: Log
  readonly wire: Wire
  readonly keys: KeyRing
  readonly clock: Clock
  readonly evertecApps: readonly EvertecAppConfig[]
  /** Absent: no card is another authorizer's. */
  readonly remoteCards?: RemoteCards
  readonly openpay: OpenpaySetup
  readonly aspen: AspenSetup
  /** Where callers reach the service, without a slash at its end. Absent: as a call's Host says. */
  readonly publicUrl?: string
  readonly limits: IngressLimits
  /** The instance's partition of `replies`. Absent: one drawn at the start. */
  readonly replyPartition?: number
  /** Resolves when the store answers. Absent: readiness does not ask a store. */
  readonly storePing?: () => Promise<void>
  readonly logger: Logger
  readonly registry: Registry
}
