// Sessions and nonces on Redis: one pipeline a call, with an expiry for everything. Notices by itself that Redis may have
// lost nonces: `since` is stamped with the process it was written under, and is gone when the data is.

import type { Admission, AdmissionAsk, Session, Sessions } from '../../ports/sessions.ts'
import { StoreError } from '../../ports/store.ts'
import { RedisConnection, type ConnectionLog } from './connection.ts'
import { keyNames } from './names.ts'

export interface RedisSessionsOptions {
  readonly url: string
  readonly log?: ConnectionLog
  /** How long a round trip may take, milliseconds. */
  readonly commandTimeoutMs: number
  readonly keyPrefix?: string
  readonly ca?: string
}

type SessionNames = ReturnType<typeof sessionNames>

/** No name has the form of a slot's entry: what brings the store up to the log leaves these alone. */
function sessionNames(prefix: string) {
  return {
    since: `${prefix}sessions:since`,
    nonce: (hash: string) => `${prefix}sessions:nonce:{${hash}}`,
    session: (app: string) => `${prefix}sessions:of:{${app}}`,
    tokenApp: (hash: string) => `${prefix}sessions:token:{${hash}}`,
  }
}

/** As `createRedisStore`: resolves after the first attempt to connect, and goes on trying. */
export async function createRedisSessions(options: RedisSessionsOptions): Promise<Sessions> {
  const prefix = options.keyPrefix ?? ''
  const connection = new RedisConnection({
    url: options.url,
    commandTimeoutMs: options.commandTimeoutMs,
    marker: keyNames(prefix).marker,
    log: options.log ?? null,
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  })
  await connection.firstAttempt()
  const sessions = new RedisSessions(connection, sessionNames(prefix))
  // Now rather than with the first call, whose payload was signed before it came.
  await sessions.settle(Date.now()).catch(() => undefined)
  return sessions
}

class RedisSessions implements Sessions {
  readonly #connection: RedisConnection
  readonly #names: SessionNames

  constructor(connection: RedisConnection, names: SessionNames) {
    this.#connection = connection
    this.#names = names
  }

  async admit({ app, nonceHash, nonceKeptUntil, tokenHash, now }: AdmissionAsk): Promise<Admission> {
    const results = await this.#connection.run('admit', (pipeline) => {
      pipeline
        .set(this.#names.since, this.#stamp(now), 'NX')
        .set(this.#names.nonce(nonceHash), '1', 'PXAT', nonceKeptUntil, 'NX')
        .get(this.#names.session(app))
        .get(this.#names.tokenApp(tokenHash ?? ''))
        // Last: had the data been lost before or within this pipeline, it would be gone, or as late as the loss.
        .get(this.#names.since)
    })
    const [, claimed, session, tokenApp, since] = results.map((result) => this.#connection.reply('admit', result))
    return {
      fresh: claimed === 'OK',
      since: await this.#judge(since, now),
      session: typeof session === 'string' ? readSession(session) : null,
      tokenApp: typeof tokenApp === 'string' ? tokenApp : null,
    }
  }

  async open(app: string, { tokenHash, expiresAt }: Session, keptUntil: number): Promise<void> {
    const results = await this.#connection.run('open', (pipeline) => {
      pipeline
        .set(this.#names.tokenApp(tokenHash), app, 'PXAT', keptUntil)
        .set(this.#names.session(app), `${expiresAt} ${tokenHash}`, 'PXAT', keptUntil)
    })
    for (const result of results) this.#connection.reply('open', result)
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  /** Stamps a store that is new, or whose process is. */
  async settle(now: number): Promise<void> {
    const results = await this.#connection.run('settle', (pipeline) => {
      pipeline.set(this.#names.since, this.#stamp(now), 'NX').get(this.#names.since)
    })
    const [, since] = results.map((result) => this.#connection.reply('settle', result))
    await this.#judge(since, now)
  }

  /** Another process than that of the stamp may have come back without its last seconds: a loss that begins now. */
  async #judge(since: unknown, now: number): Promise<number> {
    if (typeof since !== 'string') throw new StoreError('admit: the store was emptied')
    const [process, at] = since.split(' ')
    if (process === this.#process()) return Number(at)
    const [result] = await this.#connection.run('settle', (pipeline) => {
      pipeline.set(this.#names.since, this.#stamp(now))
    })
    this.#connection.reply('settle', result)
    return now
  }

  #stamp(now: number): string {
    return `${this.#process()} ${now}`
  }

  /** Run id of the Redis process. */
  #process(): string {
    return this.#connection.runId.split('.', 1)[0] ?? ''
  }
}

function readSession(stored: string): Session {
  const [expiresAt = '', tokenHash = ''] = stored.split(' ')
  return { expiresAt: Number(expiresAt), tokenHash }
}
