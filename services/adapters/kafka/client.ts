// Makes kafkajs clients: sockets without delay, few and short retries, log lines that carry nothing but safe fields.
// One client for each consumer and each producer lane: kafkajs lets those of one client share offsets and connections.

import { connect as connectTcp, isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ISocketFactory, Kafka as KafkaClient, LogEntry } from 'kafkajs'
import { DEFAULT_REQUEST_TIMEOUT_MS, type KafkaConnection, type KafkaLogger } from './options.ts'
import { Kafka, logLevel } from './patched-kafkajs.ts'

const CONNECT_TIMEOUT_MS = 1_000
const AUTHENTICATION_TIMEOUT_MS = 5_000
/** Finds peers that vanished without a word. */
const KEEP_ALIVE_MS = 10_000
/** Longest log message passed on. */
const MAX_MESSAGE = 160
/** A line with the same text is not logged again within this time: an outage makes hundreds a second. */
const REPEAT_MS = 5_000
const MAX_REMEMBERED_LINES = 200

/**
 * All values are given: kafkajs has other defaults where NODE_ENV is `test`. `factor` is the random share.
 */
export const RETRY = { initialRetryTime: 50, maxRetryTime: 1_000, factor: 0.2, multiplier: 2, retries: 1 } as const

/** Fields of kafkajs log lines that may be passed on; none of them comes out of a record. */
const SAFE_FIELDS = ['broker', 'groupId', 'topic', 'partition', 'retryCount', 'retryTime'] as const

/** When each text was last logged, for all clients of a logger together: an outage makes many of them. */
const LOGGED_AT = new WeakMap<KafkaLogger, Map<string, number>>()

export function createClient(connection: KafkaConnection): KafkaClient {
  const { brokers, clientId, ssl, sasl, logger, requestTimeoutMs = DEFAULT_REQUEST_TIMEOUT_MS } = connection
  return new Kafka({
    brokers: [...brokers],
    clientId,
    ssl,
    sasl,
    requestTimeout: requestTimeoutMs,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    authenticationTimeout: AUTHENTICATION_TIMEOUT_MS,
    retry: RETRY,
    socketFactory,
    logLevel: logLevel.WARN,
    logCreator: () => safeLines(logger),
  })
}

const socketFactory: ISocketFactory = ({ host, port, ssl, onConnect }) => {
  const socket = ssl
    ? connectTls({ host, port, ...(isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
    : connectTcp({ host, port }, onConnect)
  socket.setNoDelay(true)
  socket.setKeepAlive(true, KEEP_ALIVE_MS)
  return socket
}

/** Errors and stacks are dropped; whatever a message quotes begins with a quote or a bracket and is cut off. */
function safeLines(logger: KafkaLogger): (entry: LogEntry) => void {
  const loggedAt = LOGGED_AT.get(logger) ?? new Map<string, number>()
  LOGGED_AT.set(logger, loggedAt)
  return ({ namespace, log }) => {
    const message = safeText(log.message)
    const now = Date.now()
    if (now - (loggedAt.get(message) ?? 0) < REPEAT_MS) return
    if (loggedAt.size >= MAX_REMEMBERED_LINES) loggedAt.clear()
    loggedAt.set(message, now)
    const fields: Record<string, unknown> = { kafka: namespace }
    for (const name of SAFE_FIELDS) if (log[name] !== undefined) fields[name] = log[name]
    logger.warn(fields, `kafka: ${message}`)
  }
}

function safeText(message: unknown): string {
  const text = typeof message === 'string' ? message : 'no message'
  return text
    .replace(/["'`{[<].*/s, '')
    .replace(/[^\x20-\x7e]/g, ' ')
    .slice(0, MAX_MESSAGE)
    .trim()
}

/** The name of what went wrong, safe to print: the protocol's own where there is one. */
export function reasonOf(error: unknown): string {
  const { name, type, code } = rootOf(error) as { name?: unknown; type?: unknown; code?: unknown }
  const names = [type, code, name].filter((text) => typeof text === 'string')
  return names.find((text) => /^[\w-]{1,60}$/.test(text)) ?? 'unknown'
}

/** kafkajs wraps what it gave up on. */
export function rootOf(error: unknown): object {
  let root = error
  for (let depth = 0; depth < 5 && root instanceof Error && root.cause instanceof Error; depth++) root = root.cause
  return typeof root === 'object' && root !== null ? root : {}
}
