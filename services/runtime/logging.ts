// Log lines: JSON on standard output, of allowed fields only, with card numbers masked on the finished line. Nothing a
// caller sent, no key or value of the store and no message of a foreign error is written.

import pino from 'pino'
import { maskCardNumbersIn } from '../core/card/mask.ts'

export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  fatal(fields: object, message: string): void
}

export interface LoggerOptions {
  /** The process: `ingress`, `issuer`, … */
  readonly service: string
  readonly level: pino.LevelWithSilent
  /** Where finished lines go. Default: standard output. */
  readonly write?: (line: string) => void
}

/** Fields that a line may have, next to `error`, which takes an Error or a name; others are left out. */
export const ALLOWED_FIELDS: ReadonlySet<string> = new Set([
  'cardAuthorizer',
  'address',
  'at',
  'attempt',
  'broker',
  'clientId',
  'code',
  'count',
  'environment',
  'epoch',
  'errorCode',
  'failures',
  'generation',
  'group',
  'groupId',
  'host',
  'kafka',
  'keyId',
  'lag',
  'method',
  'ms',
  'offset',
  'partition',
  'port',
  'operation',
  'reason',
  'records',
  'requestId',
  'responseCode',
  'retryCount',
  'retryTime',
  'route',
  'runId',
  'seconds',
  'sequence',
  'signal',
  'state',
  'status',
  'step',
  'subscription',
  'topic',
  'traceId',
  'transactionCode',
  'transactions',
  'version',
])

/** Errors whose messages are written by us and quote nothing. */
const OWN_ERRORS: ReadonlySet<string> = new Set([
  'ConfigError',
  'FoldError',
  'KeyRingError',
  'LogError',
  'LogOverloadedError',
  'MalformedRecordError',
  'NotaryError',
  'RegistryError',
  'SchemaError',
  'SealError',
  'StoreError',
])
const MAX_TEXT = 500
const MAX_FRAMES = 10
const MS_PER_SECOND = 1_000
/** One write a line would cost the ingress about a tenth of its time; each wakes a thread. */
const FLUSH_LENGTH = 65_536
const FLUSH_MS = 200
/** Of lines that nobody reads; beyond it they are dropped. */
const MAX_UNWRITTEN_BYTES = 16 * 1024 * 1024
/** A line of a stack. A message could look like one, so the message is cut off before. */
const FRAME = /^ {4}at [^\n]*(:\d+:\d+|<anonymous>|native)\)?$/
/** Numbers from here on are written as text, in which a mask is still JSON. No card number is below. */
const TEXT_FROM = 1e12

/** A logger of one process. */
export function createLogger(options: LoggerOptions): Logger {
  const output = options.write ?? standardOutput()
  const stream = { write: (line: string) => output(maskCardNumbersIn(line)) }
  return pino(
    {
      level: options.level,
      base: { service: options.service },
      messageKey: 'message',
      timestamp: timeStamp(),
      formatters: { level: (label) => ({ level: label }), log: allowed },
      // Pino would write the message and stack of an Error under these names by itself.
      serializers: { err: () => undefined, error: (value: unknown) => value },
    },
    stream,
  )
}

/** As pino's own `isoTime` writes it. Lines of one second share all but the milliseconds: to format is slow. */
function timeStamp(): () => string {
  let second = Number.NaN
  let start = ''
  return () => {
    const now = Date.now()
    const ms = now % MS_PER_SECOND
    if (now - ms !== second) {
      second = now - ms
      start = `,"time":"${new Date(second).toISOString().slice(0, -'000Z'.length)}`
    }
    return `${start}${String(ms).padStart(3, '0')}Z"`
  }
}

/** What may be told of an error: of our own classes the message, of others name and code only; and its frames. */
export function describeError(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { error: typeof error === 'string' ? plainName(error) : typeof error }
  const { code } = error as NodeJS.ErrnoException
  return {
    error: plainName(error.name),
    ...(typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/.test(code) ? { errorCode: code } : {}),
    ...(OWN_ERRORS.has(error.name) ? { reason: maskCardNumbersIn(error.message.slice(0, MAX_TEXT)) } : {}),
    at: framesOf(error),
  }
}

/** A name is a word; a text that is more might be a message. */
function plainName(name: string): string {
  return /^[\w.:-]{1,60}$/.test(name) ? name : 'Error'
}

function framesOf(error: Error): readonly string[] {
  const stack = typeof error.stack === 'string' ? error.stack : ''
  const message = stack.indexOf(error.message)
  const after = message < 0 ? stack : stack.slice(message + error.message.length)
  const frames = after
    .split('\n')
    .filter((line) => FRAME.test(line))
    .slice(0, MAX_FRAMES)
  return frames.map((line) => line.trim().slice(0, MAX_TEXT))
}

function allowed(fields: Record<string, unknown>): Record<string, unknown> {
  if (isPlain(fields)) return fields
  const kept: Record<string, unknown> = {}
  for (const name of Object.keys(fields)) {
    const value = fields[name]
    if (name === 'error' || name === 'err') Object.assign(kept, describeError(value))
    else if (ALLOWED_FIELDS.has(name)) kept[name] = plainValue(value)
  }
  return kept
}

/** Whether all of it may be written as it is. Nearly every line may, and a copy takes longer than this look. */
function isPlain(fields: Record<string, unknown>): boolean {
  for (const name of Object.keys(fields)) {
    const value = fields[name]
    const isPlainText = typeof value === 'string' && value.length <= MAX_TEXT
    const isPlainNumber = typeof value === 'number' && Math.abs(value) < TEXT_FROM
    if (!(isPlainText || isPlainNumber) || !ALLOWED_FIELDS.has(name)) return false
  }
  return true
}

/** Texts, numbers and truth values as they are, lists of texts, and of anything else only its type. */
function plainValue(value: unknown): unknown {
  switch (typeof value) {
    case 'string':
      return value.slice(0, MAX_TEXT)
    case 'number':
      return Math.abs(value) < TEXT_FROM ? value : String(value)
    case 'bigint':
      return String(value)
    case 'boolean':
    case 'undefined':
      return value
    default:
      break
  }
  if (value === null) return null
  if (!Array.isArray(value)) return 'object'
  return value.slice(0, MAX_FRAMES).map((item) => (typeof item === 'string' ? item.slice(0, MAX_TEXT) : typeof item))
}

/** Lines are written together, up to `FLUSH_MS` late, and at the latest when the process exits; kill -9 loses those. */
function standardOutput(): (line: string) => void {
  const destination = pino.destination({
    dest: 1,
    sync: false,
    maxLength: MAX_UNWRITTEN_BYTES,
    contentMode: 'buffer',
  })
  // Gathered here, since it would count the bytes of all that has gathered anew with every line, or copy each by itself.
  let gathered = ''
  const flush = () => {
    if (gathered === '') return
    // Its types tell of text alone.
    destination.write(Buffer.from(gathered) as never)
    gathered = ''
  }
  setInterval(flush, FLUSH_MS).unref()
  process.on('exit', () => {
    flush()
    destination.flushSync()
  })
  return (line) => {
    gathered += line
    if (gathered.length >= FLUSH_LENGTH) flush()
  }
}
