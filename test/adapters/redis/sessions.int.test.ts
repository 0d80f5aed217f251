// Sessions on a real Redis: the contract of all sessions, and what only a server and a network can do to them.

import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, it } from 'vitest'
import { keyNames } from '../../../services/adapters/redis/names.ts'
import { createRedisSessions } from '../../../services/adapters/redis/sessions.ts'
import { StoreError } from '../../../services/ports/store.ts'
import { sessionsContract } from '../../ports/sessions-contract.ts'
import { startProxy } from './proxy.ts'

const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms))
const stops: (() => Promise<void>)[] = []

async function start() {
  const url = process.env['REDIS_URL']
  if (url === undefined) throw new Error('REDIS_URL must name a real Redis')
  const real = new URL(url)
  const proxy = await startProxy({ host: real.hostname, port: Number(real.port || 6379) })
  const through = new URL(real)
  through.hostname = '127.0.0.1'
  through.port = String(proxy.port)
  const keyPrefix = `t${randomBytes(6).toString('hex')}:`
  const open = (at: URL) => createRedisSessions({ url: at.href, keyPrefix, commandTimeoutMs: 2_000 })
  const [one, other] = await Promise.all([open(through), open(real)])
  const admin = new Redis(real.href)
  const stop = async () => {
    await Promise.all([one.close(), other.close()])
    await proxy.close()
    admin.disconnect()
  }
  return {
    one,
    other,
    admin,
    proxy,
    keyPrefix,
    open: () => open(real),
    now: () => Date.now(),
    pass: pause,
    // The server is shared, so only what this test wrote may go.
    lose: async () => {
      const keys = await admin.keys(`${keyPrefix}*`)
      await admin.del(...keys)
    },
    stop,
  }
}

async function startForOne() {
  const test = await start()
  stops.push(test.stop)
  return test
}
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

sessionsContract('sessions on Redis', start)

const ask = (now: number) => ({
  app: 'app',
  nonceHash: randomBytes(8).toString('hex'),
  nonceKeptUntil: now + 60_000,
  tokenHash: 'hash',
  now,
})

describe('sessions on Redis', () => {
  it('write every entry with the expiry that was given, but the stamp', async () => {
    const { one, admin, keyPrefix, now } = await startForOne()
    const until = now() + 60_000
    const { nonceHash } = ask(now())
    await one.admit({ ...ask(now()), nonceHash, nonceKeptUntil: until })
    await one.open('app', { tokenHash: 'hash', expiresAt: until - 1 }, until)
    const keys = (await admin.keys(`${keyPrefix}*`)).map((key) => key.slice(keyPrefix.length)).toSorted()
    expect(keys).toEqual([
      `sessions:nonce:{${nonceHash}}`,
      'sessions:of:{app}',
      'sessions:since',
      'sessions:token:{hash}',
      'store:marker',
    ])
    const timed = keys.filter((key) => key.includes('{'))
    for (const key of timed) expect(await admin.pexpiretime(keyPrefix + key)).toBe(until)
    for (const key of keys) expect(keyNames(keyPrefix).parse(keyPrefix + key)).toBeNull()
  })

  it('count as lost what a Redis of another process has', async () => {
    const { one, other, admin, keyPrefix } = await startForOne()
    await one.admit(ask(Date.now()))
    await admin.set(`${keyPrefix}sessions:since`, `${'0'.repeat(40)} 1000`)
    const before = Date.now()
    const { since } = await one.admit(ask(before))
    expect(since).toBe(before)
    expect((await other.admit(ask(before + 500))).since).toBe(before)
  })

  it('are known since they began when an instance starts again', async () => {
    const { one, open } = await startForOne()
    const { since } = await one.admit(ask(Date.now()))
    await pause(20)
    const later = await open()
    expect((await later.admit(ask(Date.now()))).since).toBe(since)
    await later.close()
  })

  it('fail while Redis cannot be reached, and go on by themselves when it can', async () => {
    const { one, proxy } = await startForOne()
    proxy.cut()
    await expect(one.admit(ask(Date.now()))).rejects.toThrow(StoreError)
    const deadline = Date.now() + 5_000
    for (let back = false; !back; await pause(20)) {
      expect(Date.now()).toBeLessThan(deadline)
      back = await one.admit(ask(Date.now())).then(
        ({ fresh }) => fresh,
        () => false,
      )
    }
  })
})
