// Asks a Redis directly, as redis-cli would, so that a test sees what is stored and not what an adapter makes of it.
import { connect } from 'node:net'

export type RedisReply = Buffer | number | null | readonly RedisReply[]

const TIMEOUT_MS = 10_000
const CRLF = '\r\n'

/** One connection: sends every command, then resolves with their replies in order. Throws when Redis says an error. */
export async function askRedis(url: string, commands: readonly (readonly string[])[]): Promise<readonly RedisReply[]> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), timeout: TIMEOUT_MS })
    const chunks: Buffer[] = []
    socket.write(commands.map(encode).join(''))
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      try {
        const replies = decodeAll(Buffer.concat(chunks), commands.length)
        if (replies === null) return
        socket.destroy()
        resolve(replies)
      } catch (error) {
        socket.destroy()
        reject(error as Error)
      }
    })
    socket.on('error', reject)
    socket.on('timeout', () => socket.destroy(new Error('Redis does not answer')))
    socket.on('close', () => reject(new Error('Redis closed the connection')))
  })
}

/** Whether it takes commands: not while it loads its data. */
export async function redisAnswers(url: string): Promise<boolean> {
  return askRedis(url, [['PING']]).then(
    () => true,
    () => false,
  )
}

function encode(command: readonly string[]): string {
  const parts = command.map((part) => `$${Buffer.byteLength(part)}${CRLF}${part}${CRLF}`)
  return `*${command.length}${CRLF}${parts.join('')}`
}

/** null: more is to come. */
function decodeAll(bytes: Buffer, count: number): RedisReply[] | null {
  const replies: RedisReply[] = []
  let at = 0
  while (replies.length < count) {
    const read = decode(bytes, at)
    if (read === null) return null
    replies.push(read.reply)
    at = read.next
  }
  return replies
}

function decode(bytes: Buffer, at: number): { readonly reply: RedisReply; readonly next: number } | null {
  const end = bytes.indexOf(CRLF, at)
  if (end < 0) return null
  const head = bytes.subarray(at + 1, end).toString()
  const after = end + CRLF.length
  switch (String.fromCharCode(bytes[at] ?? 0)) {
    case '+':
      return { reply: Buffer.from(head), next: after }
    case ':':
      return { reply: Number(head), next: after }
    case '-':
      throw new Error(`Redis says: ${head}`)
    case '$': {
      if (head === '-1') return { reply: null, next: after }
      const next = after + Number(head) + CRLF.length
      return bytes.length < next ? null : { reply: bytes.subarray(after, next - CRLF.length), next }
    }
    case '*':
      return decodeArray(bytes, after, Number(head))
    default:
      throw new Error('no reply of Redis')
  }
}

function decodeArray(bytes: Buffer, start: number, count: number): { reply: RedisReply; next: number } | null {
  const items: RedisReply[] = []
  let next = start
  while (items.length < count) {
    const item = decode(bytes, next)
    if (item === null) return null
    items.push(item.reply)
    next = item.next
  }
  return { reply: items, next }
}
