// Sends an error of the Aspen dialect: in the reason phrase, in the body, and with the page that explains it.

import type { FastifyReply } from 'fastify'
import type { AspenEvent } from './events.ts'

/** When to come back after a 503, in seconds: overload passes in moments, another instance is ready at once. */
const RETRY_AFTER_SECONDS = 1

export const RESPONSE_TIME_HEADER = 'x-pro-response-time'

/** Where the pages about events are: `/help/events/15852`. */
export const HELP_PATH = '/help/events'

/** Sends the error. @param publicUrl where callers reach the service; absent: as the call's Host says. */
export function sendEvent(reply: FastifyReply, event: AspenEvent, publicUrl: string | undefined): FastifyReply {
  const { status, eventId, message } = event
  if (status === 503 && !reply.hasHeader('retry-after')) void reply.header('retry-after', String(RETRY_AFTER_SECONDS))
  reply.raw.statusMessage = reasonPhrase(`${message} EventId: (${eventId})`)
  // Bytes, not text: Node would write the reason phrase together with a text, and in the text's UTF-8.
  return withTime(reply)
    .code(status)
    .header('cache-control', 'no-store')
    .header('x-request-id', reply.request.id)
    .header('x-pro-response-help', `${publicUrl ?? originOf(reply)}${HELP_PATH}/${eventId}`)
    .header('content-type', 'application/json; charset=utf-8')
    .send(Buffer.from(JSON.stringify({ eventId, message })))
}

/** Adds the time that the call took. */
export function withTime(reply: FastifyReply): FastifyReply {
  return reply.header(RESPONSE_TIME_HEADER, responseTime(reply.elapsedTime))
}

/** Milliseconds as `mm:ss:fff`. */
export function responseTime(ms: number): string {
  const whole = Math.max(0, Math.floor(ms))
  const two = (value: number) => String(value).padStart(2, '0')
  const minutes = Math.min(99, Math.floor(whole / 60_000))
  return `${two(minutes)}:${two(Math.floor(whole / 1_000) % 60)}:${String(whole % 1_000).padStart(3, '0')}`
}

/** A reason phrase holds Latin-1 without controls (RFC 9112, section 4): all else becomes a question mark. */
export function reasonPhrase(text: string): string {
  return text.replace(/[^\x20-\x7e\xa0-\xff]/g, '?')
}

const HOST = /^[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?$|^\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?$/

/** Where the caller reached the service, as it says itself: only the caller sees it again. */
function originOf({ request }: FastifyReply): string {
  const { host } = request.headers
  return host !== undefined && HOST.test(host) ? `http://${host}` : ''
}
