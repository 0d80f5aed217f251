// HTTP Basic (RFC 7617) for apps with a secret. Equal time for a wrong secret and an unknown key; never logs either.

import { hash, randomBytes, timingSafeEqual } from 'node:crypto'

/** What Basic needs to know of an app. */
export interface BasicApp {
  readonly key: string
  readonly secret: string
  readonly enabled: boolean
}

/** The app of an `Authorization` header, or null: absent, malformed, unknown, wrong or disabled alike. */
export type BasicAuthentication<App> = (header: string | undefined) => App | null

/** An app may write its header in a few ways; more apps than this are checked anew each time. */
const MAX_REMEMBERED = 10_000
const CREDENTIALS = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Keys and secrets are compared as hashes with a secret of this process before them, which never leave it: what a lookup
 * or a comparison takes tells nothing of them. @throws Error when two apps have one key.
 */
export function createBasicAuthentication<App extends BasicApp>(apps: readonly App[]): BasicAuthentication<App> {
  const salt = randomBytes(32).toString('base64')
  const nameOf = (text: string) => hash('sha256', salt + text, 'base64')
  const digest = (text: string) => Buffer.from(nameOf(text), 'base64')
  const byKey = new Map(apps.map((app) => [nameOf(app.key), { app, secret: digest(app.secret) }]))
  if (byKey.size !== apps.length) throw new Error('two apps have one key')
  const nobody = { app: null, secret: randomBytes(32) }
  const check = (header: string): App | null => {
    const sent = credentialsOf(header)
    if (sent === null) return null
    const known = byKey.get(nameOf(sent.key)) ?? nobody
    const right = timingSafeEqual(digest(sent.secret), known.secret)
    return right && known.app?.enabled === true ? known.app : null
  }
  /** Headers that were right, by their hash: an app sends the same one with every call. Bounded by `MAX_REMEMBERED`. */
  const remembered = new Map<string, App>()
  return (header) => {
    if (header === undefined) return null
    const name = nameOf(header)
    const seen = remembered.get(name)
    if (seen) return seen
    const app = check(header)
    if (app && remembered.size < MAX_REMEMBERED) remembered.set(name, app)
    return app
  }
}

/** User name and password: split at the first colon, so a password may hold colons and a user name may not. */
function credentialsOf(header: string): { readonly key: string; readonly secret: string } | null {
  const encoded = CREDENTIALS.exec(header)?.[1]
  if (encoded === undefined) return null
  const text = decode(Buffer.from(encoded, 'base64'))
  const colon = text?.indexOf(':') ?? -1
  return text === null || colon < 0 ? null : { key: text.slice(0, colon), secret: text.slice(colon + 1) }
}

function decode(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes)
  } catch {
    return null
  }
}
