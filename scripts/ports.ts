// Loopback ports for servers: finds free ones, and tells whether a given one can be had.
import { createServer } from 'node:net'

export const LOOPBACK = '127.0.0.1'
// Below the range the kernel gives to outgoing connections: a client that keeps calling a dead server's port could
// otherwise be given that very port as its own and answer itself.
const FIRST_PORT = 15_000
const LAST_PORT = 31_999
const MAX_TRIES = 100

export async function portIsFree(port: number, host = LOOPBACK): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** A port that was free a moment ago. Throws after a bounded number of tries. */
export async function freePort(): Promise<number> {
  for (let n = 0; n < MAX_TRIES; n++) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT + 1))
    if (await portIsFree(port)) return port
  }
  throw new Error(`no free port between ${FIRST_PORT} and ${LAST_PORT} in ${MAX_TRIES} tries`)
}

/** Throws, naming the variable that moves it, when a fixed port is taken. */
export async function requirePort(port: number, what: string, variable: string, host = LOOPBACK): Promise<void> {
  if (await portIsFree(port, host)) return
  throw new Error(`port ${port} for ${what} is taken; end what listens there or set ${variable} to another port`)
}
