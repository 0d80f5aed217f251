// A schema registry over real HTTP, as Confluent documents its interface: statuses and error codes included. Subjects are
// held to FULL_TRANSITIVE.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { between } from '../../../services/adapters/avro/compatibility.ts'
import { parseSchema } from '../../../services/adapters/avro/schema.ts'

export interface RegistryServer {
  readonly url: string
  /** `METHOD path` of every request. */
  readonly requests: string[]
  readonly contentTypes: (string | undefined)[]
  /** Answer the next requests with this status, and this body if there is one. */
  fail(count: number, status: number, body?: string): void
  /** Take requests and never answer, until it is told to. */
  hang(yes: boolean): void
  /** Put a schema of any kind there. */
  put(id: number, answer: object): void
  /** Ids by subject, oldest first. */
  subjects(): Readonly<Record<string, readonly number[]>>
  close(): Promise<void>
}

interface Options {
  /** `user:password` that is needed. */
  readonly credentials?: string
}

const TYPE = 'application/vnd.schemaregistry.v1+json'

export async function registryServer({ credentials }: Options = {}): Promise<RegistryServer> {
  const answers = new Map<number, object>()
  const bySchema = new Map<string, number>()
  const bySubject = new Map<string, number[]>()
  const requests: string[] = []
  const contentTypes: (string | undefined)[] = []
  const failures: { status: number; body?: string }[] = []
  let hanging = false

  const textOf = (id: number) => (answers.get(id) as { schema: string }).schema

  function answer(request: IncomingMessage, body: string): readonly [number, object] {
    if (credentials && request.headers.authorization !== `Basic ${Buffer.from(credentials).toString('base64')}`)
      return [401, { error_code: 401, message: 'Unauthorized' }]
    const [, first, second, third] = (request.url ?? '').split('/').map(decodeURIComponent)
    if (request.method === 'GET' && first === 'schemas' && second === 'types') return [200, ['AVRO'] as object]
    if (request.method === 'GET' && first === 'schemas') {
      const found = answers.get(Number(third))
      return found ? [200, found] : [404, { error_code: 40403, message: 'Schema not found' }]
    }
    const { schema } = JSON.parse(body) as { schema: string }
    if (third === 'versions') return registered(second as string, schema)
    const ids = bySubject.get(second as string)
    if (!ids) return [404, { error_code: 40401, message: `Subject '${second}' not found.` }]
    const found = ids.find((id) => textOf(id) === schema)
    if (found === undefined) return [404, { error_code: 40403, message: 'Schema not found' }]
    return [200, { subject: second, id: found, version: ids.indexOf(found) + 1, schema }]
  }

  function registered(subject: string, schema: string): readonly [number, object] {
    let parsed
    try {
      parsed = parseSchema(schema)
    } catch {
      return [422, { error_code: 42201, message: 'Invalid schema' }]
    }
    const ids = bySubject.get(subject) ?? []
    const wrong = ids.flatMap((id) => between(parseSchema(textOf(id)), parsed))
    if (wrong.length > 0) {
      const message = `Schema being registered is incompatible with an earlier schema for subject "${subject}", details: ${wrong.join(' ')}`
      return [409, { error_code: 409, message }]
    }
    const id = bySchema.get(schema) ?? Math.max(0, ...answers.keys()) + 1
    bySchema.set(schema, id)
    answers.set(id, { schema })
    if (!ids.includes(id)) bySubject.set(subject, [...ids, id])
    return [200, { id }]
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    requests.push(`${request.method} ${request.url}`)
    contentTypes.push(request.headers['content-type'])
    if (hanging) return
    const failure = failures.shift()
    if (failure) {
      response.writeHead(failure.status, { 'content-type': TYPE })
      response.end(failure.body ?? JSON.stringify({ error_code: failure.status * 100 + 1, message: 'Injected' }))
      return
    }
    const [status, body] = answer(request, Buffer.concat(chunks).toString())
    response.writeHead(status, { 'content-type': TYPE }).end(JSON.stringify(body))
  }

  const server = createServer((request, response) => void serve(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    contentTypes,
    fail: (count, status, body) => {
      for (let n = 0; n < count; n++) failures.push({ status, ...(body === undefined ? {} : { body }) })
    },
    hang: (yes) => void (hanging = yes),
    put: (id, given) => void answers.set(id, given),
    subjects: () => Object.fromEntries(bySubject),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
