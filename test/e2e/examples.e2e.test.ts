// Every example of the OpenAPI document, sent to the service as a newcomer starts it, with the demo set's credentials.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { freePort, LOOPBACK } from '../../scripts/ports.ts'
import { startProcess, untilReady, type ServerProcess } from '../../scripts/processes.ts'
import { isReady, ROOT, serviceEnv } from './harness.ts'

interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query'
  readonly required?: boolean
  readonly schema: { readonly example?: string }
  readonly example?: string
}

interface Operation {
  readonly operationId: string
  readonly security: readonly Record<string, unknown>[]
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Record<string, { readonly examples: Record<string, { value: object }> }> }
  readonly responses: Record<string, object>
}

/** Who calls, by where: of the demo set. */
const CREDENTIALS: Readonly<Record<string, string>> = {
  '/financial': 'demo-acquirer:demo-acquirer-secret',
  '/api/app': 'demo-aspen:demo-aspen-secret-of-at-least-32-bytes!',
  '/v1': 'sk_e568c42a6c384b7ab02cd47d2e407cab:',
}
/** What a call gets that was not understood, not allowed, or not served. */
const NOT_ACCEPTED = [400, 401, 403, 405, 413, 415, 500, 503]

const folder = mkdtempSync(join(tmpdir(), 'examples-'))
let child: ServerProcess
let url: string

beforeAll(async () => {
  const port = await freePort()
  url = `http://${LOOPBACK}:${port}`
  const log = join(folder, 'embedded.log')
  child = await startProcess({
    name: 'embedded',
    command: process.execPath,
    args: [join(ROOT, 'services/embedded/main.ts')],
    env: serviceEnv({ PORT: String(port) }),
    log,
    stopWithinMs: 12_000,
  })
  await untilReady(child, log, 30_000, () => isReady(url))
})
afterAll(async () => {
  await child?.kill()
  rmSync(folder, { recursive: true, force: true })
})

it('accepts every example of its own document', async () => {
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, Operation>>
  }
  const refused: string[] = []
  let called = 0
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const bodies = Object.values(operation.requestBody?.content ?? {}).flatMap(({ examples }) =>
        Object.values(examples).map(({ value }) => value),
      )
      for (const body of bodies.length > 0 ? bodies : [undefined]) {
        const answer = await fetch(`${url}${filled(path, operation)}`, {
          method: method.toUpperCase(),
          headers: {
            ...(operation.security.length > 0 ? { authorization: basicFor(path) } : {}),
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        })
        const documented = String(answer.status) in operation.responses
        if (!documented || NOT_ACCEPTED.includes(answer.status)) {
          refused.push(`${method} ${path} ${JSON.stringify(body)}: ${answer.status} ${await answer.text()}`)
        }
        called += 1
      }
    }
  }
  expect(refused).toEqual([])
  expect(called).toBeGreaterThan(9)
})

/** The path with the example values of its parameters, and its query. */
function filled(path: string, { operationId, parameters = [] }: Operation): string {
  const query = new URLSearchParams()
  let full = path
  for (const { name, in: place, required, schema, example = schema.example } of parameters) {
    if (example === undefined && required !== true) continue
    if (example === undefined) throw new Error(`${operationId} has no example of ${name}`)
    if (place === 'path') full = full.replace(`{${name}}`, encodeURIComponent(example))
    else query.set(name, example)
  }
  return query.size === 0 ? full : `${full}?${query}`
}

function basicFor(path: string): string {
  const prefix = Object.keys(CREDENTIALS).find((start) => path.startsWith(start))
  if (prefix === undefined) throw new Error(`nobody of the demo set calls ${path}`)
  return `Basic ${Buffer.from(CREDENTIALS[prefix] ?? '').toString('base64')}`
}
