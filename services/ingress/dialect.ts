// What the app knows of a dialect: where its paths begin, its routes, and its form for what goes wrong under them.

import type { FastifyInstance, FastifyReply } from 'fastify'
import type { IngressDeps } from './deps.ts'
import type { Fault } from './http/fault.ts'
import type { RouteDescriptions } from './http/route-description.ts'
import type { Submit } from './submit.ts'

/** What every dialect is given besides what the app itself is given. */
export interface DialectDeps extends IngressDeps {
  readonly submit: Submit
  /** Whether calls may be taken now. */
  readonly ready: () => boolean
  /** Keeps a shutdown waiting for a call that does more than wait for one reply, until what it returns is called. */
  readonly hold: () => () => void
}

export interface Dialect {
  /** The path under which all its routes are, and under which unknown paths are answered in its form. */
  readonly prefix: string
  /** What the OpenAPI document says of it. English. */
  readonly title: string
  readonly description: string
  /** Every route that the plugin registers: for the OpenAPI document. */
  readonly routes: RouteDescriptions
  /** Registers the routes, with their authentication and hooks. */
  readonly plugin: (scope: FastifyInstance) => Promise<void>
  /** Answers what was thrown, has no route, or was refused before it had one. */
  readonly answerFault: (fault: Fault, reply: FastifyReply) => FastifyReply
}

/** Scheme and authority of a request target in absolute form (RFC 9112, section 3.2.2), which Node hands on as it came. */
const ORIGIN = /^https?:\/\/[^/?]*/i

/** The dialect whose prefix a request target has, if any. A query does not count. */
export function dialectOf(dialects: readonly Dialect[], url: string): Dialect | undefined {
  const path = url.replace(ORIGIN, '').split('?', 1)[0] ?? ''
  return dialects.find(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`))
}
