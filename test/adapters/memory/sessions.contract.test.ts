// Sessions in memory: the contract of all sessions, and what is their own.

import { expect, it } from 'vitest'
import { createMemorySessions } from '../../../services/adapters/memory/sessions.ts'
import { StoreError } from '../../../services/ports/store.ts'
import { sessionsContract } from '../../ports/sessions-contract.ts'

sessionsContract('sessions in memory', async () => {
  let now = 1_700_000_000_000
  const sessions = createMemorySessions({ clock: { now: () => now } })
  return {
    one: sessions,
    other: sessions,
    now: () => now,
    pass: async (ms) => void (now += ms),
    lose: async () => sessions.lose(),
    stop: () => sessions.close(),
  }
})

const ASK = { app: 'a', nonceHash: 'n', nonceKeptUntil: 2, tokenHash: null, now: 1 }

it('sessions in memory that nothing was lost from are known since ever', async () => {
  const sessions = createMemorySessions({ clock: { now: () => 1 } })
  expect((await sessions.admit(ASK)).since).toBe(0)
})

it('sessions in memory fail when closed, as a store does', async () => {
  const sessions = createMemorySessions({ clock: { now: () => 1 } })
  await sessions.close()
  await expect(sessions.admit(ASK)).rejects.toThrow(StoreError)
})
