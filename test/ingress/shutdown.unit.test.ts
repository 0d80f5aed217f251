// SIGTERM as the app sees it: `close` while calls are open.

import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, fetch } from 'undici'
import { describe, expect, it, vi } from 'vitest'
import type { Request } from '../../services/core/transaction/command.ts'
import { JSON_HEADERS, publishReply, PURCHASE, startIngress } from './harness.ts'
import { listen, sendRaw } from './sockets.ts'

const post = (port: number, consecutive: string, dispatcher?: Agent) =>
  fetch(`http://127.0.0.1:${port}/financial`, {
    method: 'POST',
    headers: JSON_HEADERS,
    body: JSON.stringify({ ...PURCHASE, consecutive }),
    ...(dispatcher ? { dispatcher } : {}),
  })

describe('an ingress that closes', () => {
  it('answers open calls, refuses new ones, and is gone right after', async () => {
    const held: Request[] = []
    const { app, log, published } = await startIngress({
      answer: (request) => {
        held.push(request)
        return null
      },
    })
    const port = await listen(app)
    const open = post(port, 'open-1')
    await vi.waitFor(() => expect(held).toHaveLength(1))
    const started = performance.now()
    const closed = app.close()
    await sleep(50)
    const refused = await post(port, 'new-1')
    expect([refused.status, refused.headers.get('retry-after'), refused.headers.get('connection')]).toEqual([
      503,
      '1',
      'close',
    ])
    expect(refused.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    const ready = await fetch(`http://127.0.0.1:${port}/health/ready`)
    expect([ready.status, await ready.json()]).toEqual([
      503,
      expect.objectContaining({ parts: expect.objectContaining({ accepting: false }) }),
    ])
    await publishReply(log, held[0] as Request, { responseCode: '00', authorizationNumber: '123456' })
    const answered = await open
    expect([answered.status, answered.headers.get('connection')]).toEqual([200, 'close'])
    expect(await answered.json()).toMatchObject({ consecutive: 'open-1', responseCode: '00' })
    await closed
    expect(performance.now() - started).toBeLessThan(1_500)
    expect(published).toHaveLength(1)
    await expect(post(port, 'new-2')).rejects.toThrow()
  })

  it('gives calls without a reply their 500 when the time is up', async () => {
    const { app } = await startIngress({
      limits: { replyTimeoutMs: 15_000, shutdownTimeoutMs: 300 },
      answer: () => null,
    })
    const port = await listen(app)
    const open = [post(port, 'open-1'), post(port, 'open-2')]
    await sleep(100)
    const started = performance.now()
    const closed = app.close()
    for (const response of await Promise.all(open)) {
      expect(response.status).toBe(500)
      expect(await response.text()).toMatch(/No se conoce el resultado/)
    }
    await closed
    expect(performance.now() - started).toBeLessThan(2_000)
  })

  it('does not wait for connections that are idle or send their body too slowly', async () => {
    const { app } = await startIngress({ answer: () => ({ responseCode: '55' }) })
    const port = await listen(app)
    const agent = new Agent({ keepAliveTimeout: 60_000 })
    await (await post(port, 'c-1', agent)).text()
    const { authorization } = JSON_HEADERS
    const head = `POST /financial HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n`
    const slow = sendRaw(port, [`${head}Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{`], 5_000)
    await sleep(100)
    const started = performance.now()
    await app.close()
    expect(performance.now() - started).toBeLessThan(2_000)
    await slow
    await agent.close()
  })
})
