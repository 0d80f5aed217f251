// The wire in Avro: messages in single-object encoding, read whatever version wrote them, with CloudEvents headers in binary
// mode and traceparent.

import { scopeKey } from '../../core/transaction/scope.ts'
import { EPOCH_HEADER } from '../../core/subject/epochs.ts'
import type { AuthorizationEvent } from '../../core/subject/event.ts'
import type { Reply } from '../../core/transaction/reply.ts'
import type { Request } from '../../core/transaction/command.ts'
import type { Headers } from '../../ports/log.ts'
import type { DeadLetter, Encoded, Wire } from '../../ports/wire.ts'
import { checkpointWire } from './checkpoint-wire.ts'
import { eventHeads } from './event-head.ts'
import { requestOf } from './request-shape.ts'
import { ownDictionary, type Dictionary, type MessageType } from './dictionary.ts'
import { MAX_LETTER_BYTES } from './single-object.ts'

const SOURCE = '/payment-token-service'
const CONTENT_TYPE = 'application/avro'
const TOKEN_SHOWN = 'token-shown'

/** Every message of `schemas/`, of any version. One wire may be shared by a whole process. */
export function createAvroWire(dictionary: Dictionary = ownDictionary()): Wire {
  const request = dictionary.messageType('financial-request')
  const reply = dictionary.messageType('financial-reply')
  const deadLetter = dictionary.messageType('dead-letter')
  const decision = dictionary.messageType('decision-event')
  const events: Record<AuthorizationEvent['type'], MessageType> = {
    'transaction-decided': decision,
    'token-judged': decision,
    'transaction-pending': decision,
    'order-held': decision,
    'order-freed': decision,
    'transaction-refused': dictionary.messageType('refusal-event'),
    'rules-published': dictionary.messageType('rules-event'),
    'epoch-raised': dictionary.messageType('epoch-event'),
  }
  const readRequest = dictionary.decoder([request])
  const readReply = dictionary.decoder([reply])
  const readEvent = dictionary.decoder(Object.values(events))
  const readDeadLetter = dictionary.decoder([deadLetter], MAX_LETTER_BYTES)
  const headOf = eventHeads(dictionary, Object.values(events))

  return {
    encodeRequest({ body, replyPartition, traceparent }: Request): Encoded {
      const [id, content] =
        body.kind === 'INQUIRY'
          ? [body.inquiryId, { inquiry: body, replyPartition }]
          : [`${scopeKey(body.scope)}#${body.fingerprint}`, { command: body, replyPartition }]
      return { value: request.encode(content), headers: cloudEvent(id, 'financial.request', traceparent) }
    },
    decodeRequest({ value, headers }) {
      return { ...requestOf(readRequest(value)), traceparent: headers['traceparent'] }
    },
    encodeReply(answer: Reply, traceparent?: string): Encoded {
      const id = answer.inquiryId || `${answer.scope}#${answer.fingerprint}`
      const headers = cloudEvent(id, 'financial.reply', traceparent)
      return { value: reply.encode(answer), headers: { ...headers, [TOKEN_SHOWN]: answer.tokenShown ? '1' : '0' } }
    },
    decodeReply({ value, headers }) {
      return { ...(readReply(value) as Omit<Reply, 'tokenShown'>), tokenShown: headers[TOKEN_SHOWN] === '1' }
    },
    encodeEvent(event: AuthorizationEvent): Encoded {
      return { value: events[event.type].encode(event), headers: eventHeaders(event) }
    },
    decodeEvent(value) {
      return readEvent(value) as AuthorizationEvent
    },
    eventHead: headOf,
    ...checkpointWire(dictionary, (time, id, type) => timed(time, cloudEvent(id, type))),
    eventHeaders,
    encodeDeadLetter(letter: DeadLetter): Encoded {
      const id = `${letter.topic}-${letter.partition}-${letter.offset}`
      return {
        value: deadLetter.encode({ ...letter, offset: Number(letter.offset) }),
        headers: cloudEvent(id, 'record.dead-lettered'),
      }
    },
    decodeDeadLetter(value) {
      const letter = readDeadLetter(value) as Omit<DeadLetter, 'offset'> & { offset: number }
      return { ...letter, offset: BigInt(letter.offset) }
    },
  }
}

function eventHeaders(event: AuthorizationEvent): Headers {
  switch (event.type) {
    case 'transaction-decided':
    case 'token-judged':
    case 'transaction-pending':
    case 'order-held':
    case 'order-freed':
      return timed(event.drawn.now, cloudEvent(`${event.slot}#${event.version}`, event.type, event.traceparent))
    case 'transaction-refused':
      return timed(event.now, cloudEvent(event.id, event.type, event.traceparent))
    case 'rules-published':
      return timed(event.now, cloudEvent(event.id, event.type))
    case 'epoch-raised': {
      const headers = cloudEvent(`${event.epoch}.${event.runId}`, event.type)
      return timed(event.now, { ...headers, [EPOCH_HEADER]: String(event.epoch) })
    }
  }
}

/** The attributes that CloudEvents requires. Each header costs the Kafka client about as much as 100 bytes of value. */
function cloudEvent(id: string, type: string, traceparent?: string): Headers {
  const headers = { ce_specversion: '1.0', ce_id: id, ce_source: SOURCE, ce_type: type }
  return traceparent === undefined ? headers : { ...headers, traceparent }
}

/** What consumers outside see also has its time and its content type. */
function timed(time: number, headers: Headers): Headers {
  return { ...headers, ce_time: isoOf(time), 'content-type': CONTENT_TYPE }
}

/** The last time that was written out: many events of a round are of one millisecond. */
const last = { time: 0, text: new Date(0).toISOString() }

function isoOf(time: number): string {
  if (time !== last.time) {
    last.text = new Date(time).toISOString()
    last.time = time
  }
  return last.text
}
