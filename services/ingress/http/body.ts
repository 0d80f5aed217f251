// Reading bodies: JSON in UTF-8 of a bounded size, and nothing else. Order: too large, other type, not JSON.

import type { FastifyInstance, FastifyRequest } from 'fastify'
import { FaultError } from './fault.ts'

/** Bytes of a body (contract, "Common to all"). */
export const BODY_LIMIT_BYTES = 65_536

const JSON_TYPE = 'application/json'
/** Stands for every other type, also those that are no type at all, so that their size is judged first. */
const OTHER_TYPE = 'application/octet-stream'

const decoder = new TextDecoder('utf-8', { fatal: true })

/** Makes the routes of this scope read JSON bodies only. A body with nothing in it is undefined, whatever its type. */
export function acceptJsonBodies(scope: FastifyInstance): void {
  const parseJson = scope.getDefaultJsonParser('error', 'ignore')
  scope.addHook('preParsing', (request, _reply, _payload, done) => {
    if (declaredLength(request) > BODY_LIMIT_BYTES) return done(new FaultError('too-large'))
    const json = isJson(request.headers['content-type'])
    if (request.method === 'GET' && hasBody(request) && !json) return done(new FaultError('not-json-type'))
    if (request.headers['content-type'] !== undefined) request.headers['content-type'] = json ? JSON_TYPE : OTHER_TYPE
    done()
  })
  scope.removeAllContentTypeParsers()
  const whole = { parseAs: 'buffer', bodyLimit: BODY_LIMIT_BYTES } as const
  scope.addContentTypeParser(JSON_TYPE, whole, (request, body: Buffer, done) => {
    if (body.length === 0) return done(null, undefined)
    const text = decode(body)
    if (text === null) return done(new FaultError('not-json'), undefined)
    void parseJson(request, text, done)
  })
  scope.addContentTypeParser('*', whole, (_request, body: Buffer, done) => {
    if (body.length === 0) done(null, undefined)
    else done(new FaultError('not-json-type'), undefined)
  })
}

function declaredLength({ headers }: FastifyRequest): number {
  return Number(headers['content-length'] ?? 0)
}

function hasBody(request: FastifyRequest): boolean {
  return declaredLength(request) > 0 || request.headers['transfer-encoding'] !== undefined
}

/** Parameters do not count: JSON has none (RFC 8259, section 11), and its bytes are UTF-8 whatever they say. */
function isJson(contentType: string | undefined): boolean {
  // Most callers write it just so.
  return contentType === JSON_TYPE || contentType?.split(';', 1)[0]?.trim().toLowerCase() === JSON_TYPE
}

function decode(body: Uint8Array): string | null {
  try {
    return decoder.decode(body)
  } catch {
    return null
  }
}
