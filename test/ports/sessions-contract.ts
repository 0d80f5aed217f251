// What every adapter of sessions promises: single-use nonces, one session an app, and a loss that is told.

import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AdmissionAsk, Sessions } from '../../services/ports/sessions.ts'

export interface SessionsTest {
  /** Two instances of the service, on one store. */
  readonly one: Sessions
  readonly other: Sessions
  now(): number
  pass(ms: number): Promise<void>
  /** The store loses all that it has, and goes on. */
  lose(): Promise<void>
  stop(): Promise<void>
}

const LONG_MS = 60_000

export function sessionsContract(title: string, start: () => Promise<SessionsTest>): void {
  describe(title, () => {
    let test: SessionsTest
    beforeAll(async () => void (test = await start()))
    afterAll(async () => test.stop())

    const ask = (other: Partial<AdmissionAsk> = {}): AdmissionAsk => ({
      app: 'app',
      nonceHash: randomUUID(),
      nonceKeptUntil: test.now() + LONG_MS,
      tokenHash: null,
      now: test.now(),
      ...other,
    })
    const session = (tokenHash: string, livesMs = LONG_MS) => ({ tokenHash, expiresAt: test.now() + livesMs })

    it('lets one of many calls with one nonce through, on whichever instance they come', async () => {
      const same = ask()
      const calls = Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? test.one : test.other).admit(same))
      const fresh = (await Promise.all(calls)).filter((admission) => admission.fresh)
      expect(fresh).toHaveLength(1)
      expect((await test.other.admit(ask())).fresh).toBe(true)
    })

    it('keeps a nonce as long as it was told, and no longer', async () => {
      const short = ask({ nonceKeptUntil: test.now() + 300 })
      await test.one.admit(short)
      await test.pass(100)
      expect((await test.one.admit({ ...short, nonceKeptUntil: test.now() + LONG_MS })).fresh).toBe(false)
      await test.pass(400)
      expect((await test.one.admit(short)).fresh).toBe(true)
    })

    it('has no session where none was opened, and knows no token', async () => {
      expect(await test.one.admit(ask({ app: 'nobody', tokenHash: 'h' }))).toMatchObject({
        session: null,
        tokenApp: null,
      })
    })

    it('tells the newest session of an app on every instance, and whose each token is', async () => {
      const [first, second] = [session('hash-1'), session('hash-2')]
      await test.one.open('app-1', first, test.now() + LONG_MS)
      const held = await test.other.admit(ask({ app: 'app-1', tokenHash: 'hash-1' }))
      expect(held).toMatchObject({ session: first, tokenApp: 'app-1' })
      await test.other.open('app-1', second, test.now() + LONG_MS)
      const superseded = await test.one.admit(ask({ app: 'app-1', tokenHash: 'hash-1' }))
      expect(superseded).toMatchObject({ session: second, tokenApp: 'app-1' })
      const foreign = await test.one.admit(ask({ app: 'app-2', tokenHash: 'hash-2' }))
      expect(foreign).toMatchObject({ session: null, tokenApp: 'app-1' })
    })

    it('remembers a session that has expired until it may be forgotten', async () => {
      const short = session('hash-3', 50)
      await test.one.open('app-3', short, test.now() + 300)
      await test.pass(100)
      expect((await test.one.admit(ask({ app: 'app-3', tokenHash: 'hash-3' }))).session).toEqual(short)
      await test.pass(300)
      const later = await test.one.admit(ask({ app: 'app-3', tokenHash: 'hash-3' }))
      expect(later).toMatchObject({ session: null, tokenApp: null })
    })

    it('says since when it knows nonces: not before a loss, on every instance', async () => {
      await test.one.open('app-4', session('hash-4'), test.now() + LONG_MS)
      const before = await test.one.admit(ask())
      expect(before.since).toBeLessThanOrEqual(test.now())
      await test.pass(20)
      const lostAt = test.now()
      await test.lose()
      await test.pass(20)
      const after = await test.one.admit(ask({ app: 'app-4', tokenHash: 'hash-4' }))
      expect(after).toMatchObject({ fresh: true, session: null, tokenApp: null })
      expect(after.since).toBeGreaterThanOrEqual(lostAt)
      await test.pass(20)
      expect((await test.other.admit(ask())).since).toBe(after.since)
    })
  })
}
