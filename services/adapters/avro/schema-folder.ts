// The folder `schemas/`: one file a message as it is now, and under `released/` every version that was ever released,
// with an index of their fingerprints. Reads and freezes; judges nothing.

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import { parseSchema, SchemaError, type Schema } from './schema.ts'

const SUFFIX = '.avsc'
const RELEASED = 'released/'
const INDEX = 'released/index.json'

/** The schemas of this project. */
export const SCHEMAS = new URL('../../../schemas/', import.meta.url)

export interface ReleasedSchema extends Schema {
  /** From 1, without a gap. */
  readonly version: number
}

/** A message: its file's name without the suffix, its schema now, and the released ones, oldest first. */
export interface MessageSchemas {
  readonly name: string
  readonly present: Schema
  readonly released: readonly ReleasedSchema[]
}

const indexShape = z.record(z.string(), z.array(z.object({ version: z.int(), fingerprint: z.string() })))
type Index = z.infer<typeof indexShape>

/** @throws SchemaError when a file is no schema, or is not what the index says of it. */
export function readSchemaFolder(folder: URL = SCHEMAS): readonly MessageSchemas[] {
  const index = readIndex(folder)
  const names = readdirSync(folder)
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length))
  const gone = Object.keys(index).filter((name) => !names.includes(name))
  if (gone.length > 0) {
    throw new SchemaError(
      `schemas/${gone[0]}${SUFFIX} is gone, but was released: put it back, old records are read with it`,
    )
  }
  return names.map((name) => ({
    name,
    present: readSchema(folder, `${name}${SUFFIX}`),
    released: (index[name] ?? []).map((entry, place) => readReleased(folder, name, entry, place)),
  }))
}

/**
 * Keep the present schemas as released versions, those that are not yet.
 * @returns what was frozen
 */
export function freeze(folder: URL, messages: readonly MessageSchemas[]): readonly ReleasedSchema[] {
  const index: Index = readIndex(folder)
  const frozen = messages.filter(isUnreleased).map(({ name, present, released }) => {
    const version = released.length + 1
    mkdirSync(new URL(`${RELEASED}${name}/`, folder), { recursive: true })
    writeWhole(new URL(`${RELEASED}${name}/${version}${SUFFIX}`, folder), present.text)
    index[name] = [...(index[name] ?? []), { version, fingerprint: present.fingerprint }]
    return { ...present, version }
  })
  if (frozen.length > 0) {
    const sorted = Object.entries(index).sort(([a], [b]) => (a < b ? -1 : 1))
    writeWhole(new URL(INDEX, folder), `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`)
  }
  return frozen
}

/** Whether messages written now have a form that no released version has. */
export function isUnreleased({ present, released }: MessageSchemas): boolean {
  return released.every(({ fingerprint }) => fingerprint !== present.fingerprint)
}

function readReleased(folder: URL, name: string, entry: Index[string][number], place: number): ReleasedSchema {
  const file = `${RELEASED}${name}/${entry.version}${SUFFIX}`
  if (entry.version !== place + 1) throw new SchemaError(`${INDEX}: version ${place + 1} of ${name} is not there`)
  const schema = readSchema(folder, file)
  if (schema.fingerprint !== entry.fingerprint) {
    throw new SchemaError(
      `schemas/${file} was changed: its fingerprint is ${schema.fingerprint}, released was ${entry.fingerprint}. Put it back; change schemas/${name}${SUFFIX} instead`,
    )
  }
  return { ...schema, version: entry.version }
}

function readSchema(folder: URL, file: string): Schema {
  let text: string
  try {
    text = readFileSync(new URL(file, folder), 'utf8')
  } catch (error) {
    throw new SchemaError(`schemas/${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`)
  }
  try {
    return parseSchema(text)
  } catch (error) {
    if (error instanceof SchemaError) throw new SchemaError(`schemas/${file}: ${error.message}`)
    throw error
  }
}

function readIndex(folder: URL): Index {
  const file = new URL(INDEX, folder)
  if (!existsSync(file)) return {}
  try {
    return indexShape.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    throw new SchemaError(`schemas/${INDEX} is no index of released schemas: take it from version control`)
  }
}

/** A cut leaves the old file or the new one. */
function writeWhole(file: URL, text: string): void {
  const unfinished = new URL(`${file.href}.new`)
  writeFileSync(unfinished, text)
  renameSync(unfinished, file)
}
