// Who calls, and may they? The one place that knows in which order a call of the Aspen dialect is checked.

import { randomBytes, type KeyObject } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Clock } from '../../ports/clock.ts'
import type { KeyRing } from '../../ports/keys.ts'
import type { Admission, Sessions } from '../../ports/sessions.ts'
import type { AspenAppConfig, AspenPermission } from '../../runtime/apps-aspen.ts'
import { createBasicAuthentication } from '../auth/basic.ts'
import { EVENTS, type AspenEvent } from './events.ts'
import {
  epochProblem,
  isSessionToken,
  NONCE_KEPT_MS,
  nonceProblem,
  own,
  signedSession,
  signingKey,
  tokenProblem,
  verifiedClaims,
  type Claims,
} from './payload.ts'

/** What a call wants to do: `signin` needs no session and no permission. */
export type AspenAction = 'signin' | AspenPermission

export type Admitted = { readonly app: AspenAppConfig } | { readonly refused: AspenEvent }

export interface AspenGate {
  /** @throws StoreError when sessions and nonces cannot be asked for. */
  admit(headers: IncomingHttpHeaders, action: AspenAction): Promise<Admitted>
  /** Opens the app's one session. @returns the JWT that tells it. @throws StoreError */
  signIn(app: AspenAppConfig): Promise<string>
}

export interface GateDeps {
  readonly apps: readonly AspenAppConfig[]
  readonly sessions: Sessions
  readonly keys: KeyRing
  readonly clock: Clock
}

const VERSION = '1.0'
const VERSION_FORM = /^[0-9]+(\.[0-9]+){1,3}$/
const SESSION_TOKEN_BYTES = 32
const MS_PER_SECOND = 1_000

/**
 * The order of checks, which is that of the contract's table but for the version, which it puts before the key:
 *
 * 1. version header: 99001, 99005
 * 2. without the app's header, but with `Authorization: Basic`: 20005 (401), then the permission, 1000478, and no more
 * 3. headers absent or blank: 20002, that of the app first
 * 4. the key: 20005 unknown, 20006 disabled
 * 5. the signature: 20007
 * 6. the permission: 1000478
 * 7. the nonce: 15852 for absent, malformed, used. From here on it is used up, whatever else is wrong
 * 8. the epoch: 15852 absent, 15850 no number, 15851 out of range or older than a loss of nonces
 * 9. but for a sign-in, the session's token: 15852 absent, 20007 malformed, 15846 another app's, 15847 not live, 15848
 *    expired
 *
 * Then comes the body: too large, of another type, no JSON object, and its fields in the contract's order.
 * @throws Error when two apps have one key.
 */
export function createGate({ apps, sessions, keys, clock }: GateDeps): AspenGate {
  const byKey = new Map(apps.map((app) => [app.key, { app, key: signingKey(app.secret) }]))
  if (byKey.size !== apps.length) throw new Error('two apps have one key')
  const basic = createBasicAuthentication(apps.filter((app) => app.basicAllowed))

  const admitSigned = async (claims: Claims, app: AspenAppConfig, action: AspenAction): Promise<Admitted> => {
    const badNonce = nonceProblem(claims)
    if (badNonce) return { refused: badNonce }
    const now = clock.now()
    const token = own(claims, 'Token')
    const tokenHash = action !== 'signin' && isSessionToken(token) ? keys.hash('session', token) : null
    const admission = await sessions.admit({
      app: app.key,
      nonceHash: keys.hash('nonce', `${app.key}:${String(own(claims, 'Nonce'))}`),
      nonceKeptUntil: now + NONCE_KEPT_MS,
      tokenHash,
      now,
    })
    if (!admission.fresh) return { refused: EVENTS.usedNonce }
    const badEpoch = epochProblem(claims, now, admission.since)
    if (badEpoch) return { refused: badEpoch }
    const refused =
      action === 'signin' ? null : (tokenProblem(claims) ?? sessionProblem(admission, app, tokenHash, now))
    return refused ? { refused } : { app }
  }

  return {
    admit: async (headers, action) => {
      const badVersion = versionProblem(headers['x-pro-api-version'])
      if (badVersion) return { refused: badVersion }
      const appKey = textOf(headers['x-pro-auth-app'])
      if (appKey === '' && isBasic(headers.authorization)) {
        const app = basic(headers.authorization)
        return app === null ? { refused: EVENTS.wrongBasic } : permitted(app, action)
      }
      const payload = textOf(headers['x-pro-auth-payload'])
      if (appKey === '') return { refused: EVENTS.missingApp }
      if (payload === '') return { refused: EVENTS.missingPayload }
      const known = byKey.get(appKey)
      if (known === undefined) return { refused: EVENTS.unknownKey }
      if (!known.app.enabled) return { refused: EVENTS.disabledKey }
      const claims = await verifiedClaims(payload, known.key)
      if (claims === null) return { refused: EVENTS.invalidPayload }
      const may = permitted(known.app, action)
      return 'refused' in may ? may : admitSigned(claims, known.app, action)
    },
    signIn: async (app) => {
      const token = randomBytes(SESSION_TOKEN_BYTES).toString('base64url')
      const now = clock.now()
      // Whole seconds, as the JWT tells them.
      const expiresAt = Math.floor(now / MS_PER_SECOND) * MS_PER_SECOND + app.sessionSeconds * MS_PER_SECOND
      const session = { tokenHash: keys.hash('session', token), expiresAt }
      await sessions.open(app.key, session, expiresAt + NONCE_KEPT_MS)
      return signedSession(token, now, expiresAt, keyOf(byKey, app))
    },
  }
}

function keyOf(byKey: ReadonlyMap<string, { readonly key: KeyObject }>, app: AspenAppConfig): KeyObject {
  const known = byKey.get(app.key)
  if (known === undefined) throw new Error('an app without a key')
  return known.key
}

function versionProblem(sent: string | string[] | undefined): AspenEvent | null {
  if (sent === undefined) return null
  if (typeof sent !== 'string' || !VERSION_FORM.test(sent)) return EVENTS.badVersion
  return sent === VERSION ? null : EVENTS.otherVersion
}

function permitted(app: AspenAppConfig, action: AspenAction): Admitted {
  return action === 'signin' || app.permissions.includes(action) ? { app } : { refused: EVENTS.noPermission }
}

function sessionProblem(
  { session, tokenApp }: Admission,
  app: AspenAppConfig,
  tokenHash: string | null,
  now: number,
): AspenEvent | null {
  if (tokenApp !== null && tokenApp !== app.key) return EVENTS.tokenOfOtherApp
  if (session === null || session.tokenHash !== tokenHash) return EVENTS.noSession
  return now < session.expiresAt ? null : EVENTS.sessionExpired
}

/** Node joins a header that is sent twice: no app key or JWT has a comma. */
function textOf(header: string | string[] | undefined): string {
  return (Array.isArray(header) ? header.join(', ') : (header ?? '')).trim()
}

function isBasic(header: string | undefined): boolean {
  return header !== undefined && /^basic\b/i.test(header)
}
