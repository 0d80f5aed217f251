import { validate } from '@readme/openapi-parser'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { routesOfTree } from '../../../scripts/docs-tables.ts'
import { openApiPath } from '../../../services/ingress/openapi/document.ts'
import { PAGE_PREFIX } from '../../../services/ingress/openapi/routes.ts'
import { startIngress } from '../harness.ts'

interface Operation {
  readonly operationId: string
  readonly requestBody?: { readonly content: Record<string, { readonly examples?: object }> }
}

let app: FastifyInstance
let document: { openapi: string; paths: Record<string, Record<string, Operation>> }

beforeAll(async () => {
  ;({ app } = await startIngress())
  document = (await app.inject('/openapi.json')).json()
})
afterAll(() => app.close())

describe('the OpenAPI document', () => {
  it('is valid OpenAPI 3.1', async () => {
    expect(document.openapi).toBe('3.1.0')
    expect(await validate(structuredClone(document) as never)).toMatchObject({ valid: true })
  })

  it('describes every route that is served, and serves every one that it describes', () => {
    const served = routesOfTree(app.printRoutes({ commonPrefix: false })).filter(
      (route) => !route.includes(` ${PAGE_PREFIX}`),
    )
    const described = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(described.sort()).toEqual(served.map(openApiPath).sort())
    expect(described.length).toBeGreaterThan(5)
  })

  it('names each operation once', () => {
    const ids = operations().map(({ operationId }) => operationId)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('has an example for every operation that takes a body', () => {
    const without = operations().filter(({ requestBody }) =>
      Object.values(requestBody?.content ?? {}).some(({ examples = {} }) => Object.keys(examples).length === 0),
    )
    expect(without.map(({ operationId }) => operationId)).toEqual([])
  })

  const operations = () => Object.values(document.paths).flatMap((path) => Object.values(path))
})

describe('the page at /docs', () => {
  it('is served with a policy that lets nothing in from elsewhere', async () => {
    const page = await app.inject('/docs')
    expect(page.statusCode).toBe(200)
    expect(page.body).toContain('swagger-ui')
    expect(page.headers['content-security-policy']).toContain("default-src 'self'")
    expect(page.body).not.toMatch(/(src|href)="https?:/)
  })
})
