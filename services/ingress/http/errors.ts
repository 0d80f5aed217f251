// What becomes of a thrown error: a problem with a fixed text. Its own message never reaches a caller or a log line.

import type { FastifyReply, FastifyRequest } from 'fastify'
import { describeError } from '../../runtime/logging.ts'
import type { Logger } from '../deps.ts'
import {
  BAD_REQUEST,
  INTERNAL,
  NOT_FOUND,
  NOT_JSON,
  NOT_JSON_TYPE,
  ProblemError,
  sendProblem,
  TOO_LARGE,
  type Problem,
} from './problem.ts'

/** Answers what was thrown; `internal` is the problem for what nobody expected. */
export function errorHandler(logger: Logger, internal: Problem = INTERNAL) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    // Fastify closes the connection on a bad body; the rest of the body is read and dropped instead, within the time a
    // request may take, so that the caller surely sees the answer and not a reset.
    void reply.removeHeader('connection')
    const problem = problemOf(error)
    if (problem === null) {
      logger.error({ requestId: request.id, route: routeName(request), ...describeError(error) }, 'request failed')
    }
    return sendProblem(reply, problem ?? internal)
  }
}

/** The route of what has none. */
export const UNROUTED = 'unknown'

/** The pattern of a route, never a path: paths hold what callers send. */
export function routeName(request: FastifyRequest): string {
  return request.is404 ? UNROUTED : (request.routeOptions.url ?? UNROUTED)
}

/** By status, since only Fastify and Node set one: bodies and paths that they refuse. */
function problemOf(error: unknown): Problem | null {
  if (error instanceof ProblemError) return error.problem
  const { statusCode, code } = error as { statusCode?: unknown; code?: unknown }
  switch (statusCode) {
    case 400:
      return String(code).startsWith('FST_ERR_CTP') ? NOT_JSON : BAD_REQUEST
    case 404:
      return NOT_FOUND
    case 413:
      return TOO_LARGE
    case 414:
      return NOT_FOUND
    case 415:
      return NOT_JSON_TYPE
    default:
      return null
  }
}
