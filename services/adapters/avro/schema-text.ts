// The schemas of `schemas/` as they stand there.

import { readFileSync } from 'node:fs'

const SCHEMAS = new URL('../../../schemas/', import.meta.url)

/** `schemas/<name>.avsc`, parsed. */
export function schemaOf(name: string): object {
  return JSON.parse(readFileSync(new URL(`${name}.avsc`, SCHEMAS), 'utf8')) as object
}
