// The error object of the Openpay dialect: every answer under its prefix that is no resource. Texts are fixed, in
// Spanish, after those of the public documentation; none quotes a caller.

import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Fault } from '../http/fault.ts'

/** Error codes (contract, section 3), by number. */
export const ERROR_CODES = [
  1000, 1001, 1002, 1003, 1004, 1005, 1006, 1009, 1010, 2004, 2005, 2006, 2009, 3001, 3002, 3003, 3004, 3005,
] as const
export type ErrorCode = (typeof ERROR_CODES)[number]

/** The body of an error. */
export const errorObject = z.object({
  category: z.enum(['internal', 'gateway', 'request']),
  error_code: z.literal(ERROR_CODES),
  description: z.string(),
  http_code: z.int(),
  request_id: z.string(),
})
export type ErrorObject = z.output<typeof errorObject>

const ERRORS: Readonly<Record<ErrorCode, { readonly http: number; readonly description: string }>> = {
  1000: { http: 500, description: 'Ocurrió un error interno en el servidor.' },
  1001: {
    http: 400,
    description: 'La solicitud no es un objeto JSON, o tiene campos que faltan o no tienen el formato correcto.',
  },
  1002: { http: 401, description: 'La llamada no está autenticada o la autenticación es incorrecta.' },
  1003: { http: 422, description: 'La operación no se pudo completar porque el valor de un parámetro no es correcto.' },
  1004: { http: 503, description: 'Un servicio necesario no se encuentra disponible. No se procesó nada.' },
  1005: { http: 404, description: 'El recurso solicitado no existe.' },
  1006: { http: 409, description: 'Ya existe una transacción con el mismo ID de orden.' },
  1009: { http: 413, description: 'El cuerpo de la solicitud es demasiado grande.' },
  1010: { http: 403, description: 'La llave pública no puede usarse en esta operación: requiere la llave privada.' },
  2004: { http: 422, description: 'El dígito verificador del número de tarjeta no es válido.' },
  2005: { http: 400, description: 'La fecha de expiración de la tarjeta es anterior a la fecha actual.' },
  2006: { http: 400, description: 'El código de seguridad de la tarjeta (cvv2) no fue proporcionado.' },
  2009: { http: 412, description: 'El código de seguridad de la tarjeta (cvv2) no es válido.' },
  3001: { http: 402, description: 'La tarjeta fue declinada.' },
  3002: { http: 402, description: 'La tarjeta ha expirado.' },
  3003: { http: 402, description: 'La tarjeta no tiene fondos suficientes.' },
  3004: { http: 402, description: 'La tarjeta ha sido identificada como una tarjeta robada.' },
  3005: { http: 402, description: 'La tarjeta ha sido identificada como una tarjeta fraudulenta.' },
}

/** What each code says; with `error_message` of a failed charge too. */
export function descriptionOf(code: ErrorCode): string {
  return ERRORS[code].description
}

/** An error and what is told of it besides its code's own text and status. */
export interface Refusal {
  readonly code: ErrorCode
  readonly description?: string
  readonly http?: number
}

/** The HTTP status a code has by itself. */
export function statusOf(code: ErrorCode): number {
  return ERRORS[code].http
}

/** When to come back after 429 and 503, in seconds. */
const RETRY_AFTER_SECONDS = '1'
const FIRST_GATEWAY_ERROR = 3_000

/** Answers with the error object. */
export function sendError(reply: FastifyReply, { code, description, http }: Refusal): FastifyReply {
  const { id } = reply.request
  const status = http ?? ERRORS[code].http
  if (status === 401) void reply.header('www-authenticate', 'Basic realm="openpay", charset="UTF-8"')
  if (status === 429 || status === 503) void reply.header('retry-after', RETRY_AFTER_SECONDS)
  reply.responseCode = String(code)
  const body: ErrorObject = {
    category: code === 1000 ? 'internal' : code > FIRST_GATEWAY_ERROR ? 'gateway' : 'request',
    error_code: code,
    description: description ?? ERRORS[code].description,
    http_code: status,
    request_id: id,
  }
  return reply
    .code(status)
    .header('x-request-id', id)
    .header('cache-control', 'no-store')
    .header('content-type', 'application/json; charset=utf-8')
    .send(JSON.stringify(body))
}

/** What each fault of the HTTP edge is here. Where the code's own status is another, the fault's stays. */
const FAULTS: Readonly<Record<Fault, Refusal>> = {
  'bad-request': { code: 1001, description: 'La solicitud HTTP no es válida.' },
  'not-json': { code: 1001 },
  'not-found': { code: 1005 },
  'too-large': { code: 1009 },
  'not-json-type': { code: 1001, http: 415, description: 'El tipo de contenido debe ser application/json.' },
  'too-many': { code: 1004, http: 429, description: 'El comercio superó su límite de solicitudes por segundo.' },
  unavailable: { code: 1004 },
  internal: {
    code: 1000,
    description: 'Ocurrió un error interno en el servidor. No se conoce el resultado de la operación.',
  },
}

export function answerFault(fault: Fault, reply: FastifyReply): FastifyReply {
  return sendError(reply, FAULTS[fault])
}
