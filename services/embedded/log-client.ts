// The log of an embedded service, seen from a command line through its socket: publish, follow and read; no groups.

import { request, type IncomingMessage } from 'node:http'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import {
  LogError,
  type Extent,
  type FollowOptions,
  type Log,
  type StoredRecord,
  type Subscription,
} from '../ports/log.ts'
import type { WireExtent, WireStored } from './log-server.ts'

/** What the service sends first to who follows. */
const FOLLOWING = '{"following":true}'
/** Before a record whose handler failed is handed over again. */
const REDELIVERY_MS = 50

/** Connects with the first call. Every call throws LogError when the service is not there. */
export function borrowLog(path: string): Log {
  const call = async (target: string, body?: string): Promise<IncomingMessage> => {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request({ socketPath: path, path: target, method: body === undefined ? 'GET' : 'POST' }, resolve)
      sent.once('error', () =>
        reject(new LogError('no embedded service answers: is `npm start` running on this PORT?')),
      )
      sent.end(body)
    })
    if (response.statusCode !== 200) throw new LogError(`the embedded service refused ${target.split('?')[0]}`)
    return response
  }
  const place = (topic: string, partition: number) => `topic=${encodeURIComponent(topic)}&partition=${partition}`
  const partitions = async (topic: string): Promise<number> =>
    (JSON.parse(await text(await call(`/partitions?topic=${encodeURIComponent(topic)}`))) as { count: number }).count
  const extent = async (topic: string, partition: number): Promise<Extent> => {
    const { start, end } = JSON.parse(await text(await call(`/extent?${place(topic, partition)}`))) as WireExtent
    return { start: BigInt(start), end: BigInt(end) }
  }

  return {
    partitions,
    extent,
    end: async (topic, partition) => (await extent(topic, partition)).end,
    offsetAt: async (topic, partition, timestamp) => {
      const answer = await text(await call(`/offset-at?${place(topic, partition)}&timestamp=${timestamp}`))
      return BigInt((JSON.parse(answer) as { offset: string }).offset)
    },
    publish: async (records) => {
      const body = records.map((record) => ({ ...record, value: Buffer.from(record.value).toString('base64') }))
      await text(await call('/publish', JSON.stringify(body)))
    },
    consume: () => Promise.reject(new LogError('groups of an embedded service are its own')),
    follow: async (options) =>
      follow(await call(`/follow?${place(options.topic, options.partition)}&from=${options.from}`), options),
    async *read(topic, partition, from, to) {
      const bounds = `${from === undefined ? '' : `&from=${from}`}${to === undefined ? '' : `&to=${to}`}`
      for await (const line of createInterface({ input: await call(`/read?${place(topic, partition)}${bounds}`) }))
        yield stored(line)
    },
    ping: async () => void (await partitions('replies')),
    close: () => Promise.resolve(),
  }
}

/** Resolves once the service says that the position is fixed. The handler is awaited, and asked again when it fails. */
async function follow(response: IncomingMessage, { onRecords }: FollowOptions): Promise<Subscription> {
  const lines = createInterface({ input: response })
  // A cut connection ends both; without a listener either would end the process.
  response.on('error', () => lines.close()).on('close', () => lines.close())
  lines.on('error', () => lines.close())
  const each = lines[Symbol.asyncIterator]()
  const first = await each.next()
  if (first.value !== FOLLOWING) throw new LogError('the embedded service went away')
  const { promise: failed, reject } = Promise.withResolvers<never>()
  failed.catch(() => undefined)
  let stopped = false
  const handOver = async (record: StoredRecord) => {
    while (!stopped) {
      try {
        return await onRecords([record])
      } catch {
        await new Promise((resolve) => setTimeout(resolve, REDELIVERY_MS))
      }
    }
  }
  const reading = (async () => {
    for (let next = await each.next(); !next.done; next = await each.next()) await handOver(stored(next.value))
  })()
  const gone = () => reject(new LogError('the embedded service went away'))
  reading.then(gone, gone)
  return {
    failed,
    stop: async () => {
      stopped = true
      response.destroy()
      await reading.catch(() => undefined)
    },
  }
}

function stored(line: string): StoredRecord {
  const { value, offset, ...record } = JSON.parse(line) as WireStored
  return { ...record, offset: BigInt(offset), value: value === null ? null : Buffer.from(value, 'base64') }
}
