// The OpenAPI 3.1 document, made from the descriptions that also register the routes: what is served is what is said.

import { z } from 'zod'
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi'
import type { AuthScheme, ResponseDescription, RouteDescription, RouteDescriptions } from '../http/route-description.ts'

/** Routes that belong together in the document. */
export interface DocumentedPart {
  readonly title: string
  /** English, CommonMark. */
  readonly description: string
  readonly routes: RouteDescriptions
}

const DESCRIPTION = `Payment tokens for acquirers: generated, validated and spent once, in the dialects of three existing systems.

Every decision is on the log before it is answered. A transaction consecutive is decided once, however often and wherever it is sent:
after a 500, a timeout or a lost connection, send the same request again.`

const JSON_TYPE = 'application/json'

/** Each way to authenticate, and the schemes of the document that it takes together. */
const SECURITY: Readonly<Record<AuthScheme, Record<string, string[]>>> = {
  basic: { basic: [] },
  'signed-headers': { appKey: [], signedPayload: [] },
}

/** @param version of the service. */
export function openApiDocument(parts: readonly DocumentedPart[], version: string): object {
  const paths: ZodOpenApiPathsObject = {}
  for (const { title, routes } of parts) {
    for (const [operationId, route] of Object.entries(routes)) {
      const path = openApiPath(route.url)
      paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(operationId, title, route) }
    }
  }
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Payment-token service',
      version,
      description: DESCRIPTION,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'This instance' }],
    tags: parts.map(({ title, description }) => ({ name: title, description })),
    paths,
    components: {
      securitySchemes: {
        basic: {
          type: 'http',
          scheme: 'basic',
          description: "An app's key and secret, or a merchant's key without one.",
        },
        appKey: { type: 'apiKey', in: 'header', name: 'X-PRO-Auth-App', description: "An app's key." },
        signedPayload: {
          type: 'apiKey',
          in: 'header',
          name: 'X-PRO-Auth-Payload',
          description: 'A JWT, HS256 with the app secret: `Nonce`, `Epoch` and, once signed in, `Token`.',
        },
      },
    },
  })
}

/** Fastify's `:name` as OpenAPI's `{name}`. */
export function openApiPath(url: string): string {
  return url.replace(/:([A-Za-z]+)/g, '{$1}')
}

function operation(operationId: string, tag: string, route: RouteDescription): ZodOpenApiOperationObject {
  const { summary, auth, params, query, body, examples } = route
  return {
    operationId,
    summary,
    tags: [tag],
    security: auth.map((scheme) => SECURITY[scheme]),
    requestParams: {
      ...(params ? { path: withExamples(params, 'params', examples) } : {}),
      ...(query ? { query: withExamples(query, 'query', examples) } : {}),
    },
    ...(body
      ? { requestBody: { required: true, content: { [JSON_TYPE]: { schema: body, examples: bodiesOf(examples) } } } }
      : {}),
    responses: Object.fromEntries(
      Object.entries(route.responses).map(([status, response]) => [status, responseOf(response)]),
    ),
  }
}

/** Parameters with the values of the first example that has some. */
function withExamples(schema: z.ZodObject, part: 'params' | 'query', examples: RouteDescription['examples'] = {}) {
  const values = Object.values(examples).find((example) => example[part])?.[part] ?? {}
  const shape = Object.entries(schema.shape as Record<string, z.ZodType>).map(([name, type]) => [
    name,
    values[name] === undefined ? type : type.meta({ ...type.meta(), example: values[name] }),
  ])
  return z.object(Object.fromEntries(shape) as Record<string, z.ZodType>)
}

function bodiesOf(examples: RouteDescription['examples'] = {}) {
  return Object.fromEntries(
    Object.entries(examples).map(([name, { summary, body }]) => [name, { summary, value: body }]),
  )
}

function responseOf({ description, body, contentType = JSON_TYPE }: ResponseDescription) {
  if (body === undefined) return { description }
  return { description, content: { [contentType]: { schema: body } } }
}
