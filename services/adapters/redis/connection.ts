// One connection to Redis: what it is connected to, since when, and pipelines with a deadline.
// It never resends a command, and no error of ioredis leaves it, since those carry the command's arguments.

import { createHash } from 'node:crypto'
import { Redis, type ChainableCommander, type Command } from 'ioredis'
import { StoreError } from '../../ports/store.ts'
import { newDataId } from './names.ts'
import { PackedCommand } from './packed-command.ts'
import { SCRIPTS, type ScriptCall } from './scripts.ts'

/** Where a connection tells of its state. A pino logger fits. */
export interface ConnectionLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

export interface ConnectionOptions {
  /** `redis://` or `rediss://`, with user name and password if needed. Never logged. */
  readonly url: string
  readonly commandTimeoutMs: number
  /** Certificate authority of a `rediss://` server, PEM. */
  readonly ca?: string
  /** Key of the marker that names the data set. */
  readonly marker: string
  readonly log: ConnectionLog | null
}

/** ioredis' own takes commands, but its type does not say so. */
export type Pipeline = ChainableCommander & { sendCommand(command: Command): unknown }
/** What one command of a pipeline gave: an error or a reply. */
export type PipelineResult = readonly [error: Error | null, reply?: unknown]
/** Adds the commands to a pipeline. */
export type Fill = (pipeline: Pipeline) => void

/** A reconnect waits at least, and at most. For ever, since a store that is back must be used again. */
const RECONNECT_MIN_MS = 50
const RECONNECT_MAX_MS = 1_000
const CONNECT_TIMEOUT_MS = 2_000
/** A socket that does not close by itself is destroyed. */
const DISCONNECT_TIMEOUT_MS = 100
/** Replies that mean that this is not, or no longer, the node that holds the data. */
const WRONG_NODE: ReadonlySet<string> = new Set(['READONLY', 'MOVED', 'ASK', 'CLUSTERDOWN', 'MASTERDOWN', 'LOADING'])

export class RedisConnection {
  readonly #redis: Redis
  readonly #options: ConnectionOptions
  #generation = 0
  #open = false
  /** Connections lost since the last one that could be used. */
  #lost = 0
  #closed = false
  #runId = ''
  #dataId = ''
  #waiting = new Set<() => void>()

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#redis = new Redis(options.url, {
      protocol: 2,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      connectTimeout: CONNECT_TIMEOUT_MS,
      disconnectTimeout: DISCONNECT_TIMEOUT_MS,
      socketTimeout: options.commandTimeoutMs,
      disableClientInfo: true,
      retryStrategy: () => this.#nextWait(),
      ...(options.ca === undefined ? {} : { tls: { ca: options.ca } }),
    })
    this.#redis.on('ready', () => void this.#begin())
    this.#redis.on('close', () => this.#end())
    this.#redis.on('error', (error: unknown) => {
      options.log?.warn({ errorCode: errorCode(error) }, 'store connection failed')
    })
  }

  get generation(): number {
    return this.#generation
  }

  /**
   * What the process and its replication history are, a dot, and the id of the data, which changes when it was emptied
   * in place. The same id again: nothing was lost.
   */
  get runId(): string {
    return this.#runId
  }

  /** The value that the marker must have. */
  get dataId(): string {
    return this.#dataId
  }

  /** Resolves when the first attempt to connect has succeeded or failed. */
  async firstAttempt(): Promise<void> {
    if (this.#open) return
    const waited = CONNECT_TIMEOUT_MS + this.#options.commandTimeoutMs
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waited)
      this.#waiting.add(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  /**
   * Send commands as one pipeline. Errors of single commands are left in the result.
   * @throws StoreError when there is no connection, it changed meanwhile, or the deadline passed.
   */
  async run(label: string, fill: Fill): Promise<readonly PipelineResult[]> {
    if (!this.#open) throw new StoreError(`${label}: the store is not connected`)
    const generation = this.#generation
    const results = await this.#exec(label, fill)
    if (generation !== this.#generation) throw new StoreError(`${label}: the connection to the store changed`)
    return results
  }

  /**
   * Send scripts, and further commands behind them, as one pipeline. Where Redis has lost the scripts they are loaded
   * and all is sent once more, so it must bear being repeated.
   * @throws StoreError as `run`, and when the scripts are lost again.
   */
  async runScripts(
    label: string,
    calls: readonly ScriptCall[],
    fill: Fill = () => undefined,
  ): Promise<readonly PipelineResult[]> {
    const generation = this.#generation
    const send = () =>
      this.run(label, (pipeline) => {
        for (const { script, keys, args } of calls) {
          pipeline.sendCommand(new PackedCommand('evalsha', [script.sha, keys.length], keys, args))
        }
        fill(pipeline)
      })
    const results = await send()
    if (!results.some(lacksScript)) return results
    await this.loadScripts()
    if (generation !== this.#generation) throw new StoreError(`${label}: the connection to the store changed`)
    const again = await send()
    if (again.some(lacksScript)) throw new StoreError(`${label}: the store keeps losing its scripts`)
    return again
  }

  /** The reply of a command. @throws StoreError with its error's code; reconnects when this is the wrong node. */
  reply(label: string, result: PipelineResult | undefined): unknown {
    if (result === undefined) throw new StoreError(`${label}: a reply is missing`)
    const [error, reply] = result
    if (!error) return reply
    const code = errorCode(error)
    if (WRONG_NODE.has(code)) this.drop(code)
    throw new StoreError(`${label}: the store answered ${code}`)
  }

  /** Give the connection up and make a new one: whatever was loaded or is under way under it is void. */
  drop(why: string): void {
    if (this.#closed) return
    this.#options.log?.warn({ reason: why }, 'store connection dropped')
    this.#end()
    this.#redis.disconnect(true)
  }

  async loadScripts(): Promise<void> {
    const results = await this.#exec('SCRIPT LOAD', (pipeline) => {
      for (const script of SCRIPTS) pipeline.script('LOAD', script.lua)
    })
    for (const result of results) this.reply('SCRIPT LOAD', result)
  }

  /** Waits for what is under way, at most for the command timeout. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const wasOpen = this.#open
    this.#end()
    if (wasOpen) await withDeadline(this.#redis.quit(), this.#options.commandTimeoutMs).catch(() => undefined)
    this.#redis.disconnect()
  }

  async #exec(label: string, fill: Fill): Promise<readonly PipelineResult[]> {
    const pipeline = this.#redis.pipeline() as Pipeline
    fill(pipeline)
    try {
      return (await withDeadline(pipeline.exec(), this.#options.commandTimeoutMs)) ?? []
    } catch (error) {
      if (error !== DEADLINE) throw new StoreError(`${label}: the connection to the store failed`)
      this.drop('a command took too long')
      throw new StoreError(`${label}: the store did not answer in time`)
    }
  }

  /** After a connect and before the first command of others: learn what this is, and load the scripts. */
  async #begin(): Promise<void> {
    const generation = this.#generation
    try {
      const results = await this.#exec('INFO', (pipeline) => {
        pipeline
          .info('server')
          .info('memory')
          .info('replication')
          .set(this.#options.marker, newDataId(), 'NX')
          .get(this.#options.marker)
      })
      const [server, memory, replication, , marker] = results.map((result) => String(this.reply('INFO', result)))
      await this.loadScripts()
      if (this.#closed || generation !== this.#generation) return
      this.#dataId = marker ?? ''
      this.#runId = `${processId(server, replication)}.${this.#dataId}`
      this.#generation += 1
      this.#open = true
      this.#lost = 0
      this.#tellOfConnection(infoField(memory, 'maxmemory_policy'))
      this.#wake()
    } catch (error) {
      const reason = error instanceof StoreError ? error.message : 'setup failed'
      if (generation === this.#generation) this.drop(reason)
      this.#wake()
    }
  }

  #end(): void {
    this.#open = false
    this.#generation += 1
    this.#wake()
  }

  /** Longer each time, also when a connection is made at once but of no use, such as to a replica. */
  #nextWait(): number {
    const wait = Math.min(RECONNECT_MIN_MS * 2 ** Math.min(this.#lost, 10), RECONNECT_MAX_MS)
    this.#lost += 1
    return wait
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }

  #tellOfConnection(policy: string): void {
    this.#options.log?.info({ generation: this.#generation, runId: this.#runId }, 'store connected')
    if (policy !== '' && policy !== 'noeviction') {
      this.#options.log?.warn({ reason: policy }, 'the store may evict entries: its policy must be noeviction')
    }
  }
}

function lacksScript([error]: PipelineResult): boolean {
  return error !== null && errorCode(error) === 'NOSCRIPT'
}

const DEADLINE = new StoreError('deadline')

async function withDeadline<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(DEADLINE), ms)
  })
  try {
    return await Promise.race([work, deadline])
  } finally {
    clearTimeout(timer)
  }
}

/** Short, since every event and reply carries it. Another one after a restart, and after a replica took over. */
function processId(server: string | undefined, replication: string | undefined): string {
  const ids = `${infoField(server, 'run_id')}.${infoField(replication, 'master_replid')}`
  return createHash('sha256').update(ids).digest('base64url').slice(0, 16)
}

function infoField(info: string | undefined, name: string): string {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info ?? '')?.[1] ?? ''
}

/** The code that a Redis reply starts with, or that of a socket: never the rest, which may quote what was sent. */
export function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return 'UNKNOWN'
  const code = (error as NodeJS.ErrnoException).code
  if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,40}$/.test(code)) return code
  return /^[A-Z]{2,20}\b/.exec(error.message)?.[0] ?? 'CLOSED'
}
