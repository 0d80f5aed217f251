// A receiver of webhooks as somebody outside would write it, that answers as it is told and remembers what came.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'

export const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

export interface Received {
  readonly id: string
  /** When it came, by performance.now(). */
  readonly at: number
  readonly type: string
  readonly data: { readonly consecutive: string; readonly subject: string; readonly version: number } & object
}

/** How to answer a call: a status, or a way to fail. */
export type Answer = number | 'reset' | 'silence' | { readonly afterMs: number }

export class Receiver {
  /** Calls with a right signature, in the order they came, however they were answered. */
  readonly calls: Received[] = []
  /** Those that were answered with 2xx. */
  readonly taken: Received[] = []
  url = ''
  /** Decides on each call; 204 by default. */
  answer: (call: Received, nth: number) => Answer = () => 204
  readonly #server: Server
  readonly #webhook = new Webhook(SECRET)

  private constructor() {
    this.#server = createServer((request, response) => void this.#receive(request, response))
  }

  static async start(): Promise<Receiver> {
    const receiver = new Receiver()
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve))
    receiver.url = `http://127.0.0.1:${(receiver.#server.address() as AddressInfo).port}/hook`
    return receiver
  }

  /** Consecutives of what was taken, each once, in order. */
  get consecutives(): readonly string[] {
    return [...new Set(this.taken.map(({ data }) => data.consecutive))]
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request)
    const headers = request.headers as Record<string, string>
    const event = this.#webhook.verify(body, headers) as Pick<Received, 'type' | 'data'>
    const call = { ...event, id: headers['webhook-id'] ?? '', at: performance.now() }
    this.calls.push(call)
    const answer = this.answer(call, this.calls.length)
    if (answer === 'silence') return
    if (answer === 'reset') return void request.socket.resetAndDestroy()
    if (typeof answer === 'object') await new Promise((resolve) => setTimeout(resolve, answer.afterMs))
    const status = typeof answer === 'number' ? answer : 204
    if (status < 300) this.taken.push(call)
    response.writeHead(status).end()
  }
}
