// Folders of schemas for the tests, in a temporary place.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { freeze, readSchemaFolder } from '../../../services/adapters/avro/schema-folder.ts'

export interface Field {
  readonly name: string
  readonly type: unknown
  readonly default?: unknown
  readonly doc?: string
}

export const recordOf = (name: string, fields: readonly Field[]) => ({ type: 'record', name, fields })
export const textOf = (fields: readonly Field[], name = 'test.Message') => JSON.stringify(recordOf(name, fields))

export interface SchemaPlace {
  readonly url: URL
  /** Write the present schema of a message. */
  put(name: string, text: string): void
  /** Release what is there now. */
  release(): void
  remove(): void
}

export function schemaPlace(): SchemaPlace {
  const path = mkdtempSync(join(tmpdir(), 'schemas-'))
  mkdirSync(join(path, 'released'))
  const url = pathToFileURL(`${path}/`)
  return {
    url,
    put: (name, text) => writeFileSync(new URL(`${name}.avsc`, url), text),
    release: () => void freeze(url, readSchemaFolder(url)),
    remove: () => rmSync(path, { recursive: true, force: true }),
  }
}
