// Lends the embedded log to command lines of the same user: HTTP with one JSON text a line, on a Unix socket that only
// its owner can open. It is no API for services: they use Kafka.

import { chmodSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { FollowOptions, Log, LogRecord, StoredRecord } from '../ports/log.ts'

/** Where the embedded service on this HTTP port lends its log. */
export function socketPath(port: number): string {
  return join(tmpdir(), `payment-token-service-${port}.sock`)
}

export type WireRecord = Omit<LogRecord, 'value'> & { readonly value: string }
export type WireStored = Omit<StoredRecord, 'value' | 'offset'> & {
  readonly value: string | null
  readonly offset: string
}

export interface WireExtent {
  readonly start: string
  readonly end: string
}

export interface LogServer {
  close(): Promise<void>
}

/** Listens until `close`. A socket that a killed process left behind is replaced. */
export async function lendLog(log: Log, path: string): Promise<LogServer> {
  const server = createServer((request, response) => {
    answer(log, request, response).catch(() => {
      if (!response.headersSent) response.writeHead(500)
      response.end()
    })
  })
  rmSync(path, { force: true })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve))
  chmodSync(path, 0o600)
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(log: Log, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://log')
  const topic = query.get('topic') ?? ''
  const partition = Number(query.get('partition') ?? 0)
  switch (pathname) {
    case '/publish': {
      const records = JSON.parse(await text(request)) as WireRecord[]
      await log.publish(records.map((record) => ({ ...record, value: Buffer.from(record.value, 'base64') })))
      return void response.end('{}')
    }
    case '/partitions':
      return void response.end(JSON.stringify({ count: await log.partitions(topic) }))
    case '/extent': {
      const { start, end } = await log.extent(topic, partition)
      return void response.end(JSON.stringify({ start: String(start), end: String(end) } satisfies WireExtent))
    }
    case '/offset-at': {
      const offset = await log.offsetAt(topic, partition, Number(query.get('timestamp') ?? 0))
      return void response.end(JSON.stringify({ offset: String(offset) }))
    }
    case '/read':
      for await (const record of log.read(topic, partition, bound(query.get('from')), bound(query.get('to')))) {
        response.write(line(record))
      }
      return void response.end()
    case '/follow':
      return follow(log, { topic, partition, from: startOf(query.get('from')) }, response)
    default:
      response.writeHead(404).end()
  }
}

async function follow(log: Log, options: Omit<FollowOptions, 'onRecords'>, response: ServerResponse): Promise<void> {
  const subscription = await log.follow({
    ...options,
    onRecords: (records) => void response.write(records.map(line).join('')),
  })
  response.write('{"following":true}\n')
  response.once('close', () => void subscription.stop())
}

function startOf(from: string | null): FollowOptions['from'] {
  return from === 'beginning' || from === 'end' ? from : BigInt(from ?? 0)
}

function bound(offset: string | null): bigint | undefined {
  return offset === null ? undefined : BigInt(offset)
}

function line({ value, offset, ...record }: StoredRecord): string {
  const stored: WireStored = {
    ...record,
    offset: String(offset),
    value: value && Buffer.from(value).toString('base64'),
  }
  return `${JSON.stringify(stored)}\n`
}
