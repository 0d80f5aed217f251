// Raw HTTP over loopback, for what a client library would not send or would hide.

import { connect, type AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'

/** Listens on a free loopback port. */
export async function listen(app: FastifyInstance): Promise<number> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as AddressInfo).port
}

/** Sends bytes as they are; resolves with all that came back once the server closed, or after `waitMs`. */
export function sendRaw(port: number, chunks: readonly (string | Buffer)[], waitMs = 500): Promise<string> {
  return new Promise((resolve) => {
    let received = ''
    const socket = connect(port, '127.0.0.1', () => chunks.forEach((chunk) => socket.write(chunk)))
    const end = () => {
      clearTimeout(timer)
      socket.destroy()
      resolve(received)
    }
    const timer = setTimeout(end, waitMs)
    socket
      .setEncoding('utf8')
      .on('data', (text: string) => {
        received += text
      })
      .on('close', end)
      .on('error', () => {})
  })
}
