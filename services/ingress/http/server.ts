// The HTTP server's own bounds, and its answers to what is no HTTP request: a slow, broken or oversized one.

import { randomUUID } from 'node:crypto'
import { STATUS_CODES, type Server, type ServerOptions } from 'node:http'
import type { Duplex } from 'node:stream'
import type { IngressLimits } from '../deps.ts'
import { requestId } from './request-id.ts'
import {
  BAD_REQUEST,
  EXPECTATION_FAILED,
  HEADERS_TOO_LARGE,
  PROBLEM_TYPE,
  problemBody,
  REQUEST_TIMEOUT,
  type Problem,
} from './problem.ts'

/** How often connections are checked for having taken too long. */
const CHECK_INTERVAL_MS = 1_000
/** Bytes of all headers of a request: Node's default, which many proxies share. */
const MAX_HEADER_BYTES = 16_384

/** Options of the Node server. A missing Host is answered as a problem by the app: Node does not refuse it itself. */
export function serverOptions(limits: IngressLimits): ServerOptions {
  return {
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    maxHeaderSize: MAX_HEADER_BYTES,
    requireHostHeader: false,
    noDelay: true,
  }
}

/** Hears of an answer that no route gave. */
export type OnAnswered = (requestId: string, status: number) => void

/** Bounds that Node takes on the server itself, and the answer to an `Expect` it does not know. */
export function boundServer(server: Server, limits: IngressLimits, onAnswered: OnAnswered): void {
  server.maxConnections = limits.maxConnections
  server.on('checkExpectation', (request, response) => {
    const { status } = EXPECTATION_FAILED
    const id = requestId(request)
    response.writeHead(status, { 'content-type': PROBLEM_TYPE, 'x-request-id': id })
    response.end(problemBody(EXPECTATION_FAILED))
    onAnswered(id, status)
  })
}

/** Answers what is no HTTP request, if nothing was answered on its connection yet, and closes it. */
export function clientErrors(onAnswered: OnAnswered): (error: Error & { code?: string }, socket: Duplex) => void {
  return (error, socket) => {
    const { _httpMessage: current } = socket as Duplex & { _httpMessage?: { headersSent: boolean } }
    if (error.code === 'ECONNRESET' || !socket.writable || current?.headersSent === true) {
      socket.destroy()
      return
    }
    const problem = problemOf(error.code)
    const id = randomUUID()
    socket.end(rawResponse(problem, id), () => socket.destroy())
    onAnswered(id, problem.status)
  }
}

function problemOf(code: string | undefined): Problem {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return REQUEST_TIMEOUT
    case 'HPE_HEADER_OVERFLOW':
      return HEADERS_TOO_LARGE
    default:
      return BAD_REQUEST
  }
}

function rawResponse(problem: Problem, id: string): string {
  const body = problemBody(problem)
  return [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${id}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n')
}
