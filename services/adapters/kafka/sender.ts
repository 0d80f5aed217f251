// Sends batches, again and again until they are acknowledged or their time is over. Owns its connection,
// and makes a new one when the old one fails.

import type { Headers } from '../../ports/log.ts'
import type { Producer } from 'kafkajs'
import { createClient, reasonOf, RETRY, rootOf } from './client.ts'
import type { Settings } from './options.ts'
import { settled } from './waiting.ts'

const RETRY_MIN_MS = 50
const RETRY_MAX_MS = 1_000
const DISCONNECT_TIMEOUT_MS = 2_000
/**
 * Without any connection in this time nothing was sent, surely, and callers are told so instead of being kept waiting.
 */
const UNREACHABLE_MS = 3_000
/** Of the request's time, what the broker may wait for its replicas. */
const REPLICAS_SHARE = 0.8

/** A record with its partition decided. */
export interface Outgoing {
  readonly topic: string
  readonly key: string
  readonly partition: number
  readonly value: Buffer
  readonly headers: Headers
}

/** The broker refused something in the batch and will do so again. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
}

/** No broker could be connected to: surely nothing was sent. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError'
}

export class Sender {
  readonly #settings: Settings
  #producer: Promise<Producer> | null = null
  #closed = false

  constructor(settings: Settings) {
    this.#settings = settings
  }

  /** @throws RefusedError, UnreachableError, or what kafkajs threw last, when the time is over. */
  async send(messages: readonly Outgoing[]): Promise<void> {
    const { requestTimeoutMs } = this.#settings
    const topicMessages = byTopic(messages)
    const begin = performance.now()
    let sent = false
    for (let delayMs = RETRY_MIN_MS; ; delayMs = Math.min(delayMs * 2, RETRY_MAX_MS)) {
      try {
        const producer = await this.#connected()
        sent = true
        const timeout = requestTimeoutMs * REPLICAS_SHARE
        await producer.sendBatch({ topicMessages, acks: -1, timeout })
        return
      } catch (error) {
        const { type, retriable } = rootOf(error) as { type?: unknown; retriable?: unknown }
        const answered = typeof type === 'string'
        if (sent && answered && retriable === false) throw new RefusedError(reasonOf(error), { cause: error })
        if (!answered || !sent) this.#drop()
        const waited = performance.now() + delayMs - begin
        if (!sent && (this.#closed || waited >= Math.min(UNREACHABLE_MS, requestTimeoutMs))) {
          throw new UnreachableError(reasonOf(error), { cause: error })
        }
        if (this.#closed || waited >= requestTimeoutMs) throw error
        await new Promise((resolve) => setTimeout(resolve, delayMs))
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    const producer = this.#producer
    this.#producer = null
    if (producer)
      await settled(
        DISCONNECT_TIMEOUT_MS,
        producer.then((connected) => connected.disconnect()),
      )
  }

  #connected(): Promise<Producer> {
    this.#producer ??= (async () => {
      const producer = createClient(this.#settings).producer({
        allowAutoTopicCreation: false,
        retry: { ...RETRY, retries: 0 },
        createPartitioner:
          () =>
          ({ message }) =>
            message.partition ?? 0,
      })
      await producer.connect()
      return producer
    })()
    return this.#producer
  }

  #drop(): void {
    const dropped = this.#producer
    this.#producer = null
    if (dropped)
      void settled(
        DISCONNECT_TIMEOUT_MS,
        dropped.then((producer) => producer.disconnect()),
      )
  }
}

function byTopic(messages: readonly Outgoing[]): { topic: string; messages: Outgoing[] }[] {
  const topics = new Map<string, Outgoing[]>()
  for (const message of messages) {
    const own = topics.get(message.topic)
    if (own) own.push(message)
    else topics.set(message.topic, [message])
  }
  return [...topics].map(([topic, own]) => ({ topic, messages: own }))
}
