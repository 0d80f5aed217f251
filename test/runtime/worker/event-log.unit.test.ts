import { describe, expect, it } from 'vitest'
import { headerOf } from '../../../services/adapters/avro/single-object.ts'
import { LogError, type Log } from '../../../services/ports/log.ts'
import type { Store } from '../../../services/ports/store.ts'
import { EventLog } from '../../../services/runtime/worker/event-log.ts'
import { wire } from './harness.ts'

interface Sent {
  readonly versions: readonly number[]
  resolve(): void
  reject(): void
}

function setUp() {
  const sent: Sent[] = []
  const acknowledged: number[] = []
  const log = {
    publish: (records) =>
      new Promise<void>((resolve, reject) => {
        sent.push({
          versions: records.map(({ headers }) => Number(headers['version'])),
          resolve,
          reject: () => reject(new LogError('no answer')),
        })
      }),
  } as Pick<Log, 'publish'> as Log
  const store = {
    generation: 1,
    acknowledge: async (acks: Parameters<Store['acknowledge']>[0]) =>
      void acknowledged.push(...acks.flatMap(({ versions }) => versions)),
  }
  return { sent, acknowledged, store, events: new EventLog(log, store as Pick<Store, 'acknowledge'> as Store, wire) }
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

  it('are not sent again by who read them before they were forgotten, unless the store may have lost them', async () => {
    const { sent, events, store } = setUp()
    const first = events.publish('s', [event(1)])
    sent[0]?.resolve()
    await first
    await events.publish('s', [event(1)])
    expect(sent).toHaveLength(1)
    store.generation++
    void events.publish('s', [event(1)])
    expect(sent).toHaveLength(2)
  })

  it('of other slots do not wait for each other', async () => {
    const { sent, events } = setUp()
    void events.publish('s', [event(1)]).catch(() => undefined)
    const other = events.publish('t', [event(1)])
    sent[1]?.resolve()
    await expect(other).resolves.toBeUndefined()
  })
})
