// Reads the leading fields of an event and no more: a check of chains needs six fields of a record of a hundred. An event
// whose schema has them elsewhere is decoded whole.

import { MalformedRecordError, type EventHead } from '../../ports/wire.ts'
import { messageType } from './single-object.ts'
import { schemaOf } from './schema-text.ts'

const HEADER_BYTES = 10
const EVENTS = ['decision-event', 'refusal-event', 'rules-event', 'epoch-event'] as const
const WANTED: ReadonlySet<string> = new Set(['type', 'slot', 'version', 'previousHash', 'epoch', 'runId'])

type Reader = (bytes: Uint8Array) => EventHead

let readers: ReadonlyMap<string, Reader> | undefined

/** @throws MalformedRecordError when the fingerprint is of no event, or the bytes end too soon. */
export function eventHeadOf(value: Uint8Array | null, fingerprint: string): EventHead {
  readers ??= new Map(EVENTS.map((name) => readerOf(name)))
  const reader = readers.get(fingerprint)
  if (!reader || !value) throw new MalformedRecordError('a message of another schema')
  return reader(value)
}

interface Field {
  readonly name: string
  readonly type: unknown
}

function readerOf(name: string): readonly [string, Reader] {
  const { fingerprint, decode } = messageType(name)
  const { fields } = schemaOf(name) as { readonly fields: readonly Field[] }
  const plain = fields.findIndex(({ type }) => type !== 'string' && type !== 'long' && type !== 'int')
  const leading = plain < 0 ? fields : fields.slice(0, plain)
  const wanted = fields.filter((field) => WANTED.has(field.name))
  if (!wanted.every((field) => leading.includes(field))) return [fingerprint, (bytes) => decode(bytes) as EventHead]
  const last = leading.findLastIndex((field) => WANTED.has(field.name))
  return [fingerprint, (bytes) => readLeading(bytes, leading.slice(0, last + 1))]
}

function readLeading(value: Uint8Array, fields: readonly Field[]): EventHead {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
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
