// The store on Redis: pipelines of scripts, each of which reads or writes many slots.
// It holds no rule of the business, and never scans keys.

import {
  StoreError,
  type CommitResult,
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
import { RedisConnection, type ConnectionLog, type Fill, type PipelineResult } from './connection.ts'
import { keyNames, type KeyNames } from './names.ts'
import { addWrites, CLAIM, COMMIT, FORGET, SLOTS_A_SCRIPT, type ScriptCall } from './scripts.ts'
import { slotCommand, slotViews, versionBytes, versionLines } from './slot-views.ts'
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
/** What a unit's script says of one that was written; of one whose event is the only one in the outbox. */
const COMMITTED = 1
const LONELY = 2

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

/** What makes it cheap to forget a unit's event: the slot's lines, the first of which is the tag, are all that stays. */
interface Lonely {
  readonly version: number
  /** With its line feed. */
  readonly tag: string
  readonly lineBytes: number
}

const NOT_LONELY = { tag: '', lineBytes: 0 }

/** Of units that are remembered for this: those of the transactions in flight, and of some that were never forgotten. */
const MAX_LONELY = 20_000

class RedisStore implements RecoverableStore {
  readonly upkeep: RedisUpkeep
  readonly #connection: RedisConnection
  readonly #names: KeyNames
  /** By slot, units whose event was the only one in the outbox, until it is forgotten. */
  readonly #lonely = new Map<string, Lonely>()

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
      const claims = inChunks(chunk.filter(isClaiming), SLOTS_A_SCRIPT).map((some) => this.#claimOf(some))
      const parts = inChunks(chunk, SLOTS_A_SCRIPT)
      const results = await this.#send('load', claims, (pipeline) => {
        for (const part of parts) pipeline.sendCommand(slotCommand(part, this.#names))
      })
      this.#refuseAnotherTerm('load', results.slice(0, claims.length))
      parts.forEach((part, i) => {
        views.push(...slotViews(part, results[claims.length + i] as readonly (Buffer | null)[], generation))
      })
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
      sent.forEach((unit, i) => {
        this.#remember(unit, replies[i] === LONELY)
        verdicts.set(unit, replies[i] === LONELY || replies[i] === COMMITTED ? 'committed' : 'conflict')
      })
    }
    return units.map((unit) => verdicts.get(unit) ?? 'conflict')
  }

  async acknowledge(acks: readonly Ack[]): Promise<void> {
    checkAcks(acks)
    for (const chunk of inChunks(acks, MAX_PIPELINE)) {
      const call: ScriptCall = { script: FORGET, keys: [], args: [] }
      for (const { slot, versions } of chunk) {
        if (versions.length === 0) continue
        const { tag, lineBytes } = this.#lonelyOf(slot, versions)
        call.keys.push(this.#names.version(slot))
        call.args.push(tag, lineBytes, versions.length, ...versions)
      }
      if (call.keys.length > 0) await this.#send('acknowledge', [call])
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
    const replies = await this.#send(label, chunks.map(callOf))
    this.#refuseAnotherTerm(label, replies)
    return (replies as readonly (readonly unknown[])[]).flat()
  }

  #refuseAnotherTerm(label: string, replies: readonly unknown[]): void {
    if (!replies.includes(ANOTHER_TERM)) return
    this.#connection.drop('another term was admitted')
    throw new StoreError(`${label}: the store takes units of another term`)
  }

  /**
   * The replies of scripts and of the commands behind them. All bear being repeated: what was claimed by then stays
   * claimed with the same value, and a unit that was committed by then finds its own version.
   */
  async #send(label: string, calls: readonly ScriptCall[], fill: Fill = () => undefined): Promise<readonly unknown[]> {
    const results = await this.#connection.runScripts(label, calls, (pipeline) => {
      fill(pipeline)
      pipeline.get(this.#names.marker)
    })
    this.#checkMarker(label, results)
    return results.slice(0, -1).map((result) => this.#connection.reply(label, result))
  }

  #claimOf(reads: readonly Claiming[]): ScriptCall {
    const call: ScriptCall = { script: CLAIM, keys: [this.#names.term], args: [this.upkeep.term] }
    for (const { slot, claim } of reads) {
      call.keys.push(this.#names.entry(slot, 'claim'))
      call.args.push(claim.expiresAt, claim.value ?? '')
    }
    return call
  }

  #commitOf(units: readonly Unit[]): ScriptCall {
    const { term, version, entry } = this.#names
    const call: ScriptCall = { script: COMMIT, keys: [term], args: [this.upkeep.term] }
    for (const unit of units) {
      const { slot, expectedTag, absent, writes } = unit
      call.keys.push(version(slot))
      for (const name of absent) call.keys.push(entry(slot, name))
      call.args.push(expectedTag, versionBytes(unit), absent.length, writes.length)
      addWrites(call, writes, (name) => entry(slot, name))
    }
    return call
  }

  /** Only what Redis has said: of a unit without an answer nobody knows what else waits. */
  #remember(unit: Unit, isLonely: boolean): void {
    if (!isLonely) return void this.#lonely.delete(unit.slot)
    if (this.#lonely.size >= MAX_LONELY) this.#lonely.clear()
    const lineBytes = Buffer.byteLength(versionLines(unit))
    this.#lonely.set(unit.slot, { version: unit.event.version, tag: `${unit.nextTag}\n`, lineBytes })
  }

  #lonelyOf(slot: string, versions: readonly number[]): Pick<Lonely, 'tag' | 'lineBytes'> {
    const lonely = this.#lonely.get(slot)
    if (!lonely || versions.length > 1 || versions[0] !== lonely.version) return NOT_LONELY
    this.#lonely.delete(slot)
    return lonely
  }

  /** The marker is the last command of a pipeline: had the data been lost before or within it, it would be gone. */
  #checkMarker(label: string, results: readonly PipelineResult[]): void {
    if (this.#connection.reply(label, results.at(-1)) === this.#connection.dataId) return
    this.#connection.drop('the store was emptied')
    throw new StoreError(`${label}: the store was emptied`)
  }
}

type Claiming = SlotRead & Required<Pick<SlotRead, 'claim'>>

function isClaiming(read: SlotRead): read is Claiming {
  return read.claim !== undefined
}
