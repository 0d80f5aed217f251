// Histories to audit: decisions of many slots, chained as workers chain them, with refusals and rules between.

import { createHash } from 'node:crypto'
import { createAvroWire } from '../../services/adapters/avro/wire.ts'
import { createSignatureVerifier, createSigner, publicKeysOf } from '../../services/adapters/keys/signing.ts'
import { createMemoryLog, type MemoryLog } from '../../services/adapters/memory/log.ts'
import { EPOCH_HEADER } from '../../services/core/subject/epochs.ts'
import type { AuthorizationEvent, DecisionEvent } from '../../services/core/subject/event.ts'
import type { Log, LogRecord } from '../../services/ports/log.ts'
import { startNotary, type Notary, type NotaryDeps, type NotaryObserver } from '../../services/notary/notary.ts'
import { TOPIC, TOPICS } from '../../services/runtime/topics.ts'
import { commandsWith } from '../protocol/commands.ts'
import { plainKeys } from '../protocol/plain-keys.ts'

export const wire = createAvroWire()
export const SIGNING_KEYS = [{ id: 'k1', key: Buffer.alloc(32, 1).toString('base64') }]
export const OTHER_KEYS = [{ id: 'k1', key: Buffer.alloc(32, 2).toString('base64') }]
export const verifier = createSignatureVerifier(publicKeysOf(SIGNING_KEYS))

const commands = commandsWith(plainKeys)
const LARGE = 1_000_000_000

export function memoryLog(): MemoryLog {
  return createMemoryLog({ topics: TOPICS, maxPartitionBytes: LARGE, maxQueuedRecords: LARGE })
}

export function hashOf(value: Uint8Array): string {
  return createHash('sha256').update(value).digest('base64url')
}

export class History {
  readonly heads = new Map<string, { version: number; hash: string }>()
  #number = 0

  /** The next event of a slot, and its record. */
  decision(slot: string, over: Partial<DecisionEvent> = {}): LogRecord {
    const { version, hash } = this.heads.get(slot) ?? { version: 0, hash: '' }
    const consecutive = `c-${this.#number++}`
    const event: DecisionEvent = {
      type: 'transaction-decided',
      slot,
      version: version + 1,
      previousHash: hash,
      epoch: 1,
      runId: 'run',
      command: commands.generation(consecutive, { card: '6039591000000018', ttlSeconds: 60, metadata: 'audit' }),
      drawn: {
        now: 1_000_000 + this.#number,
        authorizationNumber: '123456',
        candidates: [],
        presented: [],
        presentedDigits: 0,
      },
      seen: {},
      claims: [],
      ruleVersion: 1,
      rulesId: 'rules',
      responseCode: '00',
      reason: 'approved',
      facts: [],
      ...over,
    }
    const record = this.record(slot, event, event.epoch)
    this.heads.set(slot, { version: version + 1, hash: hashOf(record.value) })
    return record
  }

  refusal(): LogRecord {
    const command = commands.generation(`r-${this.#number++}`, {})
    return this.record(
      '@refused',
      { type: 'transaction-refused', id: `id${this.#number}`, epoch: 1, runId: 'run', command, now: 1, claims: [] },
      1,
    )
  }

  barrier(epoch: number): LogRecord {
    return this.record('barrier', { type: 'epoch-raised', epoch, runId: `run${epoch}`, now: 1, barriers: [] }, epoch)
  }

  record(key: string, event: AuthorizationEvent, epoch: number): LogRecord {
    const { value, headers } = wire.encodeEvent(event)
    return { topic: TOPIC.events, key, value, headers: { ...headers, [EPOCH_HEADER]: String(epoch) } }
  }

  /** `count` records over so many slots, some of them refusals. */
  some(count: number, slots: number): LogRecord[] {
    return Array.from({ length: count }, (_, i) =>
      i % 17 === 16 ? this.refusal() : this.decision(`D.slot${(i * 7) % slots}`),
    )
  }
}

export interface Noted {
  checkpoints: number
  superseded: number
  foreign: number
  failed: number
  contradictions: number
  readonly strange: string[]
}

export function noting(): NotaryObserver & { readonly noted: Noted } {
  const noted: Noted = { checkpoints: 0, superseded: 0, foreign: 0, failed: 0, contradictions: 0, strange: [] }
  return {
    noted,
    checkpoint: () => void noted.checkpoints++,
    superseded: () => void noted.superseded++,
    pending: () => undefined,
    foreign: () => void noted.foreign++,
    strange: (kind) => void noted.strange.push(kind),
    failed: () => void noted.failed++,
    contradiction: () => void noted.contradictions++,
  }
}

export function notaryOn(log: Log, over: Partial<NotaryDeps> = {}): Promise<Notary> {
  return startNotary({
    log,
    wire,
    signer: createSigner(SIGNING_KEYS),
    verifier,
    clock: { now: () => Date.now() },
    intervalMs: 5,
    maxRecords: 100,
    observer: noting(),
    ...over,
  })
}

/** Runs a notary until everything there is is covered. */
export async function sign(log: Log, over: Partial<NotaryDeps> = {}): Promise<void> {
  const notary = await notaryOn(log, over)
  await untilCovered(log, notary)
  await notary.stop()
}

export async function untilCovered(log: Log, notary: Notary): Promise<void> {
  const partitions = await log.partitions(TOPIC.events)
  for (let tries = 0; tries < 2_000; tries++) {
    const open = await Promise.all(
      Array.from(
        { length: partitions },
        async (_, p) => (await log.extent(TOPIC.events, p)).end > (notary.tip.covered.get(p) ?? 0n),
      ),
    )
    if (!open.includes(true)) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error('not everything was covered in time')
}
