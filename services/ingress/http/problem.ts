// Everything that is no decision: problem+json (RFC 9457) with Spanish texts. Texts are fixed: none quotes a caller.

import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Fault } from './fault.ts'

/** A problem as a caller sees it. */
export interface Problem {
  readonly status: number
  readonly title: string
  readonly detail: string
  /** Bad fields by dotted path; with 400 only. */
  readonly errors?: readonly { readonly field: string; readonly message: string }[]
}

/** When to come back after 429 and 503, in seconds: overload passes in moments, another instance is ready at once. */
const RETRY_AFTER_SECONDS = 1

export const NOT_JSON: Problem = {
  status: 400,
  title: 'Solicitud incorrecta',
  detail: 'El cuerpo de la solicitud debe ser un objeto JSON válido en UTF-8.',
  errors: [],
}
export const BAD_REQUEST: Problem = {
  status: 400,
  title: 'Solicitud incorrecta',
  detail: 'La solicitud HTTP no es válida.',
}
export const UNAUTHORIZED: Problem = {
  status: 401,
  title: 'No autorizado',
  detail: 'Las credenciales no se enviaron o no son válidas.',
}
export const NOT_FOUND: Problem = { status: 404, title: 'No encontrado', detail: 'La ruta solicitada no existe.' }
/** One text for another app's acquirer and for what is not decided: it tells nobody which. */
export const NOT_DECIDED: Problem = {
  status: 404,
  title: 'No encontrado',
  detail:
    'No hay una transacción decidida con estos datos. Todavía podría decidirse: solo un REVERSAL la deja ' +
    'en firme.',
}
export const REQUEST_TIMEOUT: Problem = {
  status: 408,
  title: 'Tiempo agotado',
  detail: 'La solicitud no llegó completa a tiempo.',
}
export const TOO_LARGE: Problem = {
  status: 413,
  title: 'Solicitud demasiado grande',
  detail: 'El cuerpo de la solicitud supera los 65536 bytes.',
}
export const NOT_JSON_TYPE: Problem = {
  status: 415,
  title: 'Tipo de contenido no admitido',
  detail: 'El tipo de contenido debe ser application/json.',
}
export const EXPECTATION_FAILED: Problem = {
  status: 417,
  title: 'Expectativa fallida',
  detail: 'La cabecera Expect no se admite.',
}
export const TOO_MANY: Problem = {
  status: 429,
  title: 'Demasiadas solicitudes',
  detail: 'La aplicación superó su límite de solicitudes por segundo.',
}
export const HEADERS_TOO_LARGE: Problem = {
  status: 431,
  title: 'Cabeceras demasiado grandes',
  detail: 'Las cabeceras de la solicitud son demasiado grandes.',
}
/** Also for errors inside: what was handed to the log may yet be decided. */
export const UNKNOWN_OUTCOME: Problem = {
  status: 500,
  title: 'Error interno',
  detail:
    'No se conoce el resultado de la transacción. Puede repetirla con el mismo consecutivo, consultarla con ' +
    'GET o enviar un REVERSAL.',
}
export const INTERNAL: Problem = { status: 500, title: 'Error interno', detail: 'Se produjo un error interno.' }
export const UNAVAILABLE: Problem = {
  status: 503,
  title: 'Servicio no disponible',
  detail: 'El servicio no puede atender la solicitud ahora. No se aceptó nada.',
}

/** The 400 that names every bad field. */
export function badFields(errors: readonly { readonly field: string; readonly message: string }[]): Problem {
  return { status: 400, title: 'Solicitud incorrecta', detail: 'Hay campos que faltan o que no son válidos.', errors }
}

/** What each fault is as a problem. */
const FAULT_PROBLEMS: Readonly<Record<Fault, Problem>> = {
  'bad-request': BAD_REQUEST,
  'not-json': NOT_JSON,
  'not-found': NOT_FOUND,
  'too-large': TOO_LARGE,
  'not-json-type': NOT_JSON_TYPE,
  'too-many': TOO_MANY,
  unavailable: UNAVAILABLE,
  internal: INTERNAL,
}

/** Answers a fault as a problem; `internal` is the problem for what nobody expected. */
export function sendFault(fault: Fault, reply: FastifyReply, internal: Problem = INTERNAL): FastifyReply {
  return sendProblem(reply, fault === 'internal' ? internal : FAULT_PROBLEMS[fault])
}

/** The bytes of a problem, for where there is no reply object either. */
export function problemBody({ status, title, detail, errors }: Problem): string {
  return JSON.stringify({ type: 'about:blank', title, status, detail, ...(errors === undefined ? {} : { errors }) })
}

/** The form of a problem, for the OpenAPI document. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
})

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8'

/** Sends a problem, with `Retry-After` where the contract asks for it. */
export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  const retried = problem.status === 429 || problem.status === 503
  if (retried && !reply.hasHeader('retry-after')) void reply.header('retry-after', String(RETRY_AFTER_SECONDS))
  return reply
    .code(problem.status)
    .header('x-request-id', reply.request.id)
    .header('content-type', PROBLEM_TYPE)
    .send(problemBody(problem))
}
