// The store on Redis: pipelines of scripts, each of which reads or writes many slots.
// It holds no rule of the business, and never scans keys.

import {
  StoreError,
  type CommitResult,
  type OutboxEntry,
  type Secret,
  type SlotRead,
  type SlotView,
  type Unit,
} from '../../ports/store.ts'
import type { RecoverableStore } from '../../ports/store-upkeep.ts'
import {
  checkAcks,
  checkCounterKeys,
  checkIncrements,
  checkReads,
  checkSecrets,
  checkUnits,
  inChunks,
  MAX_PIPELINE,
  type Ack,
  type Increment,
} from '../store-limits.ts'
import { RedisConnection, type ConnectionLog, type PipelineResult } from './connection.ts'
import { keyNames, type KeyNames } from './names.ts'
import { addWrites, COMMIT, FORGET, LOAD, SLOTS_A_SCRIPT, type ScriptCall } from './scripts.ts'
import { RedisUpkeep } from './upkeep.ts'

export interface RedisStoreOptions {
  /** `redis://` or `rediss://`, with user name and password if needed. */
  readonly url: string
  readonly log?: ConnectionLog
  /** How long a round trip may take, milliseconds. Default 2,000. */
  readonly commandTimeoutMs?: number
  /** Before every key: a key space of its own on a shared server. Default ''. */
  readonly keyPrefix?: string
  /** Certificate authority of a `rediss://` server, PEM. */
  readonly ca?: string
}

const COMMAND_TIMEOUT_MS = 2_000
const ANOTHER_TERM = -1
/** Instead of a term: the script looks at none. */
const ANY_TERM = '*'

/**
 * A store on the Redis at `url`. Resolves after the first attempt to connect, whether it succeeded or not: it goes on
 * trying, and until then every call throws StoreError.
 */
export async function createRedisStore(options: RedisStoreOptions): Promise<RecoverableStore> {
  const names = keyNames(options.keyPrefix ?? '')
  const connection = new RedisConnection({
    url: options.url,
    commandTimeoutMs: options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS,
    marker: names.marker,
    log: options.log ?? null,
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  })
  await connection.firstAttempt()
  return new RedisStore(connection, names)
}

class RedisStore implements RecoverableStore {
  readonly upkeep: RedisUpkeep
  readonly #connection: RedisConnection
  readonly #names: KeyNames

  constructor(connection: RedisConnection, names: KeyNames) {
    this.#connection = connection
    this.#names = names
    this.upkeep = new RedisUpkeep(connection, names)
  }

  get generation(): number {
    return this.#connection.generation
  }

  get runId(): string {
    return this.#connection.runId
  }

  async load(reads: readonly SlotRead[]): Promise<readonly SlotView[]> {
    checkReads(reads)
    const generation = this.generation
    const views: SlotView[] = []
    for (const chunk of inChunks(reads, MAX_PIPELINE)) {
      const replies = await this.#runScripts('load', inChunks(chunk, SLOTS_A_SCRIPT), (some) => this.#loadOf(some))
      replies.forEach((reply, i) => views.push(viewOf(chunk[i] as SlotRead, generation, reply as SlotReply)))
      if (this.generation !== generation) throw new StoreError('load: the connection to the store changed')
    }
    return views
  }

  async commit(units: readonly Unit[]): Promise<readonly CommitResult[]> {
    checkUnits(units)
    const verdicts = new Map<Unit, CommitResult>()
    for (const chunk of inChunks(units, MAX_PIPELINE)) {
      const sent = chunk.filter((unit) => unit.generation === this.generation)
      const replies = await this.#runScripts('commit', inChunks(sent, SLOTS_A_SCRIPT), (some) => this.#commitOf(some))
      sent.forEach((unit, i) => verdicts.set(unit, replies[i] === 1 ? 'committed' : 'conflict'))
    }
    return units.map((unit) => verdicts.get(unit) ?? 'conflict')
  }

  async acknowledge(acks: readonly Ack[]): Promise<void> {
    checkAcks(acks)
    for (const chunk of inChunks(acks, MAX_PIPELINE)) {
      const call: ScriptCall = { script: FORGET, keys: [], args: [] }
      for (const { slot, versions } of chunk) {
        if (versions.length === 0) continue
        call.keys.push(this.#names.outbox(slot))
        call.args.push(versions.length, ...versions)
      }
      if (call.keys.length > 0) await this.#callScripts('acknowledge', [call])
    }
  }

  async stash(slot: string, secrets: readonly Secret[]): Promise<void> {
    checkSecrets(slot, secrets)
    const results = await this.#connection.run('stash', (pipeline) => {
      for (const { name, value, expiresAt } of secrets) {
        pipeline.set(this.#names.entry(slot, name), value, 'PXAT', expiresAt)
      }
    })
    for (const result of results) this.#connection.reply('stash', result)
  }

  async counts(keys: readonly string[]): Promise<readonly number[]> {
    checkCounterKeys(keys)
    const counts: number[] = []
    for (const chunk of inChunks(keys, MAX_PIPELINE)) {
      const [result] = await this.#connection.run('counts', (pipeline) => {
        pipeline.mget(...chunk.map((key) => this.#names.counter(key)))
      })
      const values = this.#connection.reply('counts', result) as readonly (string | null)[]
      for (const value of values) counts.push(Number(value ?? 0))
    }
    return counts
  }

  async count(increments: readonly Increment[]): Promise<void> {
    checkIncrements(increments)
    for (const chunk of inChunks(increments, MAX_PIPELINE)) {
      const results = await this.#connection.run('count', (pipeline) => {
        for (const { key, by, expiresAt } of chunk) {
          pipeline.incrby(this.#names.counter(key), by).pexpireat(this.#names.counter(key), expiresAt)
        }
      })
      for (const result of results) this.#connection.reply('count', result)
    }
  }

  async ping(): Promise<void> {
    const [result] = await this.#connection.run('ping', (pipeline) => {
      pipeline.ping()
    })
    this.#connection.reply('ping', result)
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  /** Runs a script for each chunk, in one round trip; each gives an array, which are put together. */
  async #runScripts<T>(
    label: string,
    chunks: readonly (readonly T[])[],
    callOf: (chunk: readonly T[]) => ScriptCall,
  ): Promise<readonly unknown[]> {
    if (chunks.length === 0) return []
    const replies = await this.#callScripts(label, chunks.map(callOf))
    if (replies.includes(ANOTHER_TERM)) {
      this.#connection.drop('another term was admitted')
      throw new StoreError(`${label}: the store takes units of another term`)
    }
    return (replies as readonly (readonly unknown[])[]).flat()
  }

  /**
   * The replies of scripts. All bear being repeated: what was claimed by then stays claimed with the same value, and a
   * unit that was committed by then finds its own version.
   */
  async #callScripts(label: string, calls: readonly ScriptCall[]): Promise<readonly unknown[]> {
    const results = await this.#connection.runScripts(label, calls, (pipeline) => {
      pipeline.get(this.#names.marker)
    })
    this.#checkMarker(label, results)
    return calls.map((_, i) => this.#connection.reply(label, results[i]))
  }

  /** The outbox is read after the state: an event that it shows belongs to the state or to a later one. */
  #loadOf(reads: readonly SlotRead[]): ScriptCall {
    const { term, outbox, version, entry } = this.#names
    const claiming = reads.some(({ claim }) => claim !== undefined)
    const call: ScriptCall = { script: LOAD, keys: [term], args: [claiming ? this.upkeep.term : ANY_TERM] }
    for (const read of reads) {
      const names = namesRead(read)
      call.keys.push(outbox(read.slot), version(read.slot))
      for (const name of names) call.keys.push(entry(read.slot, name))
      call.args.push(names.length, read.claim?.expiresAt ?? '', read.claim?.value ?? '')
    }
    return call
  }

  #commitOf(units: readonly Unit[]): ScriptCall {
    const { term, outbox, version, entry } = this.#names
    const call: ScriptCall = { script: COMMIT, keys: [term], args: [this.upkeep.term] }
    for (const { slot, expectedTag, nextTag, absent, writes, event } of units) {
      call.keys.push(version(slot), outbox(slot))
      for (const name of absent) call.keys.push(entry(slot, name))
      call.args.push(expectedTag, nextTag, event.version, textOf(event.event), absent.length, writes.length)
      addWrites(call, writes, (name) => entry(slot, name))
    }
    return call
  }

  /** The marker is the last command of a pipeline: had the data been lost before or within it, it would be gone. */
  #checkMarker(label: string, results: readonly PipelineResult[]): void {
    if (this.#connection.reply(label, results.at(-1)) === this.#connection.dataId) return
    this.#connection.drop('the store was emptied')
    throw new StoreError(`${label}: the store was emptied`)
  }
}

/** The values from the version on, then the outbox as fields and values in turn, if it has any. */
type SlotReply = readonly (string | null | readonly string[])[]

/** The claim first, where it is to be set. */
function namesRead({ names, claim }: SlotRead): readonly string[] {
  return claim === undefined ? names : ['claim', ...names.filter((name) => name !== 'claim')]
}

function viewOf(read: SlotRead, generation: number, [tag, ...rest]: SlotReply): SlotView {
  const names = namesRead(read)
  const entries = new Map<string, string>()
  names.forEach((name, i) => {
    const value = rest[i]
    if (value != null) entries.set(name, value as string)
  })
  const events = (rest[names.length] ?? []) as readonly string[]
  const outbox: OutboxEntry[] = []
  for (let i = 0; i + 1 < events.length; i += 2) {
    outbox.push({ version: Number(events[i]), event: bytesOf(events[i + 1] as string) })
  }
  if (outbox.length > 1) outbox.sort((a, b) => a.version - b.version)
  return { slot: read.slot, tag: (tag as string | null) ?? '', entries, outbox, generation }
}

/**
 * Events go to Redis as text of one character a byte: ioredis takes twice as long for a pipeline that holds a Buffer.
 * ASCII stays what it is, so that a search of the store for what must not be there finds it in events too.
 */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}
