#!/usr/bin/env node
// Checks an inclusion proof of the payment-token service offline: node check.mjs PROOF.json PUBLIC-KEYS.json
// Needs Node 20 or newer and nothing else. It trusts the public keys that it is given and nothing in the proof.
// Exit codes: 0 proved, 1 not proved, 2 it could not be checked.

import { createHash, createPublicKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const FORM = 'payment-token-service inclusion proof 1'
const CHECKPOINT_FORM = 'payment-token-service checkpoint 1'
const ED25519_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')
const MAX_PATH = 32

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()
const bytes = (text) => Buffer.from(text, 'base64')

function u32(value) {
  const buffer = Buffer.alloc(4)
  buffer.writeUInt32BE(value)
  return buffer
}

function lengthed(text) {
  const utf8 = Buffer.from(text, 'utf8')
  return Buffer.concat([u32(utf8.length), utf8])
}

/** 00, offset, key, headers by name, SHA-256 of the value: what a checkpoint covers of a record. */
function leafOf({ offset, key, headers, value }) {
  const place = Buffer.alloc(8)
  place.writeBigUInt64BE(BigInt(offset))
  const names = Object.keys(headers).sort()
  return sha256(
    Buffer.of(0),
    place,
    key === null ? u32(0xffffffff) : lengthed(key),
    u32(names.length),
    ...names.flatMap((name) => [lengthed(name), lengthed(headers[name])]),
    value === null ? Buffer.alloc(32) : sha256(bytes(value)),
  )
}

/** RFC 9162, section 2.1.3.2. */
function rootOf(leaf, index, leaves, path) {
  let [node, last, root] = [index, leaves - 1, leaf]
  for (const text of path) {
    if (last === 0) return null
    const sibling = bytes(text)
    if (node % 2 === 1 || node === last) {
      root = sha256(Buffer.of(1), sibling, root)
      while (node % 2 === 0 && node !== 0) [node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
    } else root = sha256(Buffer.of(1), root, sibling)
    ;[node, last] = [Math.floor(node / 2), Math.floor(last / 2)]
  }
  return last === 0 ? root : null
}

/** The facts of a checkpoint's signed text: one a line. */
function readCheckpoint(text) {
  const [form, ...lines] = text.split('\n')
  if (form !== CHECKPOINT_FORM) throw new Error('the checkpoint has another form: ask for a newer checker')
  const facts = Object.fromEntries(lines.filter((line) => !line.startsWith('range ')).map((line) => line.split(' ')))
  const ranges = lines
    .filter((line) => line.startsWith('range '))
    .map((line) => line.split(' '))
    .map(([, partition, first, next, records, root]) => ({ partition, first, next, records: Number(records), root }))
  return { ...facts, ranges }
}

/** What is not as it must be, or null. */
function problemOf({ topic, partition, offset, index, path, checkpoint, ...record }, keys) {
  const facts = readCheckpoint(checkpoint.text)
  const key = keys.find(({ id }) => id === facts.key)
  if (!key) return `the checkpoint is signed with key ${facts.key}, which is none of the public keys given`
  const der = Buffer.concat([ED25519_PREFIX, bytes(key.key)])
  const publicKey = createPublicKey({ key: der, format: 'der', type: 'spki' })
  if (!verify(null, Buffer.from(checkpoint.text), publicKey, bytes(checkpoint.signature))) return 'wrong signature'
  if (facts.topic !== topic) return 'the checkpoint is of another topic'
  const range = facts.ranges.find((one) => one.partition === String(partition))
  if (!range || BigInt(offset) < BigInt(range.first) || BigInt(offset) >= BigInt(range.next)) {
    return 'the checkpoint does not cover the record'
  }
  if (!Number.isSafeInteger(index) || index < 0 || index >= range.records || path.length > MAX_PATH) {
    return 'the path fits no tree of that size'
  }
  const root = rootOf(leafOf({ offset, ...record }), index, range.records, path)
  return root !== null && root.equals(Buffer.from(range.root, 'base64url'))
    ? null
    : 'the record is not the one that was signed'
}

/** Decodes a value by its schema, so that what was proved can be read. Avro 1.11, the parts that events use. */
function decode(schema, value) {
  let at = 10
  const names = new Map()
  const long = () => {
    let [result, factor] = [0n, 1n]
    for (;;) {
      const byte = BigInt(value[at++] ?? 255)
      if (at > value.length) throw new Error('the value ends too soon')
      result += (byte & 127n) * factor
      factor *= 128n
      if (byte < 128n) return Number(result & 1n ? -(result + 1n) / 2n : result / 2n)
    }
  }
  const take = () => {
    const length = long()
    if (length < 0 || at + length > value.length) throw new Error('the value ends too soon')
    return value.subarray(at, (at += length))
  }
  const read = (type) => {
    if (Array.isArray(type)) return read(type[long()])
    const name = typeof type === 'string' ? type : type.type
    if (name === 'null') return undefined
    if (name === 'string') return take().toString('utf8')
    if (name === 'bytes') return take().toString('base64')
    if (name === 'long' || name === 'int') return long()
    if (name === 'boolean') return value[at++] === 1
    if (name === 'array' || name === 'map') {
      const items = []
      for (let count = long(); count !== 0; count = long()) {
        if (count < 0) long()
        for (let left = Math.abs(count); left > 0; left--) {
          items.push(name === 'array' ? read(type.items) : [take().toString('utf8'), read(type.values)])
        }
      }
      return name === 'array' ? items : Object.fromEntries(items)
    }
    if (name === 'record') return Object.fromEntries(type.fields.map((field) => [field.name, read(field.type)]))
    const known = names.get(String(name).split('.').at(-1))
    if (!known) throw new Error('the schema names a type that it does not have')
    return read(known)
  }
  // Every named type has to be known before it is met: a union may skip the place where it stands.
  const collect = (type) => {
    if (Array.isArray(type)) return type.forEach(collect)
    if (type === null || typeof type !== 'object') return
    if (type.name && type.fields) names.set(type.name, type)
    for (const part of [type.items, type.values, typeof type.type === 'object' ? type.type : null]) collect(part)
    for (const field of type.fields ?? []) collect(field.type)
  }
  collect(schema)
  const decoded = read(schema)
  if (at !== value.length) throw new Error('the value goes on where it must end')
  return decoded
}

/**
 * @param {any} proof what `prove` printed, parsed
 * @param {readonly { id: string, key: string }[]} keys public keys: 32 bytes in base64 each
 */
export function checkProof(proof, keys) {
  if (proof?.form !== FORM || !Array.isArray(proof.records) || proof.records.length === 0) {
    throw new Error('this is no inclusion proof of this form')
  }
  const records = proof.records.map((record) => {
    const problem = problemOf(record, keys)
    const schema =
      record.value === null ? undefined : proof.schemas?.[bytes(record.value).subarray(2, 10).toString('hex')]
    return {
      place: `${record.topic} ${record.partition}/${record.offset}`,
      problem,
      signedAt: readCheckpoint(record.checkpoint.text)['signed-at'] ?? '',
      // Only what was proved is shown.
      event: problem === null && schema !== undefined ? decode(JSON.parse(schema), bytes(record.value)) : null,
      // The proof brings the schema: whoever wants to be sure compares this with the file of the release.
      schemaSha256: schema === undefined ? null : sha256(schema).toString('hex'),
    }
  })
  return { proved: records.every(({ problem }) => problem === null), records }
}

function main([proofFile, keysFile]) {
  if (!proofFile || !keysFile) throw new Error('usage: node check.mjs PROOF.json PUBLIC-KEYS.json')
  const [proof, keys] = [proofFile, keysFile].map((file) => JSON.parse(readFileSync(file, 'utf8')))
  const { proved, records } = checkProof(proof, keys)
  for (const { place, problem, signedAt, event, schemaSha256 } of records) {
    console.log(problem === null ? `PROVED ${place}, signed at ${signedAt}` : `NOT PROVED ${place}: ${problem}`)
    if (event) console.log(`read by the schema with SHA-256 ${schemaSha256}:\n${JSON.stringify(event, null, 2)}`)
  }
  return proved ? 0 : 1
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    process.exitCode = main(process.argv.slice(2))
  } catch (error) {
    console.error(
      error instanceof SyntaxError
        ? 'a file is no JSON'
        : error instanceof Error
          ? error.message
          : 'it could not be checked',
    )
    process.exitCode = 2
  }
}
