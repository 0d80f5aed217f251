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

/** Publish events of one slot; rejects when they may not be on the log. */
async function publish(events: EventLog, slot: string, ...versions: readonly number[]): Promise<void> {
  const failed = await events.publish([{ slot, events: versions.map(event) }]).get(slot)
  if (failed?.has(slot)) throw new Error('not on the log')
}

describe('events on their way to the log', () => {
  it('are sent once, however many transactions wait for them', async () => {
    const { sent, acknowledged, events } = setUp()
    const both = [publish(events, 's', 1), publish(events, 's', 1)]
    expect(sent).toHaveLength(1)
    sent[0]?.resolve()
    await Promise.all(both)
    await soon()
    expect(acknowledged).toEqual([1])
  })

  it('of a newer release wait for one of its instances, and stop nobody', async () => {
    const { sent, events } = setUp()
    const unknown = { version: 1, event: Buffer.concat([headerOf('0011223344556677'), Buffer.from('newer')]) }
    const alone = events.publish([{ slot: 's', events: [unknown] }])
    expect(await alone.get('s')).toEqual(new Set(['s']))
    const waits = events.publish([
      { slot: 's', events: [unknown] },
      { slot: 't', events: [event(1)] },
    ])
    expect(sent.map(({ versions }) => versions)).toEqual([[1]])
    sent[0]?.resolve()
    expect(await waits.get('t')).toEqual(new Set(['s']))
  })

  it('of one round go in one call, those of other slots with them', async () => {
    const { sent, acknowledged, events } = setUp()
    const waits = events.publish([
      { slot: 's', events: [event(1)] },
      { slot: 't', events: [event(7)] },
      { slot: 'u', events: [event(3), event(4)] },
    ])
    expect(sent.map(({ versions }) => versions)).toEqual([
      [3, 4],
      [1, 7],
    ])
    expect(waits.get('s')).toBe(waits.get('t'))
    for (const { resolve } of sent) resolve()
    expect(await Promise.all(waits.values())).toEqual([new Set(), new Set(), new Set()])
    await soon()
    expect(acknowledged.toSorted()).toEqual([1, 3, 4, 7])
  })

  it('go each for itself when the log does not take them together, and only the guilty fails', async () => {
    const { sent, acknowledged, events } = setUp()
    const waits = events.publish([
      { slot: 's', events: [event(1)] },
      { slot: 't', events: [event(7)] },
    ])
    sent[0]?.reject()
    await soon()
    expect(sent.slice(1).map(({ versions }) => versions)).toEqual([[1], [7]])
    sent[1]?.reject()
    sent[2]?.resolve()
    expect(await waits.get('t')).toEqual(new Set(['s']))
    await soon()
    expect(acknowledged).toEqual([7])
    const again = publish(events, 's', 1)
    sent[3]?.resolve()
    await again
  })

  it('wait for those before them, and come again with them when those failed', async () => {
    const { sent, acknowledged, events } = setUp()
    const first = publish(events, 's', 1)
    const second = publish(events, 's', 1, 2)
    sent[0]?.reject()
    await expect(first).rejects.toThrow('not on the log')
    await expect(second).rejects.toThrow('not on the log')
    expect(sent.map(({ versions }) => versions)).toEqual([[1]])
    const again = publish(events, 's', 1, 2)
    expect(sent[1]?.versions).toEqual([1, 2])
    sent[1]?.resolve()
    await again
    await soon()
    expect(acknowledged).toEqual([1, 2])
  })

  it('are sent as soon as those before them are acknowledged', async () => {
    const { sent, events } = setUp()
    const first = publish(events, 's', 1)
    const second = publish(events, 's', 1, 2)
    sent[0]?.resolve()
    await first
    await soon()
    expect(sent.map(({ versions }) => versions)).toEqual([[1], [2]])
    sent[1]?.resolve()
    await expect(second).resolves.toBeUndefined()
  })

  it('of one slot go in portions that the log takes whole, each after the one before, none after a failure', async () => {
    const { sent, events } = setUp()
    const versions = Array.from({ length: 250 }, (_, n) => n + 1)
    const failing = publish(events, 's', ...versions)
    expect(sent.map((call) => [call.versions[0], call.versions.at(-1)])).toEqual([[1, 100]])
    sent[0]?.resolve()
    await soon()
    expect(sent.map((call) => [call.versions[0], call.versions.at(-1)])).toEqual([
      [1, 100],
      [101, 200],
    ])
    sent[1]?.reject()
    await expect(failing).rejects.toThrow('not on the log')
    expect(sent).toHaveLength(2)
    const large = { version: 251, event: Buffer.alloc(100_000), headers: { version: '251' } }
    void events.publish([{ slot: 't', events: [large, { ...large, version: 252, headers: { version: '252' } }] }])
    expect(sent[2]?.versions).toEqual([251])
  })

  it('are not sent again by who read them before they were forgotten', async () => {
    const { sent, events } = setUp()
    const first = publish(events, 's', 1)
    sent[0]?.resolve()
    await first
    expect(events.publish([{ slot: 's', events: [event(1)] }]).size).toBe(0)
    expect(sent).toHaveLength(1)
  })

  it('carry the epoch of who publishes them, whoever has committed them', () => {
    const { sent, events } = setUp()
    void publish(events, 's', 1)
    expect(sent[0]?.epochs).toEqual(['7'])
  })

  it('are forgotten by the store only when they are sure to count', async () => {
    const { sent, acknowledged, looks, events } = setUp(false)
    for (const version of [1, 2]) {
      const published = publish(events, 's', version)
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
    void publish(events, 's', 1)
    const other = publish(events, 't', 1)
    sent[1]?.resolve()
    await expect(other).resolves.toBeUndefined()
  })
})
