// One HTTP call whose fate is told exactly: surely not sent, answered, or unknown. No redirect is followed, nothing is
// sent twice, and nothing of request or answer is logged.

import { Agent as HttpAgent, request as requestHttp, type ClientRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { connect as connectTcp, type NetConnectOpts, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'

/** Of an answer, bytes: ours have some hundred. */
const MAX_ANSWER_BYTES = 65_536
/** Idle connections are closed before most servers close theirs, so that none is met half closed. Milliseconds. */
const IDLE_SOCKET_MS = 4_000

export type CallEnd =
  | { readonly kind: 'answered'; readonly status: number; readonly body: string }
  /** No byte of it has left this process. The reason is a word that is safe to log. */
  | { readonly kind: 'not-sent'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string }

export interface HttpCaller {
  /** Never rejects. Ends within the deadline. @param path below the base URL, encoded. */
  call(method: 'GET' | 'POST', path: string, headers: Readonly<Record<string, string>>, body?: string): Promise<CallEnd>
  /** Ends idle connections and those under way. */
  close(): void
}

export interface HttpCallerOptions {
  readonly url: string
  /** Milliseconds for a whole call, the wait for a connection included. */
  readonly deadlineMs: number
  /** Connections at one time; other calls wait for one, within their deadline. */
  readonly maxSockets: number
  /** Certificate authority of the other side, PEM; absent: those of the system. */
  readonly ca?: string
}

/**
 * A connection is handed out only when it stands, its certificate verified: an error before that says that nothing was
 * sent.
 */
function connecting(secure: boolean, { ca, deadlineMs }: HttpCallerOptions) {
  return (options: NetConnectOpts, done: (error: Error | null, socket: Socket) => void): undefined => {
    const socket = secure
      ? connectTls({ ...(options as ConnectionOptions), ...(ca === undefined ? {} : { ca }) })
      : connectTcp(options)
    const late = setTimeout(() => socket.destroy(new Error('no connection in time')), deadlineMs)
    const failed = (error: Error) => {
      clearTimeout(late)
      done(error, socket)
    }
    socket.once('error', failed)
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      clearTimeout(late)
      socket.removeListener('error', failed)
      done(null, socket)
    })
    return undefined
  }
}

export function createHttpCaller(options: HttpCallerOptions): HttpCaller {
  const { url, deadlineMs, maxSockets } = options
  const base = url.replace(/\/+$/, '')
  const secure = new URL(url).protocol === 'https:'
  const agentOptions = { keepAlive: true, maxSockets, timeout: IDLE_SOCKET_MS }
  const agent = secure ? new HttpsAgent(agentOptions) : new HttpAgent(agentOptions)
  Object.assign(agent, { createConnection: connecting(secure, options) })
  return {
    call: (method, path, headers, body) =>
      new Promise((resolve) => {
        const deadline = AbortSignal.timeout(deadlineMs)
        const request = (secure ? requestHttps : requestHttp)(`${base}${path}`, {
          method,
          agent,
          signal: deadline,
          headers: {
            accept: 'application/json',
            ...headers,
            ...(body === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
          },
        })
        let sent = false
        request.once('socket', () => (sent = true))
        request.on('error', (error) => {
          const reason = deadline.aborted ? 'timeout' : reasonOf(error)
          resolve({ kind: sent ? 'unknown' : 'not-sent', reason })
        })
        // The signal has destroyed the request by now: it is not sent any more, though its error may wait for a socket.
        deadline.addEventListener('abort', () => resolve({ kind: sent ? 'unknown' : 'not-sent', reason: 'timeout' }))
        read(request, resolve, () => (deadline.aborted ? 'timeout' : 'broken-off'))
        request.end(body)
      }),
    close: () => agent.destroy(),
  }
}

/** An answer counts only when it is whole. */
function read(request: ClientRequest, resolve: (end: CallEnd) => void, whyNot: () => string): void {
  request.once('response', (response: IncomingMessage) => {
    const chunks: Buffer[] = []
    let size = 0
    response.on('data', (chunk: Buffer) => {
      size += chunk.byteLength
      if (size <= MAX_ANSWER_BYTES) return void chunks.push(chunk)
      resolve({ kind: 'unknown', reason: 'answer-too-long' })
      response.destroy()
    })
    response.once('end', () => {
      if (!response.complete) return resolve({ kind: 'unknown', reason: whyNot() })
      const body = Buffer.concat(chunks).toString('utf8')
      return resolve({ kind: 'answered', status: response.statusCode ?? 0, body })
    })
    response.once('error', () => resolve({ kind: 'unknown', reason: whyNot() }))
    response.once('close', () => resolve({ kind: 'unknown', reason: whyNot() }))
  })
}

/** A word for what went wrong. Messages of the socket carry addresses. */
function reasonOf(error: unknown): string {
  const { code } = error as { readonly code?: unknown }
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/.test(code) ? code : 'failed'
}
