// The notary on memory: what it signs, and what restarts, a second notary and other keys do.

import { describe, expect, it } from 'vitest'
import { createSignatureVerifier, createSigner, publicKeysOf } from '../../services/adapters/keys/signing.ts'
import { logSource } from '../../services/audit/event-source.ts'
import { verify } from '../../services/audit/verify.ts'
import { TOPIC } from '../../services/runtime/topics.ts'
import {
  History,
  memoryLog,
  noting,
  notaryOn,
  OTHER_KEYS,
  sign,
  SIGNING_KEYS,
  untilCovered,
  verifier,
  wire,
} from './history.ts'

const verified = (log: ReturnType<typeof memoryLog>, keys = verifier) =>
  verify({ source: logSource(log), wire, verifier: keys })

describe('the notary', () => {
  it('covers every record that is there, in checkpoints that follow each other', async () => {
    const log = memoryLog()
    await log.publish(new History().some(730, 40))
    await sign(log)
    const { chain, faults, partitions } = await verified(log)
    expect(faults).toEqual([])
    expect(chain.checkpoints).toBeGreaterThanOrEqual(8)
    expect(chain.last?.sequence).toBe(chain.checkpoints)
    expect(partitions.reduce((sum, { covered }) => sum + covered, 0)).toBe(730)
    expect(partitions.reduce((sum, { after }) => sum + after, 0)).toBe(0)
  })

  it('goes on after a restart where the last checkpoint ends, and signs nothing when nothing came', async () => {
    const log = memoryLog()
    const history = new History()
    await log.publish(history.some(150, 9))
    await sign(log)
    const before = await verified(log)
    await sign(log)
    expect((await verified(log)).chain.last).toEqual(before.chain.last)
    await log.publish(history.some(150, 9))
    await sign(log)
    const after = await verified(log)
    expect(after.faults).toEqual([])
    expect(after.partitions.reduce((sum, { covered }) => sum + covered, 0)).toBe(300)
  })

  it('does no harm when two sign at once while records come', async () => {
    const log = memoryLog()
    const history = new History()
    const observers = [noting(), noting()]
    const two = await Promise.all(
      observers.map((observer) => notaryOn(log.client(), { observer, intervalMs: 1, maxRecords: 20 })),
    )
    for (let i = 0; i < 60; i++) {
      await log.publish(history.some(23, 11))
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    for (const notary of two) await untilCovered(log, notary)
    await Promise.all(two.map((notary) => notary.stop()))
    const { chain, faults, partitions } = await verified(log)
    expect(faults).toEqual([])
    expect(chain.superseded).toBeGreaterThan(0)
    expect(partitions.reduce((sum, { covered }) => sum + covered, 0)).toBe(60 * 23)
    expect(observers.map(({ noted }) => noted.contradictions)).toEqual([0, 0])
  })

  it('publishes again what was not taken, and what it does not know of', async () => {
    for (const when of ['before', 'after'] as const) {
      const log = memoryLog()
      await log.publish(new History().some(50, 5))
      log.failPublishes(2, when)
      const observer = noting()
      await sign(log, { observer })
      expect(observer.noted.failed).toBeGreaterThan(0)
      expect((await verified(log)).faults).toEqual([])
    }
  })

  it('goes on with a newer key, and both are checked', async () => {
    const log = memoryLog()
    const history = new History()
    await log.publish(history.some(50, 5))
    await sign(log)
    const rotated = [{ id: 'k2', key: Buffer.alloc(32, 3).toString('base64') }, ...SIGNING_KEYS]
    const both = createSignatureVerifier(publicKeysOf(rotated))
    await log.publish(history.some(50, 5))
    await sign(log, { signer: createSigner(rotated), verifier: both })
    const { chain, faults } = await verified(log, both)
    expect(faults).toEqual([])
    expect(chain.keyIds).toEqual(['k1', 'k2'])
    expect((await verified(log)).faults).toMatchObject([{ kind: 'wrong signature', topic: TOPIC.checkpoints }])
  })

  it('refuses to start where the newest checkpoint is of a key that it does not know', async () => {
    const log = memoryLog()
    await log.publish(new History().some(50, 5))
    await sign(log)
    const newer = [{ id: 'k2', key: Buffer.alloc(32, 3).toString('base64') }]
    const alone = { signer: createSigner(newer), verifier: createSignatureVerifier(publicKeysOf(newer)) }
    await expect(notaryOn(log, alone)).rejects.toThrow(/key k1, which SIGNING_KEYS lacks/)
  })

  it('passes over what is no checkpoint, or has a wrong signature, and signs on', async () => {
    const log = memoryLog()
    const history = new History()
    await log.publish(history.some(50, 5))
    await sign(log, { signer: createSigner(OTHER_KEYS), verifier: createSignatureVerifier(publicKeysOf(OTHER_KEYS)) })
    log.inject(TOPIC.checkpoints, 0, { value: Buffer.from('garbage') })
    await sign(log)
    const { faults, chain } = await verified(log)
    expect(faults[0]).toMatchObject({ kind: 'wrong signature', offset: 0n })
    expect(chain.checkpoints).toBe(0)
  })

  it('tells of records that are no events, and of a log that is not the one it signed', async () => {
    const log = memoryLog()
    await log.publish(new History().some(20, 5))
    log.inject(TOPIC.events, 1, { key: 'odd', value: Buffer.from('odd') })
    const observer = noting()
    await sign(log, { observer })
    expect(observer.noted.foreign).toBe(1)
    const other = memoryLog()
    for await (const { value, headers } of log.read(TOPIC.checkpoints, 0)) {
      await other.publish([{ topic: TOPIC.checkpoints, key: TOPIC.events, value: value ?? Buffer.alloc(0), headers }])
    }
    await expect(notaryOn(other)).rejects.toThrow(/not the log that was signed/)
  })
})
