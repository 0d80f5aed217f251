import { describe, expect, it } from 'vitest'
import { headerOf } from '../../../services/adapters/avro/single-object.ts'
import { LogError, type Log } from '../../../services/ports/log.ts'
import type { Store } from '../../../services/ports/store.ts'
import { EventLog } from '../../../services/runtime/worker/event-log.ts'
import { wire } from './harness.ts'

interface Sent {
  readonly versions: readonly number[]
  readonly epochs: readonly (string | undefined)[]
  resolve(): void
  reject(): void
}

function setUp(confirmed = true) {
  const sent: Sent[] = []
  const acknowledged: number[] = []
  const log = {
    publish: (records) =>
      new Promise<void>((resolve, reject) => {
        sent.push({
          versions: records.map(({ headers }) => Number(headers['version'])),
          epochs: records.map(({ headers }) => headers['epoch']),
          resolve,
          reject: () => reject(new LogError('no answer')),
        })
      }),
  } as Pick<Log, 'publish'> as Log
  const store = {
    acknowledge: async (acks: Parameters<Store['acknowledge']>[0]) =>
      void acknowledged.push(...acks.flatMap(({ versions }) => versions)),
  }
  const term = { epoch: 7, runId: 'r', generation: 1 }
  const looks: ((valid: boolean) => void)[] = []
  const fence = {
    open: async () => term,
    confirm: () => (confirmed ? Promise.resolve(true) : new Promise<boolean>((resolve) => looks.push(resolve))),
  }
  const deps = { log, wire, fence, store: store as Pick<Store, 'acknowledge'> as Store }
  return { sent, acknowledged, looks, events: new EventLog(deps, term) }
}

const event = (version: number) => ({
  version,
  event: Buffer.from(String(version)),
  headers: { version: String(version) },
})
const soon = () => new Promise((resolve) => setTimeout(resolve, 10))

describe('events on their way to the log', () => {
  it('are sent once, however many transactions wait for them', async () => {
    const { sent, acknowledged, events } = setUp()
    const both = [events.publish('s', [event(1)]), events.publish('s', [event(1)])]
    expect(sent).toHaveLength(1)
    sent[0]?.resolve()
    await Promise.all(both)
    await soon()
    expect(acknowledged).toEqual([1])
  })

  it('of a newer release wait for one of its instances, and stop nobody', async () => {
    const { sent, events } = setUp()
    const unknown = Buffer.concat([headerOf('0011223344556677'), Buffer.from('newer')])
    await expect(events.publish('s', [{ version: 1, event: unknown }])).rejects.toThrow(LogError)
    await expect(events.publish('s', [{ version: 1, event: unknown }])).rejects.toThrow(/fingerprint 0011223344556677/)
    expect(sent).toEqual([])
  })

  it('wait for those before them, and come again with them when those failed', async () => {
    const { sent, acknowledged, events } = setUp()
    const first = events.publish('s', [event(1)])
    const second = events.publish('s', [event(1), event(2)])
    sent[0]?.reject()
    await expect(first).rejects.toThrow(LogError)
    await expect(second).rejects.toThrow(LogError)
    expect(sent.map(({ versions }) => versions)).toEqual([[1]])
    const again = events.publish('s', [event(1), event(2)])
    expect(sent[1]?.versions).toEqual([1, 2])
    sent[1]?.resolve()
    await again
    await soon()
    expect(acknowledged).toEqual([1, 2])
  })

  it('are sent as soon as those before them are acknowledged', async () => {
    const { sent, events } = setUp()
    const first = events.publish('s', [event(1)])
    const second = events.publish('s', [event(1), event(2)])
    sent[0]?.resolve()
    await first
    await soon()
    expect(sent.map(({ versions }) => versions)).toEqual([[1], [2]])
    sent[1]?.resolve()
    await expect(second).resolves.toBeUndefined()
  })

  it('are not sent again by who read them before they were forgotten', async () => {
    const { sent, events } = setUp()
    const first = events.publish('s', [event(1)])
    sent[0]?.resolve()
    await first
    await events.publish('s', [event(1)])
    expect(sent).toHaveLength(1)
  })

  it('carry the epoch of who publishes them, whoever has committed them', () => {
    const { sent, events } = setUp()
    void events.publish('s', [event(1)])
    expect(sent[0]?.epochs).toEqual(['7'])
  })

  it('are forgotten by the store only when they are sure to count', async () => {
    const { sent, acknowledged, looks, events } = setUp(false)
    for (const version of [1, 2]) {
      const published = events.publish('s', [event(version)])
      sent.at(-1)?.resolve()
      await published
      await soon()
    }
    expect(acknowledged).toEqual([])
    looks[0]?.(false)
    await soon()
    looks[1]?.(true)
    await soon()
    expect(acknowledged).toEqual([2])
  })

  it('of other slots do not wait for each other', async () => {
    const { sent, events } = setUp()
    void events.publish('s', [event(1)]).catch(() => undefined)
    const other = events.publish('t', [event(1)])
    sent[1]?.resolve()
    await expect(other).resolves.toBeUndefined()
  })
})
