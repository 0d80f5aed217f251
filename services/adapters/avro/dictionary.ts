// Which schema a message was written with, by fingerprint, and how it is read as the present one: the present schemas,
// every released one, and those that a registry told of. Does no I/O beyond reading the folder once.

import type { Type } from 'avsc'
import { MalformedRecordError } from '../../ports/wire.ts'
import { readSchemaFolder, type MessageSchemas } from './schema-folder.ts'
import { problemsOf } from './compatibility.ts'
import { parseSchema, SchemaError, type Schema } from './schema.ts'
import { fingerprintOf, HEADER_BYTES, headerOf, singleObjectFingerprint } from './single-object.ts'
import { codecOf, Tap, type Codec } from './tap.ts'

/** Schemas of newer releases that a process gets to know while it runs: a handful, unless somebody plays tricks. */
const MAX_LEARNED = 200
const SCRATCH_BYTES = 8_192

/** One message type, as it is written now. */
export interface MessageType {
  readonly name: string
  readonly fingerprint: string
  /** In single-object encoding. */
  encode(value: object): Uint8Array
}

/** How a message of one schema is read. */
export interface MessageReader {
  readonly message: string
  readonly schema: Schema
  /** The value as the present schema has it; what is null is absent. @throws MalformedRecordError */
  read(bytes: Uint8Array): object
}

export class Dictionary {
  readonly #present: ReadonlyMap<string, Schema>
  readonly #readers = new Map<string, MessageReader>()
  #learned = 0

  /** @throws SchemaError when two versions cannot read each other. */
  constructor(messages: readonly MessageSchemas[]) {
    const [problem] = problemsOf(messages)
    if (problem !== undefined) throw new SchemaError(problem)
    this.#present = new Map(messages.map(({ name, present }) => [name, present]))
    for (const { name, present, released } of messages) {
      for (const schema of [...released, present])
        this.#readers.set(schema.fingerprint, readerOf(name, present, schema))
    }
  }

  /** The present schemas: what this process writes. */
  get written(): readonly Schema[] {
    return [...this.#present.values()]
  }

  /** @throws SchemaError when there is no such file. */
  messageType(name: string): MessageType {
    const schema = this.#present.get(name)
    if (!schema) throw new SchemaError(`there is no schemas/${name}.avsc`)
    return { name, fingerprint: schema.fingerprint, encode: encoderOf(schema) }
  }

  reader(fingerprint: string): MessageReader | undefined {
    return this.#readers.get(fingerprint)
  }

  /** The schema file of a message's value, as it was written; undefined when it is none of ours. */
  schemaTextOf(value: Uint8Array | null): { readonly fingerprint: string; readonly text: string } | undefined {
    const fingerprint = value && singleObjectFingerprint(value)
    const reader = fingerprint ? this.#readers.get(fingerprint) : undefined
    return reader && { fingerprint: reader.schema.fingerprint, text: reader.schema.text }
  }

  /** How messages of one kind are read, oldest version first; what was learned comes last. */
  readersOf(name: string): readonly MessageReader[] {
    return [...this.#readers.values()].filter(({ message }) => message === name)
  }

  /**
   * The reader for the schema that the bytes name.
   * @throws MalformedRecordError when they are no message of one of these, or of a version that is not known.
   */
  find(value: Uint8Array | null, names: ReadonlySet<string>, maxBytes?: number): MessageReader {
    const fingerprint = fingerprintOf(value, maxBytes)
    const reader = this.#readers.get(fingerprint)
    if (!reader) {
      throw new MalformedRecordError(
        `no schema with the fingerprint ${fingerprint} is known here: if a newer release wrote it, run that release here, then publish it again`,
      )
    }
    if (names.has(reader.message)) return reader
    throw new MalformedRecordError(`a message of ${reader.message}, not of ${[...names].join(', ')}`)
  }

  /** Reads messages of these kinds, of any version. What it gives throws MalformedRecordError. */
  decoder(messages: readonly MessageType[], maxBytes?: number): (value: Uint8Array | null) => object {
    const names = new Set(messages.map(({ name }) => name))
    return (value) => this.find(value, names, maxBytes).read(value as Uint8Array)
  }

  /**
   * Get to know a schema that another release of this project writes.
   * @throws SchemaError when it is no message of ours, cannot be read as one, or must not be decoded.
   */
  learn(text: string): MessageReader {
    const schema = parseSchema(text)
    const known = this.#readers.get(schema.fingerprint)
    if (known?.schema.canonical === schema.canonical) return known
    const [name, present] = [...this.#present].find(([, own]) => own.fullName === schema.fullName) ?? []
    if (known || name === undefined || present === undefined)
      throw new SchemaError(`${schema.fullName} is no message of ours`)
    if (this.#learned >= MAX_LEARNED) throw new SchemaError(`more than ${MAX_LEARNED} schemas of other releases`)
    const reader = readerOf(name, present, schema)
    this.#learned++
    this.#readers.set(schema.fingerprint, reader)
    return reader
  }
}

let own: Dictionary | undefined

/** The dictionary of `schemas/`, read once a process: what one part learns, all others know. */
export function ownDictionary(): Dictionary {
  own ??= new Dictionary(readSchemaFolder())
  return own
}

function encoderOf({ type, fingerprint }: Schema): MessageType['encode'] {
  const header = headerOf(fingerprint)
  const scratch = Buffer.alloc(SCRATCH_BYTES)
  header.copy(scratch)
  const codec = codecOf(type)
  const tap = new Tap(scratch, HEADER_BYTES)
  return (value) => {
    tap.pos = HEADER_BYTES
    codec._write(tap, value)
    if (tap.isValid()) return Buffer.from(scratch.subarray(0, tap.pos))
    return Buffer.concat([header, type.toBuffer(value)])
  }
}

/** @throws SchemaError */
function readerOf(message: string, present: Schema, schema: Schema): MessageReader {
  const { type } = present
  const codec = schema.canonical === present.canonical ? codecOf(type) : resolverOf(message, type, schema)
  return {
    message,
    schema,
    read(bytes) {
      try {
        return readDatum(codec, bytes)
      } catch {
        throw new MalformedRecordError(`not a datum of ${message}`)
      }
    },
  }
}

/** @throws Error unless the datum takes all the bytes after the header. */
function readDatum(codec: Pick<Codec, '_read'>, bytes: Uint8Array): object {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const tap = new Tap(buffer, HEADER_BYTES)
  const value = codec._read(tap) as object
  if (tap.pos !== buffer.length) throw new RangeError('another length')
  return value
}

function resolverOf(message: string, present: Type, schema: Schema): Pick<Codec, '_read'> {
  try {
    return present.createResolver(schema.type) as unknown as Pick<Codec, '_read'>
  } catch {
    throw new SchemaError(`a schema of ${message} that this release cannot read`)
  }
}
