// Cards of a range whose funds another authorizer holds: the number goes sealed, its key into the store before that.

import { describe, expect, it } from 'vitest'
import type { TokenSpending } from '../../../services/core/transaction/command.ts'
import type { RemoteCards } from '../../../services/ingress/deps.ts'
import { StoreError, type Secret } from '../../../services/ports/store.ts'
import { readEmbeddedConfig } from '../../../services/runtime/config-embedded.ts'
import { approve, CARD, GENERATION, ingressPerTest, keys, PURCHASE, REVERSAL } from '../harness.ts'

const start = ingressPerTest()
const REMOTE = { ...PURCHASE, cardNumber: '4111111111111111' }
const SCOPE = 'A1:TOKEN_PURCHASE:buy-1'
const NOW = 1_700_000_000_000

function store(fails = false): RemoteCards & { readonly kept: (Secret & { slot: string })[]; onStash: () => void } {
  const kept: (Secret & { slot: string })[] = []
  const made = {
    ranges: ['4111', '5'],
    kept,
    onStash: () => undefined,
    secrets: {
      stash: async (slot: string, secrets: readonly Secret[]) => {
        made.onStash()
        if (fails) throw new StoreError('no answer')
        kept.push(...secrets.map((secret) => ({ ...secret, slot })))
      },
    },
  }
  return made
}

describe('a purchase with a card of a remote range', () => {
  it('goes with its number sealed under a key that is kept first, until just beyond the deadline', async () => {
    const remoteCards = store()
    const h = await start({ answer: approve, remoteCards, now: () => NOW })
    remoteCards.onStash = () => expect(h.published).toHaveLength(0)
    expect((await h.post(REMOTE)).body.responseCode).toBe('00')
    const command = h.requests[0]?.body as TokenSpending
    expect(command).toMatchObject({ remote: true, sealedNumber: expect.any(String) as string })
    const [secret] = remoteCards.kept
    expect(remoteCards.kept).toHaveLength(1)
    expect(secret).toMatchObject({ slot: `@${SCOPE}`, expiresAt: NOW + 2_000 + 5_000 })
    expect(secret?.name).toMatch(/^cardkey:A1:TOKEN_PURCHASE:buy-1:/)
    expect(keys.openCard(command.sealedNumber ?? '', secret?.value ?? '', SCOPE)).toBe(REMOTE.cardNumber)
    const bytes = Buffer.from(h.published[0]?.value ?? []).toString('latin1')
    expect(bytes + JSON.stringify(remoteCards.kept)).not.toContain(REMOTE.cardNumber)
  })

  it('keeps a key for each time it is sent, since each is sealed anew', async () => {
    const remoteCards = store()
    const { post, requests } = await start({ answer: approve, remoteCards })
    await Promise.all([post(REMOTE), post(REMOTE)])
    expect(new Set(remoteCards.kept.map(({ name }) => name)).size).toBe(2)
    for (const { body } of requests) {
      const { sealedNumber = '' } = body as TokenSpending
      const secret = remoteCards.kept.find(({ name }) => name.endsWith(`:${sealedNumber.slice(0, 16)}`))
      expect(keys.openCard(sealedNumber, secret?.value ?? '', SCOPE)).toBe(REMOTE.cardNumber)
    }
  })

  it('is 503, and nothing is published, when the store may not have kept the key', async () => {
    const { post, published, lines } = await start({ answer: approve, remoteCards: store(true) })
    const { status, headers } = await post(REMOTE)
    expect(status).toBe(503)
    expect(headers['retry-after']).toBeDefined()
    expect(published).toHaveLength(0)
    expect(JSON.stringify(lines)).not.toContain(REMOTE.cardNumber)
  })

  it('is told from all others by its leading digits', async () => {
    const remoteCards = store()
    const { post, requests } = await start({ answer: approve, remoteCards })
    await post({ ...PURCHASE, consecutive: 'a' })
    await post({ ...GENERATION, cardNumber: REMOTE.cardNumber })
    await post(REVERSAL)
    expect(remoteCards.kept).toHaveLength(0)
    for (const { body } of requests) expect(body).not.toHaveProperty('remote', true)
    await post({ ...REMOTE, consecutive: 'b', transactionCode: 'TOKEN_WITHDRAWAL' })
    expect(remoteCards.kept).toHaveLength(1)
  })
})

describe('REMOTE_CARD_RANGES', () => {
  it('is leading digits, and none by default', () => {
    expect(readEmbeddedConfig({}).remoteCardRanges).toEqual([])
    const REMOTE_CARD_RANGES = '411111, 5555'
    expect(readEmbeddedConfig({ REMOTE_CARD_RANGES }).remoteCardRanges).toEqual(['411111', '5555'])
    expect(() => readEmbeddedConfig({ REMOTE_CARD_RANGES: CARD })).toThrow(/^REMOTE_CARD_RANGES: must be at most/)
  })
})
