// Workers on the memory log and store, with a caller that asks as an ingress does and collects replies.

import { createAvroWire } from '../../../services/adapters/avro/wire.ts'
import { systemEntropy } from '../../../services/adapters/keys/entropy.ts'
import { createKeyRing } from '../../../services/adapters/keys/key-ring.ts'
import { createMemoryLog, type MemoryLog } from '../../../services/adapters/memory/log.ts'
import { createMemoryStore, type MemoryStore } from '../../../services/adapters/memory/store.ts'
import type { AuthorizationEvent } from '../../../services/core/subject/event.ts'
import { Barriers } from '../../../services/core/subject/epochs.ts'
import { DEFAULT_RULES } from '../../../services/core/subject/rules.ts'
import type { Command, Inquiry } from '../../../services/core/transaction/command.ts'
import { replyIn } from '../../../services/ingress/replies/decode.ts'
import type { Reply } from '../../../services/core/transaction/reply.ts'
import { TOPIC, TOPICS } from '../../../services/runtime/topics.ts'
import {
  startWorker,
  type Worker,
  type WorkerDeps,
  type WorkerObserver,
} from '../../../services/runtime/worker/worker.ts'
import { commandsWith } from '../../protocol/commands.ts'

const key = Buffer.alloc(32, 9).toString('base64')
export const keys = createKeyRing({
  identity: { id: 'i1', key },
  token: [{ id: 't1', key }],
  seal: [{ id: 's1', key }],
})
export const commands = commandsWith(keys)
export const wire = createAvroWire()

export interface Bench {
  readonly log: MemoryLog
  readonly store: MemoryStore
  readonly counts: Record<string, number>
  readonly bugs: unknown[]
  worker(options?: Partial<WorkerDeps>): Promise<{ worker: Worker; log: MemoryLog }>
  /** Publishes; the reply, or null when none comes in time. */
  ask(body: Command | Inquiry, timeoutMs?: number): Promise<Reply | null>
  events(): Promise<AuthorizationEvent[]>
}

export async function bench(): Promise<Bench> {
  const clock = { now: () => Date.now() }
  const log = createMemoryLog({ topics: TOPICS })
  const store = createMemoryStore({ clock })
  const counts: Record<string, number> = {}
  const bugs: unknown[] = []
  const count = (name: string) => void (counts[name] = (counts[name] ?? 0) + 1)
  const observer: WorkerObserver = {
    round: () => count('rounds'),
    decided: (_, code) => count(`decided ${code}`),
    conflict: () => count('conflicts'),
    retried: (reason) => count(`retried ${reason}`),
    bug: (error) => void bugs.push(error),
    deadLetter: () => count('dead letters'),
    inFlight: () => undefined,
    suspended: () => count('suspended'),
    catchingUp: () => count('catch-ups'),
    admitted: () => count('admitted'),
    failed: () => count('failed recoveries'),
  }
  const barriers = new Barriers()
  const waiting = new Map<string, ((reply: Reply) => void)[]>()
  await log.follow({
    topic: TOPIC.replies,
    partition: 0,
    from: 'end',
    onRecords: (records) => {
      for (const record of records) {
        const reply = replyIn(record, wire, barriers)
        if (typeof reply === 'string') continue
        const id = reply.inquiryId || `${reply.scope} ${reply.fingerprint}`
        for (const resolve of waiting.get(id) ?? []) resolve(reply)
        waiting.delete(id)
      }
    },
  })
  return {
    log,
    store,
    counts,
    bugs,
    worker: async (options) => {
      const own = log.client()
      const shell = { clock, entropy: systemEntropy, keys, rules: DEFAULT_RULES }
      const worker = await startWorker({
        log: own,
        store,
        wire,
        shell,
        observer,
        group: 'authorizer',
        topic: TOPIC.purchaseRequests,
        maxRound: 200,
        maxInFlight: 2_000,
        ...options,
      })
      return { worker, log: own }
    },
    ask: (body, timeoutMs = 5_000) =>
      new Promise((resolve, reject) => {
        const id =
          body.kind === 'INQUIRY'
            ? body.inquiryId
            : `${body.scope.acquirerId}:${body.scope.transactionCode}:${body.scope.consecutive} ${body.fingerprint}`
        waiting.set(id, [...(waiting.get(id) ?? []), resolve])
        setTimeout(() => resolve(null), timeoutMs).unref()
        const recordKey = 'card' in body && body.card ? body.card.hash : id
        log
          .publish([
            { topic: TOPIC.purchaseRequests, key: recordKey, ...wire.encodeRequest({ body, replyPartition: 0 }) },
          ])
          .catch(reject)
      }),
    events: async () => {
      const events: AuthorizationEvent[] = []
      for (let partition = 0; partition < (await log.partitions(TOPIC.events)); partition++) {
        for await (const record of log.read(TOPIC.events, partition)) events.push(wire.decodeEvent(record.value))
      }
      return events
    },
  }
}
