// The rows of exported files: a record of a topic as it was, its value as a typed datum that any Avro tool shows, next
// to what makes the value's bytes whole again. Only the layout; reading and writing stand beside.

import { ownDictionary, type Dictionary } from './dictionary.ts'
import { HEADER_BYTES, MAX_MESSAGE_BYTES, singleObjectFingerprint } from './single-object.ts'

/** Messages whose values stand typed in a file of a topic. Others, and what is no message at all, stand as bytes. */
const MESSAGES = ['decision-event', 'refusal-event', 'rules-event', 'epoch-event', 'checkpoint'] as const
/** Places in the union of values that are no types of ours. */
export const NO_VALUE = 0
export const FOREIGN_VALUE = 1
const FIRST_TYPE = 2

export interface TypedValue {
  /** Place in the union. */
  readonly branch: number
  /** Bytes of the value that stand before its datum. */
  readonly framingBytes: number
}

export interface RowLayout {
  readonly schema: object
  /** How a value stands in a row. */
  typed(value: Uint8Array | null): TypedValue
}

/** The layout of files written now: a type for each version of a message. Files carry their schema, so that older ones stay readable. */
export function rowLayout(dictionary: Dictionary = ownDictionary()): RowLayout {
  const types = MESSAGES.flatMap((name) => dictionary.readersOf(name))
  const branches = new Map(types.map((reader, i) => [reader.schema.fingerprint, { reader, branch: FIRST_TYPE + i }]))
  const schema = {
    type: 'record',
    name: 'ExportedRecord',
    namespace: 'payment.token.export',
    doc: 'A record of a topic. Its value is `framing` followed by the Avro encoding of `value`, but for foreign bytes.',
    fields: [
      { name: 'partition', type: 'int' },
      { name: 'offset', type: 'long' },
      { name: 'timestamp', type: { type: 'long', logicalType: 'timestamp-millis' } },
      { name: 'key', type: ['null', 'string'] },
      { name: 'headers', type: { type: 'map', values: 'string' } },
      { name: 'framing', type: 'bytes', doc: 'What stands before the datum in the record.' },
      { name: 'datumBytes', type: 'int', doc: 'Bytes of the datum that follows, for readers that skip it.' },
      {
        name: 'value',
        type: [
          'null',
          'bytes',
          // Two messages, and two versions of one, use the same names for their parts: each has a namespace of its own.
          ...types.map(({ schema: { text, fingerprint } }) => ({
            ...(JSON.parse(text) as object),
            namespace: `payment.token.f${fingerprint}`,
          })),
        ],
      },
    ],
  }
  return {
    schema,
    typed(value) {
      if (!value) return { branch: NO_VALUE, framingBytes: 0 }
      if (value.byteLength > MAX_MESSAGE_BYTES) return { branch: FOREIGN_VALUE, framingBytes: 0 }
      const known = branches.get(singleObjectFingerprint(value) ?? '')
      // A file must be whole for every tool: what does not decode stands as bytes.
      if (!known || !isWhole(() => known.reader.read(value))) return { branch: FOREIGN_VALUE, framingBytes: 0 }
      return { branch: known.branch, framingBytes: HEADER_BYTES }
    },
  }
}

function isWhole(decode: () => object): boolean {
  try {
    decode()
    return true
  } catch {
    return false
  }
}
