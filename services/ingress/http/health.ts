// Health and metrics. They answer at once, whatever the state of log and store, and need no credentials.

import type { FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'
import type { Readiness } from '../readiness.ts'

/** `/health/live`: it runs. `/health/ready`: it can serve, else which part cannot. `/metrics`: Prometheus text. */
export function healthRoutes(app: FastifyInstance, readiness: Readiness, registry: Registry): void {
  app.get('/health/live', async () => ({ status: 'live' }))
  app.get('/health/ready', async (_request, reply) => {
    const { ready } = readiness
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready', parts: readiness.parts() })
  })
  app.get('/metrics', async (_request, reply) => {
    const text = await registry.metrics()
    return reply.header('content-type', registry.contentType).send(text)
  })
}
