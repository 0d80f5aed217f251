// Sessions of apps and the nonces they have used, shared by all ingress instances. Nothing of it is on the log: a loss
// ends sessions, and is told by `since`.

export interface Session {
  /** Keyed hash of the session's token: the token itself stands nowhere. */
  readonly tokenHash: string
  /** Unix milliseconds. */
  readonly expiresAt: number
}

/** One call of an app, which brings a nonce and may bring the token of a session. */
export interface AdmissionAsk {
  readonly app: string
  /** Keyed hash of app and nonce. */
  readonly nonceHash: string
  /** How long the nonce is kept, at least: Unix milliseconds. */
  readonly nonceKeptUntil: number
  /** Keyed hash of the token; null when the call brings none. */
  readonly tokenHash: string | null
  /** Unix milliseconds, by the caller's clock. */
  readonly now: number
}

export interface Admission {
  /** Whether the nonce was not used before. Asking uses it up. */
  readonly fresh: boolean
  /** Unix milliseconds before which nonces may have been used that are not known any more. 0: none were lost. */
  readonly since: number
  /** The session that the app holds, or held last. */
  readonly session: Session | null
  /** The app for which the token was made; null for a token that is not known. */
  readonly tokenApp: string | null
}

export interface Sessions {
  /** One round trip. Of two calls with one nonce, on whichever instance, one is fresh. @throws StoreError */
  admit(ask: AdmissionAsk): Promise<Admission>
  /**
   * Makes a session the only one of its app. It is remembered until `keptUntil`, Unix milliseconds, so that one that
   * has expired is told from one that never was. @throws StoreError
   */
  open(app: string, session: Session, keptUntil: number): Promise<void>
  close(): Promise<void>
}
