// A wire between a test and a server that can be cut, and can fall silent. For tests only.

import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface Proxy {
  readonly port: number
  /** Close every connection, as a failing network does. */
  cut(): void
  /** Refuse or accept connections from now on. */
  refuse(refused: boolean): void
  /** Hold back what the server says, until told otherwise. */
  silence(silent: boolean): void
  close(): Promise<void>
}

export async function startProxy(target: { readonly host: string; readonly port: number }): Promise<Proxy> {
  const open = new Set<Socket>()
  const upstreams = new Set<Socket>()
  let refused = false
  let silent = false
  const server = createServer((client) => {
    if (refused) return void client.destroy()
    const upstream = connect(target)
    open.add(client)
    upstreams.add(upstream)
    if (silent) upstream.pause()
    client.pipe(upstream)
    upstream.on('data', (bytes) => void client.write(bytes))
    const end = (): void => {
      client.destroy()
      upstream.destroy()
      open.delete(client)
      upstreams.delete(upstream)
    }
    for (const socket of [client, upstream]) socket.on('close', end).on('error', end)
    if (silent) upstream.pause()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    cut: () => open.forEach((socket) => socket.destroy()),
    refuse: (value) => void (refused = value),
    silence(value) {
      silent = value
      for (const upstream of upstreams)
        if (value) upstream.pause()
        else upstream.resume()
    },
    async close() {
      open.forEach((socket) => socket.destroy())
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
