// Whether a schema may follow its released versions: new readers read old records, old readers read new ones (what
// registries call FULL_TRANSITIVE). avsc decides; what is written here finds the place and says what to do.

import avro, { type Type } from 'avsc'
import type { Schema } from './schema.ts'
import type { MessageSchemas } from './schema-folder.ts'

/** What forbids the present schemas, one sentence each; none when they may be released. */
export function problemsOf(messages: readonly MessageSchemas[]): readonly string[] {
  return [
    ...messages.flatMap(({ name, present, released }) =>
      released.flatMap((old) =>
        between(old, present).map((problem) => `schemas/${name}.avsc against version ${old.version}: ${problem}`),
      ),
    ),
    ...ambiguities(messages),
  ]
}

/** What keeps two versions of a message from reading each other. */
export function between(old: Schema, present: Schema): readonly string[] {
  return [
    ...unreadable(present, old, {
      missing: (field) => `${field} is new and has no default. Give it a type of ["null", …] and "default": null`,
      other: (place, was, is) =>
        `${place} was ${was} and is ${is}. Put the old type back; add another field for the new one`,
      direction: 'new readers cannot read old records',
    }),
    ...unreadable(old, present, {
      missing: (field) => `${field} is gone, and its older readers have no default for it. Put it back`,
      other: (place, is, was) =>
        `${place} was ${was} and is ${is}. Put the old type back; add another field for the new one`,
      direction: 'old readers cannot read new records',
    }),
  ]
}

interface Words {
  missing(field: string): string
  other(place: string, written: string, read: string): string
  readonly direction: string
}

function unreadable(reader: Schema, writer: Schema, words: Words): readonly string[] {
  try {
    reader.type.createResolver(writer.type)
    return []
  } catch (error) {
    const places = [...new Set(faults(reader.type, writer.type, reader.fullName, words, new Set()))]
    const found = places.length > 0 ? places : [error instanceof Error ? error.message.slice(0, 300) : 'unknown']
    return found.map((place) => `${words.direction}: ${place}.`)
  }
}

/** Where a record of the one type cannot be read as the other. */
function* faults(
  reader: Type,
  writer: Type,
  place: string,
  words: Words,
  within: ReadonlySet<Type>,
): Generator<string, void, undefined> {
  if (within.has(reader)) return
  const deeper = new Set([...within, reader])
  if (avro.Type.isType(writer, 'union')) {
    for (const branch of branchesOf(writer)) yield* faults(reader, branch, place, words, within)
  } else if (avro.Type.isType(reader, 'union')) {
    if (branchesOf(reader).some((branch) => reads(branch, writer))) return
    const same = branchesOf(reader).find((branch) => branch.branchName === writer.branchName)
    if (same) yield* faults(same, writer, place, words, deeper)
    else yield words.other(place, nameOf(writer), nameOf(reader))
  } else if (reader instanceof avro.types.RecordType && writer instanceof avro.types.RecordType) {
    if (reader.name !== writer.name) yield words.other(place, nameOf(writer), nameOf(reader))
    for (const field of reader.fields) {
      const written = writer.fields.find(({ name }) => name === field.name)
      if (written) yield* faults(field.type, written.type, `${place}.${field.name}`, words, deeper)
      else if (field.defaultValue() === undefined) yield words.missing(`${place}.${field.name}`)
    }
  } else if (reader instanceof avro.types.ArrayType && writer instanceof avro.types.ArrayType) {
    yield* faults(reader.itemsType, writer.itemsType, `${place}[]`, words, deeper)
  } else if (!reads(reader, writer)) yield words.other(place, nameOf(writer), nameOf(reader))
}

function branchesOf(union: Type): readonly Type[] {
  return (union as avro.types.UnwrappedUnionType).types
}

function reads(reader: Type, writer: Type): boolean {
  try {
    reader.createResolver(writer)
    return true
  } catch {
    return false
  }
}

function nameOf(type: Type): string {
  return avro.Type.isType(type, 'union')
    ? branchesOf(type).map(nameOf).join(' or ')
    : String(type.name ?? type.typeName)
}

/** A fingerprint must lead to one form, and a record's name to one message. */
function ambiguities(messages: readonly MessageSchemas[]): readonly string[] {
  const forms = new Map<string, string>()
  const names = new Map<string, string>()
  const found: string[] = []
  for (const { name, present, released } of messages) {
    for (const { fingerprint, canonical, fullName } of [...released, present]) {
      if ((forms.get(fingerprint) ?? canonical) !== canonical)
        found.push(`schemas/${name}.avsc has the fingerprint ${fingerprint} of another schema. Change a field's name`)
      if ((names.get(fullName) ?? name) !== name)
        found.push(
          `schemas/${name}.avsc and schemas/${names.get(fullName)}.avsc are both ${fullName}. Rename the newer one`,
        )
      forms.set(fingerprint, canonical)
      names.set(fullName, name)
    }
  }
  return [...new Set(found)]
}
