// A closed-loop load generator over HTTP/1.1: so many connections, each with one call in flight, each call followed by
// the next. Every generation is followed by the purchase that spends its token, so half of the calls are purchases. It
// speaks HTTP by hand, since a client library would take a good part of the machine that is measured.

import { connect, type Socket } from 'node:net'
import { build, type Histogram } from 'hdr-histogram-js'
import { MeasuredTime } from './measured-time.ts'

export interface Customer {
  readonly cardNumber: string
  readonly documentType: string
  readonly documentNumber: string
}

export interface LoadOptions {
  readonly urls: readonly string[]
  readonly authorization: string
  readonly customers: readonly Customer[]
  readonly inFlight: number
  /** That are measured; what the calls, which all begin at once, take to settle is not. */
  readonly seconds: number
  /** Makes the consecutives of a run its own. */
  readonly run: string
}

export interface LoadResult {
  /** All, those before and after what was measured too. */
  readonly calls: number
  /** Answered while so many were in flight. */
  readonly perSecond: number
  /** By HTTP status and response code, such as `200 00`. */
  readonly answers: Readonly<Record<string, number>>
  /** Microseconds, of calls that were begun while it was measured. */
  readonly latency: Histogram
}

const US_PER_MS = 1_000
const MAX_LATENCY_US = 60_000_000
const ACQUIRER = '"acquirer":{"id":"A1","storeId":"0001","terminalId":"T0000001"}'
const HEAD_END = '\r\n\r\n'
/** Of one read; an answer has some 500. */
const READ_BYTES = 4_096
const LENGTH = /content-length: (\d+)/i
const CODE = /"responseCode":"(\d\d)"/
const TOKEN = /"token":"(\d+)"/

/**
 * Runs for the given time and what it takes to settle, then lets the open calls end. @throws Error when a connection
 * breaks.
 */
export async function generateLoad(options: LoadOptions): Promise<LoadResult> {
  const { urls, inFlight, seconds, run, customers } = options
  const latency = build({ highestTrackableValue: MAX_LATENCY_US, numberOfSignificantValueDigits: 3 })
  const answers: Record<string, number> = {}
  const measured = new MeasuredTime(seconds)
  const { from, until } = measured
  let calls = 0
  let next = 0

  const loop = (connection: Connection) =>
    new Promise<void>((resolve, reject) => {
      connection.onBroken = reject
      const post = (body: string, go: (now: number, text: string) => void) => {
        const started = performance.now()
        connection.post(body, (status, text) => {
          const ended = performance.now()
          if (started >= from) latency.recordValue(Math.max(1, Math.round((ended - started) * US_PER_MS)))
          measured.answered(ended)
          const name = `${status} ${CODE.exec(text)?.[1] ?? ''}`
          answers[name] = (answers[name] ?? 0) + 1
          calls++
          go(ended, text)
        })
      }
      const generate = (now: number) => {
        if (now >= until) return resolve()
        const n = next++
        const { cardNumber, documentType, documentNumber } = customers[n % customers.length] as Customer
        const head = `{"consecutive":"${run}-${n}",${ACQUIRER},`
        const generation = `${head}"transactionCode":"TOKEN_GENERATION","document":{"type":"${documentType}","number":"${documentNumber}"}}`
        post(generation, (answeredAt, text) => {
          const token = TOKEN.exec(text)?.[1]
          if (token === undefined || answeredAt >= until) return generate(answeredAt)
          post(
            `${head}"transactionCode":"TOKEN_PURCHASE","cardNumber":"${cardNumber}","token":"${token}","accountType":"10","amount":10}`,
            generate,
          )
        })
      }
      generate(performance.now())
    })

  const urlOf = (slot: number) => new URL(urls[slot % urls.length] ?? '')
  const opening = Array.from({ length: inFlight }, (_, slot) => Connection.open(urlOf(slot), options.authorization))
  const connections = await Promise.all(opening)
  await Promise.all(connections.map(loop))
  for (const connection of connections) connection.close()
  return { calls, perSecond: measured.perSecond(), answers, latency }
}

type OnAnswer = (status: string, text: string) => void

/** One keep-alive connection with at most one call under way. Understands answers with a content length only. */
class Connection {
  readonly #socket: Socket
  readonly #head: string
  #received = ''
  #onAnswer: OnAnswer = () => undefined
  /** Also when it is closed while a call is under way. */
  onBroken: (error: Error) => void = () => undefined

  private constructor(url: URL, authorization: string) {
    // Into a buffer of its own: a stream of readable chunks takes a third of what the generator does.
    const buffer = Buffer.alloc(READ_BYTES)
    const onread = {
      buffer,
      callback: (bytes: number) => {
        this.#receive(buffer.toString('latin1', 0, bytes))
        return true
      },
    }
    const socket = connect({ port: Number(url.port), host: url.hostname, noDelay: true, onread })
    this.#socket = socket
    this.#head = `POST /financial HTTP/1.1\r\nHost: ${url.host}\r\nAuthorization: ${authorization}\r\nContent-Type: application/json\r\nContent-Length: `
    socket.on('error', (error) => this.onBroken(error))
    socket.on('close', () => this.onBroken(new Error('the connection was closed during a call')))
  }

  static async open(url: URL, authorization: string): Promise<Connection> {
    const connection = new Connection(url, authorization)
    const socket = connection.#socket
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return connection
  }

  /** @param body ASCII */
  post(body: string, onAnswer: OnAnswer): void {
    this.#onAnswer = onAnswer
    this.#socket.write(`${this.#head}${body.length}${HEAD_END}${body}`, 'latin1')
  }

  close(): void {
    this.onBroken = () => undefined
    this.#socket.destroy()
  }

  #receive(chunk: string): void {
    const received = this.#received + chunk
    const end = received.indexOf(HEAD_END)
    const start = end + HEAD_END.length
    const length = end < 0 ? Infinity : Number(LENGTH.exec(received)?.[1] ?? 0)
    if (received.length < start + length) {
      this.#received = received
      return
    }
    this.#received = ''
    this.#onAnswer(received.slice(9, 12), received.slice(start, start + length))
  }
}
