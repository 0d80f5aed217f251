// The document at `/openapi.json`, and a page for people at `/docs`. Neither needs credentials: they hold no secret.

import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { VERSION } from '../../runtime/version.ts'
import { HEALTH_ROUTES } from '../http/health.ts'
import { registerRoutes, type RouteDescriptions } from '../http/route-description.ts'
import { openApiDocument, type DocumentedPart } from './document.ts'

export const DOCUMENT_ROUTES = {
  getOpenApi: {
    method: 'GET',
    url: '/openapi.json',
    summary: 'this document; a page for people is at `/docs`',
    auth: [],
    responses: { 200: { description: 'OpenAPI 3.1.', contentType: 'application/json' } },
  },
} as const satisfies RouteDescriptions

/** The page and its parts, which no program asks for: not in the document. */
export const PAGE_PREFIX = '/docs'

/** What is served besides the dialects. */
export const SERVICE_PART: DocumentedPart = {
  title: 'Service',
  description: 'Health, metrics and this document.',
  routes: { ...HEALTH_ROUTES, ...DOCUMENT_ROUTES },
}

/** Made once: the routes do not change while the app runs. */
export function documentRoutes(app: FastifyInstance, dialects: readonly DocumentedPart[]): void {
  const document = openApiDocument([...dialects, SERVICE_PART], VERSION)
  const text = JSON.stringify(document)
  registerRoutes(app, DOCUMENT_ROUTES, {
    getOpenApi: async (_request, reply) => reply.header('content-type', 'application/json; charset=utf-8').send(text),
  })
  void app.register(swagger, { mode: 'static', specification: { document: document as never } })
  void app.register(swaggerUi, {
    routePrefix: PAGE_PREFIX,
    staticCSP: true,
    uiConfig: { docExpansion: 'list', deepLinking: true, tryItOutEnabled: true },
  })
}
