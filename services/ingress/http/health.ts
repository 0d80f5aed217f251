// Health and metrics. They answer at once, whatever the state of log and store, and need no credentials.

import type { FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'
import { z } from 'zod'
import type { Readiness } from '../readiness.ts'
import { registerRoutes, type RouteDescriptions } from './route-description.ts'

const parts = z.object({ log: z.boolean(), store: z.boolean(), replies: z.boolean(), accepting: z.boolean() })

export const HEALTH_ROUTES = {
  getLive: {
    method: 'GET',
    url: '/health/live',
    summary: 'the process runs',
    auth: [],
    responses: { 200: { description: 'It runs.', body: z.object({ status: z.literal('live') }) } },
  },
  getReady: {
    method: 'GET',
    url: '/health/ready',
    summary: '200 when Kafka and Redis answer and replies are followed, else 503 with what is missing',
    auth: [],
    responses: {
      200: { description: 'It can serve.', body: z.object({ status: z.literal('ready'), parts }) },
      503: { description: 'It cannot serve now.', body: z.object({ status: z.literal('not ready'), parts }) },
    },
  },
  getMetrics: {
    method: 'GET',
    url: '/metrics',
    summary: 'Prometheus text',
    auth: [],
    responses: { 200: { description: 'Metrics.', contentType: 'text/plain' } },
  },
} as const satisfies RouteDescriptions

export function healthRoutes(app: FastifyInstance, readiness: Readiness, registry: Registry): void {
  registerRoutes(app, HEALTH_ROUTES, {
    getLive: async (_request, reply) => reply.send({ status: 'live' }),
    getReady: async (_request, reply) => {
      const { ready } = readiness
      return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready', parts: readiness.parts() })
    },
    getMetrics: async (_request, reply) => {
      const text = await registry.metrics()
      return reply.header('content-type', registry.contentType).send(text)
    },
  })
}
