// What a route is, said once: the same record registers it and describes it in the OpenAPI document. No behaviour here.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { z } from 'zod'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The name of a described route among all routes. */
    operationId?: string
  }
}

/** Ways to authenticate. `basic`: RFC 7617. `signed-headers`: an app key and a signed payload, each in a header. */
export type AuthScheme = 'basic' | 'signed-headers'

export interface ResponseDescription {
  readonly description: string
  /** Absent: the answer has no body, or none that JSON describes. */
  readonly body?: z.ZodType
  /** `application/json` by default. */
  readonly contentType?: string
}

/** A call that can be pasted: with the demo set it is accepted. */
export interface RouteExample {
  readonly summary: string
  readonly params?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  readonly body?: object
}

export interface RouteDescription {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** As Fastify writes it: `/financial/:consecutive`. */
  readonly url: string
  /** One line, English. */
  readonly summary: string
  /** Any one of them will do; none for a public route. */
  readonly auth: readonly AuthScheme[]
  readonly params?: z.ZodObject
  readonly query?: z.ZodObject
  /** What may be sent, as JSON. Names that are not in it are ignored. */
  readonly body?: z.ZodType
  /** By a name that is unique in the route. */
  readonly examples?: Readonly<Record<string, RouteExample>>
  /** By status. */
  readonly responses: Readonly<Record<number, ResponseDescription>>
}

/** Routes by their operation id, which is unique among all dialects. */
export type RouteDescriptions = Readonly<Record<string, RouteDescription>>

export type RouteHandler = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>

/** Registers every route that is described, and no other. */
export function registerRoutes<Routes extends RouteDescriptions>(
  scope: FastifyInstance,
  routes: Routes,
  handlers: { readonly [OperationId in keyof Routes]: RouteHandler },
): void {
  for (const operationId of Object.keys(routes) as (keyof Routes & string)[]) {
    const route = routes[operationId]
    const handler = handlers[operationId]
    if (route === undefined || handler === undefined) throw new Error('a route without a handler')
    scope.route({ method: route.method, url: route.url, handler, config: { operationId } })
  }
}
