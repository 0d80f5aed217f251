import { expect, it } from 'vitest'
import { logSource, readEvents, stretchesOf, type EventSource } from '../../../services/audit/event-source.ts'
import { coverageOf, placeName, type Place } from '../../../services/audit/timeline/coverage.ts'
import { TOPIC } from '../../../services/runtime/topics.ts'
import { sign, verifier } from '../history.ts'
import { commands, HOLDERS, startSystem, wire } from '../traffic.ts'

it('proves each event by its signed checkpoint, says which are not covered yet, and notices a changed byte', async () => {
  const system = await startSystem()
  const holder = HOLDERS[0] as string
  for (let n = 0; n < 7; n++) await system.ask(commands.credit(`k${n}`, { document: holder, amount: 100 }))
  await sign(system.log)
  await system.ask(commands.credit('late', { document: holder, amount: 100 }))
  await system.stop()
  const source = logSource(system.log)
  const places: (Place & { readonly consecutive: string })[] = []
  for await (const { event, partition, offset } of readEvents(source, wire, await stretchesOf(source)))
    if ('slot' in event) places.push({ partition, offset, consecutive: event.command.scope.consecutive })
  const covered = await coverageOf(places, { source, wire, verifier })
  for (const place of places) {
    const coverage = covered.get(placeName(place))
    if (place.consecutive === 'late') expect(coverage).toBeUndefined()
    else expect(coverage).toMatchObject({ sequence: expect.any(Number), keyId: 'k1', proved: true })
  }

  const [first] = places
  if (!first) throw new Error('there are events')
  const changed: EventSource = {
    ...source,
    async *read(topic, partition, from, to) {
      for await (const batch of source.read(topic, partition, from, to))
        yield batch.map((record) =>
          topic === TOPIC.events && placeName(record) === placeName(first) && record.value
            ? { ...record, value: Buffer.from(record.value.map((byte, i) => (i === 20 ? byte ^ 1 : byte))) }
            : record,
        )
    },
  }
  const noticed = await coverageOf([first], { source: changed, wire, verifier })
  expect(noticed.get(placeName(first))?.proved).toBe(false)
  await system.log.close()
})
