// Brings the store on Redis up to the log: its notes, writes of what was folded from the log, and dumps. One node: the
// term, the marker and the progress are keys of that node, and each write of a catch-up is durable before its note is.

import { StoreError, type CommitResult, type SlotRead, type SlotView } from '../../ports/store.ts'
import type {
  ClaimRestore,
  HeldEntry,
  Holder,
  Position,
  Progress,
  SlotRestore,
  StoreNotes,
  StoreUpkeep,
} from '../../ports/store-upkeep.ts'
import { inChunks, kindOf, MAX_PIPELINE } from '../store-limits.ts'
import type { RedisConnection } from './connection.ts'
import { formOf, newDataId, type KeyNames } from './names.ts'
import { readVersion, slotCommand, slotViews, versionLines } from './slot-views.ts'
import { addWrites, NOTE, RECLAIM, REMOVE, RESTORE, SEIZE, SLOTS_A_SCRIPT, type ScriptCall } from './scripts.ts'

/** Keys of one step of a scan. */
const SCAN_COUNT = 1_000
const NEWER =
  'a newer release wrote this store; to go back to this one, audit rebuild --clear makes it anew from the log'
/** Kinds of keys that are no entry of a slot. */
const NO_ENTRIES: ReadonlySet<string> = new Set(['count', 'store'])

export class RedisUpkeep implements StoreUpkeep {
  readonly #connection: RedisConnection
  readonly #names: KeyNames
  /** Of this process; '' until it entered one. */
  term = ''

  constructor(connection: RedisConnection, names: KeyNames) {
    this.#connection = connection
    this.#names = names
  }

  enter(term: string): void {
    this.term = term
  }

  renew(why: string): void {
    this.#connection.drop(why)
  }

  async notes(): Promise<StoreNotes> {
    const results = await this.#connection.run('notes', (pipeline) => {
      const { term, progress, clearing, marker } = this.#names
      pipeline.get(term).hgetall(progress).get(clearing).get(marker)
    })
    const [term, progress, clearing, marker] = results.map((result) => this.#connection.reply('notes', result))
    this.#check('notes', marker === this.#connection.dataId)
    const positions = Object.entries((progress ?? {}) as Record<string, string>).map(
      ([partition, text]) => [Number(partition), positionOf(text)] as const,
    )
    const form = formOf(this.#connection.dataId)
    if (form === 'newer') throw new StoreError(`notes: ${NEWER}`)
    return {
      term: form === 'ours' && typeof term === 'string' ? term : '',
      progress: new Map(positions),
      unusable: form !== 'ours' || clearing !== null,
    }
  }

  async seize(owner: string, ttlMs: number): Promise<boolean> {
    return (await this.#run('seize', { script: SEIZE, keys: [this.#names.owner], args: [owner, ttlMs] })) === 1
  }

  async release(owner: string): Promise<void> {
    await this.#run('release', this.#noteCall(this.#names.owner, [owner, this.#connection.dataId, 'release']))
  }

  async suspend(owner: string): Promise<void> {
    await this.#note({ owner }, 'suspend')
  }

  async peek(reads: readonly SlotRead[]): Promise<readonly SlotView[]> {
    const { generation } = this.#connection
    const views: SlotView[] = []
    for (const chunk of inChunks(reads, MAX_PIPELINE)) {
      const [result] = await this.#connection.run('peek', (pipeline) => {
        pipeline.sendCommand(slotCommand(chunk, this.#names))
      })
      const values = this.#connection.reply('peek', result) as readonly (Buffer | null)[]
      views.push(...slotViews(chunk, values, generation))
    }
    return views
  }

  async restore(claims: readonly ClaimRestore[], slots: readonly SlotRestore[]): Promise<readonly CommitResult[]> {
    // All are sent before any is awaited: the client prepares the next while Redis works.
    const claimed = inChunks(claims, SLOTS_A_SCRIPT).map((chunk) => {
      const keys = chunk.map(({ slot }) => this.#names.entry(slot, 'claim'))
      const args = chunk.flatMap(({ value, expiresAt }) => [value, expiresAt])
      return this.#run('restore', { script: RECLAIM, keys, args })
    })
    const written = inChunks(slots, SLOTS_A_SCRIPT).map((chunk) => this.#restore(chunk))
    const [, verdicts] = await Promise.all([Promise.all(claimed), Promise.all(written)])
    return verdicts.flat().map((verdict) => (verdict === 1 ? 'committed' : 'conflict'))
  }

  async advance(holder: Holder, progress: Progress): Promise<void> {
    if (progress.size === 0) return
    const fields = [...progress].flatMap(([partition, { next, epoch }]) => [String(partition), `${next}.${epoch}`])
    await this.#note(holder, 'advance', ...fields)
  }

  async admit(owner: string, term: string): Promise<void> {
    await this.#note({ owner }, 'admit', term)
  }

  async clear(owner: string, ttlMs: number, kinds: ReadonlySet<string>): Promise<void> {
    const fresh = newDataId()
    await this.#note({ owner }, 'clear', fresh)
    const ours = (key: string) => {
      const kind = kindOf(this.#names.parse(key)?.name ?? '')
      return kinds.has(kind) || kind === 'version'
    }
    for await (const found of this.#scan()) {
      if (!(await this.seize(owner, ttlMs))) this.#check('clear', false)
      for (const keys of inChunks(found.filter(ours), SCAN_COUNT)) {
        const removed = await this.#run('clear', {
          script: REMOVE,
          keys: [this.#names.owner, ...keys],
          args: [owner],
        })
        this.#check('clear', removed === 1)
      }
    }
    const cleared = await this.#run('cleared', this.#noteCall(this.#names.owner, [owner, fresh, 'cleared']))
    this.#check('clear', cleared === 1)
    this.renew('the store was cleared')
  }

  async *held(): AsyncGenerator<HeldEntry> {
    const { dataId } = this.#connection
    if (dataId !== '' && formOf(dataId) !== 'ours') throw new StoreError('held: another release wrote this store')
    for await (const keys of this.#scan()) {
      const named = keys.flatMap((key) => {
        const entry = this.#names.parse(key)
        return entry && !NO_ENTRIES.has(kindOf(entry.name)) ? [{ key, ...entry }] : []
      })
      if (named.length === 0) continue
      const results = await this.#connection.run('held', (pipeline) => {
        for (const { key } of named) pipeline.getBuffer(key).pexpiretime(key)
      })
      for (const [i, { slot, name }] of named.entries()) {
        const value = this.#connection.reply('held', results[2 * i])
        const expiresAt = Number(this.#connection.reply('held', results[2 * i + 1]))
        if (!Buffer.isBuffer(value)) continue
        if (name !== 'version') {
          yield { slot, name, value: value.toString(), expiresAt: expiresAt > 0 ? expiresAt : null }
          continue
        }
        const { tag, base } = readVersion(value)
        yield { slot, name, value: tag, expiresAt: null }
        if (base !== '') yield { slot, name: 'base', value: base, expiresAt: null }
      }
    }
  }

  /** Keys of our prefix. One may come twice, as Redis says of SCAN. */
  async *#scan(): AsyncGenerator<readonly string[]> {
    const match = `${this.#names.marker.slice(0, -'store:marker'.length)}*`
    let cursor = '0'
    do {
      const [result] = await this.#connection.run('scan', (pipeline) => {
        pipeline.scan(cursor, 'MATCH', match, 'COUNT', SCAN_COUNT)
      })
      const [next, keys] = this.#connection.reply('scan', result) as [string, string[]]
      cursor = next
      if (keys.length > 0) yield keys
    } while (cursor !== '0')
  }

  async #restore(slots: readonly SlotRestore[]): Promise<readonly unknown[]> {
    const { version, entry } = this.#names
    const call: ScriptCall = { script: RESTORE, keys: [], args: [] }
    for (const restored of slots) {
      const { slot, expectedTag, writes } = restored
      call.keys.push(version(slot))
      call.args.push(expectedTag, versionLines(restored), writes.length)
      addWrites(call, writes, (name) => entry(slot, name))
    }
    return (await this.#run('restore', call)) as readonly unknown[]
  }

  async #note(holder: Holder, what: string, ...args: string[]): Promise<void> {
    const { term, owner } = this.#names
    const [key, value] = 'owner' in holder ? [owner, holder.owner] : [term, holder.term]
    const done = await this.#run(what, this.#noteCall(key, [value, this.#connection.dataId, what, ...args]))
    this.#check(what, done === 1)
  }

  #noteCall(holder: string, args: string[]): ScriptCall {
    const { marker, term, progress, owner, clearing } = this.#names
    return { script: NOTE, keys: [holder, marker, term, progress, owner, clearing], args }
  }

  async #run(label: string, call: ScriptCall): Promise<unknown> {
    const [result] = await this.#connection.runScripts(label, [call])
    return this.#connection.reply(label, result)
  }

  /** Who may not do it has been overtaken, or the store was emptied: all that is held is given up. */
  #check(label: string, allowed: boolean): void {
    if (allowed) return
    this.#connection.drop('the store was emptied, or another process brings it up to the log')
    throw new StoreError(`${label}: the store was emptied, or another process brings it up to the log`)
  }
}

function positionOf(text: string): Position {
  const [next = '0', epoch = '0'] = text.split('.')
  return { next: BigInt(next), epoch: Number(epoch) }
}
