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

  const loop = async (slot: number): Promise<void> => {
    const connection = await Connection.open(new URL(urls[slot % urls.length] ?? ''), options.authorization)
    const post = async (body: string): Promise<string> => {
      const started = performance.now()
      const { status, text } = await connection.post(body)
      const ended = performance.now()
      if (started >= from) latency.recordValue(Math.max(1, Math.round((ended - started) * US_PER_MS)))
      measured.answered(ended)
      const name = `${status} ${CODE.exec(text)?.[1] ?? ''}`
      answers[name] = (answers[name] ?? 0) + 1
      calls++
      return text
    }
    while (performance.now() < until) {
      const n = next++
      const { cardNumber, documentType, documentNumber } = customers[n % customers.length] as Customer
      const head = `{"consecutive":"${run}-${n}",${ACQUIRER},`
      const generated = await post(
        `${head}"transactionCode":"TOKEN_GENERATION","document":{"type":"${documentType}","number":"${documentNumber}"}}`,
      )
      const token = TOKEN.exec(generated)?.[1]
      if (token === undefined || performance.now() >= until) continue
      await post(
        `${head}"transactionCode":"TOKEN_PURCHASE","cardNumber":"${cardNumber}","token":"${token}","accountType":"10","amount":10}`,
      )
    }
    connection.close()
  }

  await Promise.all(Array.from({ length: inFlight }, (_, slot) => loop(slot)))
  return { calls, perSecond: measured.perSecond(), answers, latency }
}

interface Answer {
  readonly status: string
  readonly text: string
}

/** One keep-alive connection with at most one call under way. Understands answers with a content length only. */
class Connection {
  readonly #socket: Socket
  readonly #head: string
  #received = ''
  #settle: PromiseWithResolvers<Answer> | null = null

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
    socket.on('error', (error) => this.#settle?.reject(error))
    socket.on('close', () => this.#settle?.reject(new Error('the connection was closed during a call')))
  }

  static async open(url: URL, authorization: string): Promise<Connection> {
    const connection = new Connection(url, authorization)
    const socket = connection.#socket
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return connection
  }

  /** @param body ASCII */
  post(body: string): Promise<Answer> {
    this.#settle = Promise.withResolvers<Answer>()
    this.#socket.write(`${this.#head}${body.length}${HEAD_END}${body}`, 'latin1')
    return this.#settle.promise
  }

  close(): void {
    this.#settle = null
    this.#socket.destroy()
  }

  #receive(chunk: string): void {
    this.#received += chunk
    const end = this.#received.indexOf(HEAD_END)
    if (end < 0) return
    const length = Number(LENGTH.exec(this.#received.slice(0, end))?.[1] ?? 0)
    const start = end + HEAD_END.length
    if (this.#received.length < start + length) return
    const answer = { status: this.#received.slice(9, 12), text: this.#received.slice(start, start + length) }
    this.#received = this.#received.slice(start + length)
    this.#settle?.resolve(answer)
  }
}
