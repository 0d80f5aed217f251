// Reads the leading fields of an event and no more: a check of chains needs six fields of a record of a hundred. An event
// whose schema has them elsewhere is decoded whole.

import { MalformedRecordError, type EventHead } from '../../ports/wire.ts'
import type { Dictionary, MessageReader, MessageType } from './dictionary.ts'
import { HEADER_BYTES } from './single-object.ts'

const WANTED: ReadonlySet<string> = new Set(['type', 'slot', 'version', 'previousHash', 'epoch', 'runId'])

type HeadReader = (bytes: Uint8Array) => EventHead

/** What it gives throws MalformedRecordError when the bytes are of no event, or end too soon. */
export function eventHeads(
  dictionary: Dictionary,
  events: readonly MessageType[],
): (value: Uint8Array | null) => EventHead {
  const names = new Set(events.map(({ name }) => name))
  /** By the reader of the schema that was written: as many as there are versions. */
  const readers = new Map<MessageReader, HeadReader>()
  return (value) => {
    const reader = dictionary.find(value, names)
    let read = readers.get(reader)
    if (!read) readers.set(reader, (read = headReaderOf(reader)))
    return read(value as Uint8Array)
  }
}

interface Field {
  readonly name: string
  readonly type: unknown
}

function headReaderOf({ schema, read }: MessageReader): HeadReader {
  const { fields } = JSON.parse(schema.text) as { readonly fields: readonly Field[] }
  const plain = fields.findIndex(({ type }) => type !== 'string' && type !== 'long' && type !== 'int')
  const leading = plain < 0 ? fields : fields.slice(0, plain)
  const wanted = fields.filter((field) => WANTED.has(field.name))
  if (!wanted.every((field) => leading.includes(field))) return (bytes) => read(bytes) as EventHead
  const last = leading.findLastIndex((field) => WANTED.has(field.name))
  return (bytes) => readLeading(bytes, leading.slice(0, last + 1))
}

function readLeading(value: Uint8Array, fields: readonly Field[]): EventHead {
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  const head: Record<string, string | number> = {}
  let at = HEADER_BYTES
  const long = (): number => {
    let result = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++]
      if (byte === undefined || factor > Number.MAX_SAFE_INTEGER) throw new MalformedRecordError('ends too soon')
      result += (byte & 127) * factor
      if (byte < 128) return result % 2 === 0 ? result / 2 : -(result + 1) / 2
    }
  }
  for (const { name, type } of fields) {
    const number = long()
    if (type !== 'string') {
      head[name] = number
      continue
    }
    if (number < 0 || at + number > bytes.length) throw new MalformedRecordError('ends too soon')
    head[name] = bytes.toString('utf8', at, at + number)
    at += number
  }
  return head as unknown as EventHead
}
