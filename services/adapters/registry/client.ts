// A schema registry over HTTP, as Confluent documents its interface: register and look up under a subject, read by id.
// Bounded in time, attempts and bytes. Keeps nothing.

import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'

export interface RegistryConnection {
  /** Without user name and password; may have a path. */
  readonly url: string
  readonly auth?: { readonly username: string; readonly password: string }
  /** How long one request may take, milliseconds. */
  readonly timeoutMs: number
}

/** What went wrong, for those who can do something about it; a message never quotes an address or a credential. */
export type RegistryFault =
  /** No answer, or one that says that it cannot answer now. */
  | 'unreachable'
  /** The credentials are not taken, or not for this. */
  | 'forbidden'
  /** The schema breaks the compatibility that the subject is held to. */
  | 'incompatible'
  /** The subject, or the schema under it, or the id is not there. */
  | 'absent'
  /** Anything else. */
  | 'refused'

export class RegistryError extends Error {
  override readonly name = 'RegistryError'
  readonly fault: RegistryFault

  constructor(fault: RegistryFault, message: string) {
    super(message)
    this.fault = fault
  }
}

export interface RegistryClient {
  /** The id of a schema that is registered under the subject. @throws RegistryError `absent` when it is not */
  lookUp(subject: string, schema: string): Promise<number>
  /** Registers; the id is the same when it was registered before. @throws RegistryError */
  register(subject: string, schema: string): Promise<number>
  /** The Avro schema of an id. @throws RegistryError `absent` when there is none, or it is of another kind */
  schemaOf(id: number): Promise<string>
  /** Resolves when the registry answers. @throws RegistryError */
  ping(): Promise<void>
}

const ATTEMPTS = 3
/** Before the second attempt; doubled before the third. */
const RETRY_MS = 100
/** Of an answer; a schema of ours has some 20,000. */
const MAX_ANSWER_BYTES = 1_048_576
const MAX_REASON = 300
const CONTENT_TYPE = 'application/vnd.schemaregistry.v1+json'
/** Statuses that a later attempt may change: too many requests, and what the registry's own store could not do. */
const TRY_AGAIN: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504])

const idAnswer = z.object({ id: z.int().min(0).max(0xffffffff) })
const schemaAnswer = z.object({
  schema: z.string(),
  schemaType: z.string().default('AVRO'),
  references: z.array(z.unknown()).default([]),
})
const errorAnswer = z.object({ error_code: z.int(), message: z.string().default('') })

interface Answer {
  readonly status: number
  readonly body: unknown
}

export function createRegistryClient(connection: RegistryConnection): RegistryClient {
  const ask = (method: 'GET' | 'POST', path: string, body?: object) => askAgain(connection, method, path, body)
  const post = async (path: string, schema: string) => parsed(idAnswer, await ask('POST', path, { schema })).id
  return {
    lookUp: (subject, schema) => post(`/subjects/${encodeURIComponent(subject)}`, schema),
    register: (subject, schema) => post(`/subjects/${encodeURIComponent(subject)}/versions`, schema),
    async schemaOf(id) {
      const { schema, schemaType, references } = parsed(schemaAnswer, await ask('GET', `/schemas/ids/${id}`))
      if (schemaType !== 'AVRO') throw new RegistryError('absent', `schema ${id} is no Avro schema`)
      if (references.length > 0) throw new RegistryError('absent', `schema ${id} refers to others, which ours never do`)
      return schema
    },
    async ping() {
      await ask('GET', '/schemas/types')
    },
  }
}

async function askAgain(
  connection: RegistryConnection,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    try {
      const answer = await askOnce(connection, method, path, body)
      if (answer.status < 300) return answer.body
      throw faultOf(answer)
    } catch (error) {
      const { fault } = error as RegistryError
      if (fault !== 'unreachable' || attempt === ATTEMPTS) throw error
      await sleep(RETRY_MS * 2 ** (attempt - 1))
    }
  }
}

async function askOnce(
  { url, auth, timeoutMs }: RegistryConnection,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
): Promise<Answer> {
  try {
    const response = await fetch(`${url.replace(/\/+$/, '')}${path}`, {
      method,
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        accept: `${CONTENT_TYPE}, application/json`,
        ...(body ? { 'content-type': CONTENT_TYPE } : {}),
        ...(auth ? { authorization: basic(auth.username, auth.password) } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    return { status: response.status, body: jsonOf(await textOf(response)) }
  } catch (error) {
    if (error instanceof RegistryError) throw error
    throw new RegistryError(
      'unreachable',
      `the schema registry (SCHEMA_REGISTRY_URL) does not answer: ${causeOf(error, timeoutMs)}`,
    )
  }
}

/** @throws RegistryError when there is more of it than there should be. */
async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > MAX_ANSWER_BYTES)
      throw new RegistryError('refused', `the schema registry answers with more than ${MAX_ANSWER_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function parsed<T>(shape: z.ZodType<T>, body: unknown): T {
  const result = shape.safeParse(body)
  if (result.success) return result.data
  throw new RegistryError('refused', 'the answer is not that of a schema registry: is SCHEMA_REGISTRY_URL right?')
}

/** By the status; the registry's own code and words tell people more. */
function faultOf({ status, body }: Answer): RegistryError {
  const told = errorAnswer.safeParse(body)
  const words = told.success ? `, ${told.data.error_code} ${printable(told.data.message)}` : ''
  const reason = `the schema registry answers ${status}${words}`
  if (status === 401 || status === 403) {
    return new RegistryError('forbidden', `${reason}: look at SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD`)
  }
  if (status === 404 && told.success) return new RegistryError('absent', reason)
  if (status === 409) return new RegistryError('incompatible', reason)
  return new RegistryError(TRY_AGAIN.has(status) ? 'unreachable' : 'refused', reason)
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, MAX_REASON)
}

function causeOf(error: unknown, timeoutMs: number): string {
  const { name, cause } = error as { readonly name?: string; readonly cause?: { readonly code?: unknown } }
  if (name === 'TimeoutError') return `not within ${timeoutMs} ms`
  return typeof cause?.code === 'string' ? cause.code : 'no connection'
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`
}
