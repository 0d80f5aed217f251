import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frameRequest, type Framed, type Written } from '../../../services/adapters/kafka/request-frame.ts'

// kafkajs' own code, which nothing has replaced here.
const require = createRequire(import.meta.url)
const theirs = require('kafkajs/src/protocol/request.js') as (framed: Framed) => Promise<Written>
const Encoder = require('kafkajs/src/protocol/encoder.js') as new () => { writeBuffer(bytes: Buffer): Written }

describe('the head of a request', () => {
  it('and its body are in the same bytes as by kafkajs', async () => {
    const framed = fc.record({
      correlationId: fc.nat(),
      clientId: fc.oneof(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.constantFrom(null, undefined, '')),
      apiKey: fc.nat(74),
      apiVersion: fc.nat(17),
      body: fc.oneof(fc.uint8Array({ maxLength: 700 }), fc.constant(new Uint8Array(70_000).fill(3))),
    })
    await fc.assert(
      fc.asyncProperty(framed, async ({ correlationId, clientId, apiKey, apiVersion, body }) => {
        const encode = () => Promise.resolve(new Encoder().writeBuffer(Buffer.from(body)))
        const asked = { correlationId, clientId, request: { apiKey, apiVersion, encode } }
        expect((await frameRequest(asked)).buffer.equals((await theirs(asked)).buffer)).toBe(true)
      }),
    )
  })
})
