// A client that signs as Aspen's does, with nothing but Node's own hashes, so that what it agrees with is the scheme.

import { createHmac, randomUUID } from 'node:crypto'
import { request } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { AspenAppConfig } from '../../../services/runtime/apps-aspen.ts'

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const mac = (text: string, secret: string, hash = 'sha256') => createHmac(hash, secret).update(text).digest('base64url')

/** A JWT of these claims. */
export function jwt(
  claims: unknown,
  secret: string,
  header: object = { typ: 'JWT', alg: 'HS256' },
  hash = 'sha256',
): string {
  const signed = `${part(header)}.${part(claims)}`
  return `${signed}.${mac(signed, secret, hash)}`
}

/** The claims of a JWT, after its signature was checked. */
export function claimsOf(token: string, secret: string): Record<string, unknown> {
  const [header = '', payload = '', signature] = token.split('.')
  if (signature !== mac(`${header}.${payload}`, secret)) throw new Error('the signature is wrong')
  return JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
}

export interface Answer {
  readonly status: number
  /** The reason phrase, read as Latin-1. */
  readonly reason: string
  readonly headers: Record<string, unknown>
  readonly text: string
  readonly body: any
}

export interface CallOptions {
  readonly body?: unknown
  /** Claims beside or instead of nonce, epoch and token; undefined leaves one out. */
  readonly claims?: Record<string, unknown>
  readonly secret?: string
  /** Headers beside or instead of the usual ones; undefined leaves one out. */
  readonly headers?: Record<string, string | undefined>
}

export interface AspenClient {
  /** Signs in, and signs with the session from now on. */
  signIn(options?: CallOptions): Promise<Answer>
  call(method: string, path: string, options?: CallOptions): Promise<Answer>
  /** The session's token. */
  token: string | undefined
}

/** A client of an app, on an ingress that need not listen. @param now Unix milliseconds. */
export function aspenClient(
  ingress: FastifyInstance,
  app: Pick<AspenAppConfig, 'key' | 'secret'>,
  now: () => number = Date.now,
): AspenClient {
  const call: AspenClient['call'] = async (method, path, { body, claims = {}, secret = app.secret, headers } = {}) => {
    const all = { Nonce: randomUUID(), Epoch: now() / 1_000, Token: client.token, ...claims }
    const sent = {
      'X-PRO-Auth-App': app.key,
      'X-PRO-Auth-Payload': jwt(all, secret),
      'Content-Type': 'application/json',
      ...headers,
    }
    const response = await ingress.inject({
      method: method as 'GET',
      url: `/api/app${path}`,
      headers: Object.fromEntries(Object.entries(sent).filter(([, value]) => value !== undefined)),
      ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    return answerOf(response.statusCode, response.statusMessage, response.headers, response.body)
  }
  const client: AspenClient = {
    token: undefined,
    call,
    signIn: async (options = {}) => {
      const answer = await call('POST', '/auth/signin', { ...options, claims: { Token: undefined, ...options.claims } })
      if (answer.status === 200) client.token = String(claimsOf(answer.text, app.secret)['jti'])
      return answer
    },
  }
  return client
}

function answerOf(status: number, reason: string, headers: Record<string, unknown>, text: string): Answer {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    body = undefined
  }
  return { status, reason, headers, text, body }
}

/** One call over a real socket, with the bytes of the reason phrase as Latin-1: Node reads heads so. */
export async function overSocket(
  url: string,
  method: string,
  headers: Record<string, string>,
  body = '',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request(url, { method, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve(
          answerOf(
            response.statusCode ?? 0,
            response.statusMessage ?? '',
            response.headers,
            Buffer.concat(chunks).toString(),
          ),
        ),
      )
    })
    call.on('error', reject)
    call.end(body)
  })
}
