// Health and metrics of a process that serves no callers: live, ready with what is missing, Prometheus text.

import { fastify, type FastifyInstance } from 'fastify'
import type { Registry } from 'prom-client'

/** How long a part may take to say that it answers, ms. */
const PROBE_TIMEOUT_MS = 1_500

export interface Health {
  readonly registry: Registry
  /** By name: what must be true, or resolve, for the process to be ready. */
  readonly parts: Readonly<Record<string, () => boolean | Promise<void>>>
}

export async function serveHealth(host: string, port: number, { registry, parts }: Health): Promise<FastifyInstance> {
  const app = fastify({ logger: false })
  app.get('/health/live', async () => ({ status: 'live' }))
  app.get('/health/ready', async (_request, reply) => {
    const asked = Object.entries(parts).map(async ([name, part]) => [name, await answers(part)] as const)
    const states = Object.fromEntries(await Promise.all(asked))
    const ready = Object.values(states).every(Boolean)
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready', ...states })
  })
  app.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()))
  await app.listen({ host, port })
  return app
}

async function answers(part: () => boolean | Promise<void>): Promise<boolean> {
  const answer = part()
  if (typeof answer === 'boolean') return answer
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), PROBE_TIMEOUT_MS)
  })
  const answered = await Promise.race([
    answer.then(
      () => true,
      () => false,
    ),
    late,
  ])
  clearTimeout(timer)
  return answered
}
