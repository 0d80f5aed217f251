// Apps of the Aspen dialect in the apps file: their shape, and what makes them contradict themselves.

import { z } from 'zod'

/** What an app may be allowed to do. */
export const ASPEN_PERMISSIONS = ['validate', 'send', 'channels', 'cancel'] as const
export type AspenPermission = (typeof ASPEN_PERMISSIONS)[number]

/** An app of the Aspen dialect. */
export interface AspenAppConfig {
  readonly key: string
  /** Signs and verifies JWTs by HS256. */
  readonly secret: string
  readonly clientId: string
  readonly enabled: boolean
  /** Whether it is shown the tokens that it has sent. */
  readonly debugMode: boolean
  /** Whether HTTP Basic will do instead of signed headers. */
  readonly basicAllowed: boolean
  readonly permissions: readonly AspenPermission[]
  /** How long a session lasts. Seconds. */
  readonly sessionSeconds: number
}

/** A key of HS256 has at least as many bits as its hash (RFC 7518, section 3.2). */
const MIN_SECRET_BYTES = 32
const MAX_SECRET_BYTES = 512
const DEFAULT_SESSION_SECONDS = 3_600
/** Less than the window of an epoch, so that nonces and sessions are kept for the same while. */
const MAX_SESSION_SECONDS = 43_200

export const aspenApp = z
  .strictObject({
    clientId: z.string().regex(/^[a-z0-9-]{1,32}$/),
    /** Part of a scope, behind `app.`. */
    key: z.string().regex(/^[A-Za-z0-9._-]{1,58}$/),
    secret: z.string().refine(isLongEnough, {
      message: `must have ${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} bytes, as HS256 needs`,
    }),
    debugMode: z.boolean().default(false),
    basicAllowed: z.boolean().default(false),
    disabled: z.boolean().default(false),
    permissions: z
      .array(z.enum(ASPEN_PERMISSIONS))
      .max(ASPEN_PERMISSIONS.length)
      .default([...ASPEN_PERMISSIONS]),
    sessionSeconds: z.number().int().min(1).max(MAX_SESSION_SECONDS).default(DEFAULT_SESSION_SECONDS),
  })
  .transform(({ disabled, ...app }): AspenAppConfig => ({ ...app, enabled: !disabled }))

function isLongEnough(secret: string): boolean {
  const bytes = Buffer.byteLength(secret)
  return bytes >= MIN_SECRET_BYTES && bytes <= MAX_SECRET_BYTES
}

/** Places in the apps file that contradict others, each with what is wrong. */
export function aspenContradictions(apps: readonly AspenAppConfig[], clients: ReadonlySet<string>): readonly string[] {
  const keys = new Set<string>()
  return apps.flatMap(({ clientId, key }, index) => {
    const problems = clients.has(clientId) ? [] : [`.aspen[${index}].clientId: is none of the clients`]
    if (keys.has(key)) problems.push(`.aspen[${index}].key: another app has it`)
    keys.add(key)
    return problems
  })
}
