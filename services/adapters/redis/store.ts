// The store on Redis: pipelines of reads and of units, each unit one run of one script.
// It holds no rule of the business, and never scans keys.

import type { ChainableCommander } from 'ioredis'
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
import { errorCode, RedisConnection, type ConnectionLog, type PipelineResult } from './connection.ts'
import { keyNames, type KeyNames } from './names.ts'
import { CLAIM, COMMIT } from './scripts.ts'
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
      const loaded = (await this.#loadChunk(chunk)) ?? (await this.#afterScripts(() => this.#loadChunk(chunk)))
      views.push(...loaded)
      if (this.generation !== generation) throw new StoreError('load: the connection to the store changed')
    }
    return views
  }

  async commit(units: readonly Unit[]): Promise<readonly CommitResult[]> {
    checkUnits(units)
    const results: CommitResult[] = []
    for (const chunk of inChunks(units, MAX_PIPELINE)) results.push(...(await this.#commitChunk(chunk)))
    return results
  }

  async acknowledge(acks: readonly Ack[]): Promise<void> {
    checkAcks(acks)
    for (const chunk of inChunks(acks, MAX_PIPELINE)) {
      const results = await this.#connection.run('acknowledge', (pipeline) => {
        for (const { slot, versions } of chunk) {
          if (versions.length > 0) pipeline.hdel(this.#names.outbox(slot), ...versions.map(String))
        }
      })
      for (const result of results) this.#connection.reply('acknowledge', result)
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
      const results = await this.#connection.run('counts', (pipeline) => {
        for (const key of chunk) pipeline.get(this.#names.counter(key))
      })
      for (const result of results) counts.push(Number(this.#connection.reply('counts', result) ?? 0))
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

  /** null: Redis has lost the scripts. What was claimed by then stays claimed, with the same value. */
  async #loadChunk(reads: readonly SlotRead[]): Promise<readonly SlotView[] | null> {
    const generation = this.generation
    const results = await this.#connection.run('load', (pipeline) => {
      for (const read of reads) this.#addRead(pipeline, read)
      pipeline.get(this.#names.marker)
    })
    if (results.some(lacksScript)) return null
    this.#checkMarker('load', results)
    let next = 0
    const take = (): unknown => this.#connection.reply('load', results[next++])
    return reads.map((read) =>
      read.claim === undefined
        ? plainView(read, generation, take(), take())
        : claimedView(read, generation, this.#underTerm('load', take())),
    )
  }

  /** The outbox is read after the state: an event that it shows belongs to the state or to a later one. */
  #addRead(pipeline: ChainableCommander, read: SlotRead): void {
    const { slot, names, claim } = read
    if (claim === undefined) {
      pipeline.mget(this.#names.version(slot), ...names.map((name) => this.#names.entry(slot, name)))
      pipeline.hgetall(this.#names.outbox(slot))
      return
    }
    const { term, outbox, version, entry } = this.#names
    const keys = [term, outbox(slot), version(slot), entry(slot, 'claim')]
    for (const name of names) if (name !== 'claim') keys.push(this.#names.entry(slot, name))
    const args: (string | number)[] = [this.upkeep.term, claim.expiresAt]
    if (claim.value !== null) args.push(claim.value)
    pipeline.evalsha(CLAIM.sha, keys.length, ...keys, ...args)
  }

  async #commitChunk(units: readonly Unit[]): Promise<readonly CommitResult[]> {
    const verdicts = new Map<Unit, CommitResult>()
    let pending = units.filter((unit) => unit.generation === this.generation)
    for (let attempt = 0; pending.length > 0; attempt += 1) {
      const sent = pending
      const results = await this.#connection.run('commit', (pipeline) => {
        for (const unit of sent) this.#addUnit(pipeline, unit)
        pipeline.get(this.#names.marker)
      })
      this.#checkMarker('commit', results)
      pending = sent.filter((_unit, index) => lacksScript(results[index]))
      sent.forEach((unit, index) => {
        if (lacksScript(results[index])) return
        const reply = this.#underTerm('commit', this.#connection.reply('commit', results[index]))
        verdicts.set(unit, reply === 1 ? 'committed' : 'conflict')
      })
      if (pending.length === 0) break
      if (attempt > 0) throw new StoreError('commit: the store keeps losing its scripts')
      await this.#connection.loadScripts()
    }
    return units.map((unit) => verdicts.get(unit) ?? 'conflict')
  }

  #addUnit(pipeline: ChainableCommander, unit: Unit): void {
    const { slot, writes, absent, event } = unit
    const keys = [this.#names.term, this.#names.version(slot), this.#names.outbox(slot)]
    for (const name of absent) keys.push(this.#names.entry(slot, name))
    const { expectedTag, nextTag } = unit
    const term = this.upkeep.term
    const args: (string | number)[] = [term, expectedTag, nextTag, event.version, textOf(event.event), absent.length]
    for (const { name, value, expiresAt } of writes) {
      keys.push(this.#names.entry(slot, name))
      if (value === null) args.push('-', '')
      else args.push(expiresAt ?? '', value)
    }
    pipeline.evalsha(COMMIT.sha, keys.length, ...keys, ...args)
  }

  /** The marker is the last command of a pipeline: had the data been lost before or within it, it would be gone. */
  #checkMarker(label: string, results: readonly PipelineResult[]): void {
    if (this.#connection.reply(label, results.at(-1)) === this.#connection.dataId) return
    this.#connection.drop('the store was emptied')
    throw new StoreError(`${label}: the store was emptied`)
  }

  /** A script says -1 when the store was emptied, or is or was brought up to the log under another term. */
  #underTerm(label: string, reply: unknown): unknown {
    if (reply !== ANOTHER_TERM) return reply
    this.#connection.drop('another term was admitted')
    throw new StoreError(`${label}: the store takes units of another term`)
  }

  async #afterScripts<T>(again: () => Promise<T | null>): Promise<T> {
    await this.#connection.loadScripts()
    const result = await again()
    if (result === null) throw new StoreError('the store keeps losing its scripts')
    return result
  }
}

export function lacksScript(result: PipelineResult | undefined): boolean {
  return result?.[0] != null && errorCode(result[0]) === 'NOSCRIPT'
}

function plainView(read: SlotRead, generation: number, values: unknown, outbox: unknown): SlotView {
  const [tag, ...rest] = values as readonly (string | null)[]
  const events = Object.entries(outbox as Record<string, string>)
  return view(read.slot, generation, tag, entriesOf(read.names, rest), events)
}

function claimedView(read: SlotRead, generation: number, reply: unknown): SlotView {
  const [tag, ...rest] = reply as readonly (string | null | readonly string[])[]
  const names = ['claim', ...read.names.filter((name) => name !== 'claim')]
  const flat = (rest[names.length] ?? []) as readonly string[]
  const events: [string, string][] = []
  for (let i = 0; i + 1 < flat.length; i += 2) events.push([flat[i] as string, flat[i + 1] as string])
  return view(read.slot, generation, tag as string | null, entriesOf(names, rest as readonly (string | null)[]), events)
}

function entriesOf(names: readonly string[], values: readonly (string | null)[]): ReadonlyMap<string, string> {
  const entries = new Map<string, string>()
  names.forEach((name, index) => {
    const value = values[index]
    if (value != null) entries.set(name, value)
  })
  return entries
}

function view(
  slot: string,
  generation: number,
  tag: string | null | undefined,
  entries: ReadonlyMap<string, string>,
  events: readonly (readonly [string, string])[],
): SlotView {
  const outbox: OutboxEntry[] = events.map(([version, event]) => ({ version: Number(version), event: bytesOf(event) }))
  if (outbox.length > 1) outbox.sort((a, b) => a.version - b.version)
  return { slot, tag: tag ?? '', entries, outbox, generation }
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
