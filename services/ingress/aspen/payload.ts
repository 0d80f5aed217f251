// The signed payload of a call: a JWT whose signature is checked here with the algorithm fixed, and the claims that it
// must have. No other claim is looked at: the epoch is this dialect's time, not `exp` or `nbf`.

import { createSecretKey, type KeyObject } from 'node:crypto'
import { compactVerify, SignJWT } from 'jose'
import { EVENTS, type AspenEvent } from './events.ts'

const ALGORITHM = 'HS256'
const NONCE = /^[A-Za-z0-9._-]{1,64}$/
/** 256 random bits in base64url. */
const SESSION_TOKEN = /^[A-Za-z0-9_-]{43}$/
/** How far an epoch may be off the server's clock, either way. */
const EPOCH_WINDOW_MS = 43_200_000
/** A payload may be used from one end of the window to the other; so long its nonce has to be known. */
export const NONCE_KEPT_MS = 2 * EPOCH_WINDOW_MS
const MS_PER_SECOND = 1_000

const decoder = new TextDecoder('utf-8', { fatal: true })

export type Claims = Readonly<Record<string, unknown>>

/** An app's key for HS256. */
export function signingKey(secret: string): KeyObject {
  return createSecretKey(Buffer.from(secret))
}

/** The claims of a JWT that this key signed, or null: no JWT, another key or algorithm, no JSON object. */
export async function verifiedClaims(jwt: string, key: KeyObject): Promise<Claims | null> {
  try {
    const { payload } = await compactVerify(jwt, key, { algorithms: [ALGORITHM] })
    const claims: unknown = JSON.parse(decoder.decode(payload))
    return typeof claims === 'object' && claims !== null && !Array.isArray(claims) ? (claims as Claims) : null
  } catch {
    return null
  }
}

/** The JWT that answers a sign-in. Times in Unix milliseconds; claims are in whole seconds. */
export async function signedSession(token: string, issuedAt: number, expiresAt: number, key: KeyObject) {
  return new SignJWT()
    .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
    .setJti(token)
    .setIssuedAt(Math.floor(issuedAt / MS_PER_SECOND))
    .setExpirationTime(Math.floor(expiresAt / MS_PER_SECOND))
    .sign(key)
}

/** What is wrong with the form of the nonce, or null. */
export function nonceProblem(claims: Claims): AspenEvent | null {
  const nonce = own(claims, 'Nonce')
  if (isBlank(nonce)) return EVENTS.noNonce
  return typeof nonce === 'string' && NONCE.test(nonce) ? null : EVENTS.badNonce
}

/** What is wrong with the epoch at `now`, Unix milliseconds, or null. @param since as an `Admission` has it. */
export function epochProblem(claims: Claims, now: number, since: number): AspenEvent | null {
  const epoch = own(claims, 'Epoch')
  if (isBlank(epoch)) return EVENTS.noEpoch
  if (typeof epoch !== 'number' || !Number.isFinite(epoch) || epoch < 0) return EVENTS.badEpoch
  const at = epoch * MS_PER_SECOND
  return Math.abs(at - now) > EPOCH_WINDOW_MS || at < since ? EVENTS.epochOutOfRange : null
}

/** What is wrong with the form of the session's token, or null. */
export function tokenProblem(claims: Claims): AspenEvent | null {
  const token = own(claims, 'Token')
  if (isBlank(token)) return EVENTS.noToken
  return isSessionToken(token) ? null : EVENTS.invalidPayload
}

export function isSessionToken(token: unknown): token is string {
  return typeof token === 'string' && SESSION_TOKEN.test(token)
}

export function own(claims: Claims, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined
}

function isBlank(value: unknown): boolean {
  return value == null || (typeof value === 'string' && value.trim() === '')
}
