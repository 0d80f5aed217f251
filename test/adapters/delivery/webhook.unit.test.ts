// Delivery by webhook against a real HTTP receiver that fails in turns, and the channel that delivers nowhere.

import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'
import { afterEach, describe, expect, it } from 'vitest'
import { createDebugDelivery } from '../../../services/adapters/delivery/debug.ts'
import { createWebhookDelivery } from '../../../services/adapters/delivery/webhook.ts'
import { createWebhookEndpoint } from '../../../services/adapters/http/webhook-endpoint.ts'
import type { DeliveryChannel, TokenMessage } from '../../../services/ports/delivery.ts'

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const MESSAGE: TokenMessage = {
  id: 'consecutive-1',
  clientId: 'org',
  appKey: 'aspen-app',
  document: { type: 'CC', number: '1012345678' },
  token: '482915',
  expiresAt: Date.UTC(2030, 0, 1),
  amountMinor: 2_500_000,
  tags: { TerminalId: 'T1' },
}

/** A status, with headers; or silence. */
type Turn = number | { readonly status: number; readonly retryAfter: string } | 'silence'

let server: Server | undefined
let channel: DeliveryChannel | undefined
afterEach(() => {
  channel?.close()
  server?.closeAllConnections()
  server?.close()
})

async function receiver(turns: readonly Turn[], timeoutMs = 3_000) {
  const seen: { readonly headers: IncomingMessage['headers']; readonly body: string }[] = []
  const lines: object[] = []
  server = createServer((request, response) => {
    void text(request).then((body) => {
      const turn = turns[seen.length] ?? turns.at(-1) ?? 500
      seen.push({ headers: request.headers, body })
      if (turn === 'silence') return
      const { status, retryAfter } = typeof turn === 'number' ? { status: turn } : turn
      response.writeHead(status, retryAfter === undefined ? {} : { 'retry-after': retryAfter }).end('482915')
    })
  })
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const endpoint = createWebhookEndpoint({ url: `http://127.0.0.1:${port}/tokens`, secrets: [SECRET] })
  const log = { warn: (fields: object, message: string) => void lines.push({ ...fields, message }) }
  channel = createWebhookDelivery({ endpoint, timeoutMs, log })
  return { channel, seen, lines }
}

describe('delivery by webhook', () => {
  it('posts a signed message that holds what its receiver needs', async () => {
    const { channel: to, seen, lines } = await receiver([204])
    expect(await to.deliver(MESSAGE)).toBe(true)
    const { headers = {}, body = '' } = seen[0] ?? {}
    expect(new Webhook(SECRET).verify(body, headers as Record<string, string>)).toEqual({
      type: 'token.send',
      timestamp: expect.stringMatching(/^\d{4}-/) as unknown,
      data: {
        clientId: 'org',
        appKey: 'aspen-app',
        docType: 'CC',
        docNumber: '1012345678',
        token: '482915',
        expiresAt: '2030-01-01T00:00:00.000Z',
        amount: 25_000,
        tags: { TerminalId: 'T1' },
      },
    })
    expect(lines).toEqual([])
  })

  it('tries again under the same id while the receiver fails for a time', async () => {
    const { channel: to, seen } = await receiver([500, 429, 200])
    expect(await to.deliver(MESSAGE)).toBe(true)
    expect(seen.map(({ headers }) => headers['webhook-id'])).toEqual(Array(3).fill('consecutive-1'))
  })

  it.each([400, 404, 410, 301])(
    'does not try again after %d, which another attempt would not change',
    async (status) => {
      const { channel: to, seen, lines } = await receiver([status])
      expect(await to.deliver(MESSAGE)).toBe(false)
      expect(seen).toHaveLength(1)
      expect(lines).toEqual([
        { reason: status === 410 ? 'gone' : `status-${status}`, attempt: 1, message: 'not delivered' },
      ])
    },
  )

  it('gives up after four attempts', async () => {
    const { channel: to, seen } = await receiver([503])
    expect(await to.deliver(MESSAGE)).toBe(false)
    expect(seen).toHaveLength(4)
  })

  it('gives up at its deadline, asking a receiver that hangs a second time, and tells nothing of what was sent', async () => {
    const { channel: to, seen, lines } = await receiver(['silence'], 1_500)
    const began = performance.now()
    expect(await to.deliver(MESSAGE)).toBe(false)
    expect(performance.now() - began).toBeLessThan(3_000)
    expect(seen).toHaveLength(2)
    expect(JSON.stringify(lines)).not.toMatch(/482915|1012345678/)
  })

  it('does not wait longer than its deadline for a receiver that asks it to', async () => {
    const { channel: to, seen } = await receiver([{ status: 503, retryAfter: '60' }])
    const began = performance.now()
    expect(await to.deliver(MESSAGE)).toBe(false)
    expect(performance.now() - began).toBeLessThan(5_000)
    expect(seen).toHaveLength(1)
  })

  it('fails when nobody is there', async () => {
    const lines: object[] = []
    const endpoint = createWebhookEndpoint({ url: 'http://127.0.0.1:1/x', secrets: [SECRET] })
    channel = createWebhookDelivery({ endpoint, timeoutMs: 300, log: { warn: (fields) => void lines.push(fields) } })
    expect(await channel.deliver(MESSAGE)).toBe(false)
    expect(lines).toMatchObject([{ reason: 'ECONNREFUSED' }])
  })
})

describe('the debug channel', () => {
  it('delivers, and keeps nothing that could be asked for', async () => {
    const debug = createDebugDelivery()
    expect(await debug.deliver(MESSAGE)).toBe(true)
    expect(JSON.stringify(debug)).not.toContain('482915')
    expect(Object.values(debug).filter((part) => typeof part !== 'function')).toEqual([debug.key, debug.name])
  })
})
