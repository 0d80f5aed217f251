// Posts signed messages to one URL, by the Standard Webhooks specification: sign, send with a deadline, classify the
// answer. Does not retry, does not follow redirects, and keeps nothing of what the receiver says but its status.

import { Agent as HttpAgent, request as requestHttp, type ClientRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { Webhook } from 'standardwebhooks'
import { guardedLookup, urlProblem, type AddressRules } from './address-guard.ts'

const SECRET_PREFIX = 'whsec_'
/** Of a secret, bytes (Standard Webhooks, "Signature scheme"). */
const MIN_SECRET_BYTES = 24
const MAX_SECRET_BYTES = 64
const DEFAULT_MAX_SOCKETS = 8
/** Idle connections are closed before most servers close theirs, so that none is met half closed. */
const IDLE_SOCKET_MS = 4_000
/** Read of an answer, so that the connection can be used again; a longer one costs the connection. Bytes. */
const MAX_ANSWER_BYTES = 65_536
/** Longest wait that a receiver may ask for by `Retry-After`. */
const MAX_RETRY_AFTER_MS = 3_600_000
const USER_AGENT = 'payment-token-service'

export interface WebhookMessage {
  /** Goes into `webhook-id`: the same for every attempt, so that the receiver can drop repeats. No full stop in it. */
  readonly id: string
  /** JSON text. Sent and signed as it is. */
  readonly body: string
}

/** How one attempt ended. The reasons are safe to log: none quotes the receiver. */
export type PostResult =
  | { readonly outcome: 'delivered'; readonly status: number }
  /** 410: the receiver wants no more of these messages, ever. */
  | { readonly outcome: 'gone'; readonly status: 410 }
  | {
      readonly outcome: 'failed'
      /** `status-500`, `timeout`, `ECONNREFUSED`, `address-refused`, … */
      readonly reason: string
      readonly status?: number
      /** The receiver's `Retry-After`, milliseconds. */
      readonly retryAfterMs?: number
    }

export interface WebhookEndpoint {
  /** One attempt. Never rejects. @param signal ends it early, as failed with `aborted`. */
  post(message: WebhookMessage, options: { readonly deadlineMs: number; signal?: AbortSignal }): Promise<PostResult>
  /** Ends idle connections and those under way. */
  close(): void
}

export interface WebhookEndpointOptions extends AddressRules {
  readonly url: string
  /** `whsec_…`, newest first. Each message is signed by all, so that a receiver can change over. */
  readonly secrets: readonly string[]
  /** Calls at one time; others wait. */
  readonly maxSockets?: number
  /** Unix milliseconds, for the signed timestamp. The system's by default. */
  readonly now?: () => number
}

/** Whether a text is a signing secret: `whsec_` and 24 to 64 bytes in base64. */
export function isWebhookSecret(text: string): boolean {
  const encoded = text.startsWith(SECRET_PREFIX) ? text.slice(SECRET_PREFIX.length) : ''
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded) || encoded.length % 4 !== 0) return false
  const { byteLength } = Buffer.from(encoded, 'base64')
  return byteLength >= MIN_SECRET_BYTES && byteLength <= MAX_SECRET_BYTES
}

/**
 * The three headers of the specification. @param sentAt Unix milliseconds of this attempt.
 * @throws RangeError for a secret that is none.
 */
export function webhookHeaders(
  secrets: readonly string[],
  message: WebhookMessage,
  sentAt: number,
): Readonly<Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string>> {
  return headersBy(secrets.map(signerOf), message, sentAt)
}

/** @throws RangeError for a URL or a secret that may not be used; the message quotes neither. */
export function createWebhookEndpoint(options: WebhookEndpointOptions): WebhookEndpoint {
  const { secrets, maxSockets = DEFAULT_MAX_SOCKETS, now = Date.now } = options
  const problem = urlProblem(options.url, options)
  if (problem !== null) throw new RangeError(`the URL ${problem}`)
  if (secrets.length === 0) throw new RangeError('a secret is needed')
  const signers = secrets.map(signerOf)
  const url = new URL(options.url)
  const secure = url.protocol === 'https:'
  const agentOptions = { keepAlive: true, keepAliveMsecs: IDLE_SOCKET_MS, maxSockets, timeout: IDLE_SOCKET_MS }
  const agent = secure ? new HttpsAgent(agentOptions) : new HttpAgent(agentOptions)
  const lookup = guardedLookup(url, options)

  const attempt = ({ body, ...message }: WebhookMessage, signal: AbortSignal): ClientRequest => {
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': USER_AGENT,
      ...headersBy(signers, { body, ...message }, now()),
    }
    const call = (secure ? requestHttps : requestHttp)(url, { method: 'POST', agent, headers, lookup, signal })
    call.end(body)
    return call
  }

  /** A kept connection that the receiver closed meanwhile says nothing about it: once more, on a new one. */
  const attempts = async (message: WebhookMessage, signal: AbortSignal): Promise<PostResult> => {
    for (let stale = true; ; stale = false) {
      const call = attempt(message, signal)
      try {
        return await answerOf(call)
      } catch (error) {
        if (!stale || !call.reusedSocket || signal.aborted) throw error
      }
    }
  }

  return {
    post: async (message, { deadlineMs, signal }) => {
      const ends = endOf(deadlineMs, signal)
      try {
        return await attempts(message, ends.signal)
      } catch (error) {
        return { outcome: 'failed', reason: ends.late() ? 'timeout' : reasonOf(error, signal) }
      } finally {
        ends.release()
      }
    },
    close: () => agent.destroy(),
  }
}

/** The end of a call: its deadline, or the caller's. By hand, since `AbortSignal.any` leaves something behind each time. */
function endOf(deadlineMs: number, signal: AbortSignal | undefined) {
  const ended = new AbortController()
  let late = false
  const timer = setTimeout(() => {
    late = true
    ended.abort()
  }, deadlineMs)
  const end = () => ended.abort()
  if (signal?.aborted) end()
  signal?.addEventListener('abort', end)
  const release = () => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', end)
  }
  return { signal: ended.signal, late: () => late, release }
}

/** @throws RangeError */
function signerOf(secret: string): Webhook {
  if (!isWebhookSecret(secret)) {
    throw new RangeError(`a secret is ${SECRET_PREFIX} and ${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} bytes in base64`)
  }
  return new Webhook(secret)
}

function headersBy(signers: readonly Webhook[], { id, body }: WebhookMessage, sentAt: number) {
  const at = new Date(sentAt)
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(sentAt / 1_000)),
    'webhook-signature': signers.map((signer) => signer.sign(id, at, body)).join(' '),
  }
}

/** Resolves with the classified answer once it was read as far as it is wanted; rejects when none came. */
function answerOf(call: ClientRequest): Promise<PostResult> {
  return new Promise((resolve, reject) => {
    call.once('error', reject)
    call.once('response', (response) => {
      const result = classify(response)
      let read = 0
      response.on('data', (chunk: Buffer) => {
        read += chunk.byteLength
        if (read <= MAX_ANSWER_BYTES) return
        resolve(result)
        response.destroy()
      })
      response.once('end', () => resolve(result))
      // The status is what counts, but a receiver that breaks off in the middle of its answer may have failed itself.
      response.once('error', reject)
    })
  })
}

function classify({ statusCode: status = 0, headers }: IncomingMessage): PostResult {
  if (status >= 200 && status < 300) return { outcome: 'delivered', status }
  if (status === 410) return { outcome: 'gone', status }
  const failed = { outcome: 'failed', reason: `status-${status}`, status } as const
  const retryAfterMs = retryAfter(headers['retry-after'])
  return retryAfterMs === undefined ? failed : { ...failed, retryAfterMs }
}

/** Seconds or a date (RFC 9110, section 10.2.3). */
function retryAfter(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS)
}

/** A word for what went wrong. Messages of the socket carry addresses. */
function reasonOf(error: unknown, signal: AbortSignal | undefined): string {
  if (signal?.aborted) return 'aborted'
  const { name, code } = error as { readonly name?: unknown; readonly code?: unknown }
  if (name === 'AddressRefusedError') return 'address-refused'
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/.test(code) ? code : 'failed'
}
