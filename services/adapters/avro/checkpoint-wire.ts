// Checkpoints as messages. Their signatures are made and checked elsewhere.

import type { Headers } from '../../ports/log.ts'
import { MalformedRecordError, type Checkpoint, type Wire } from '../../ports/wire.ts'
import { fingerprintOf, messageType } from './single-object.ts'

/** @param headersOf CloudEvents attributes for a time, an id and a type. */
export function checkpointWire(
  headersOf: (time: number, id: string, type: string) => Headers,
): Pick<Wire, 'encodeCheckpoint' | 'decodeCheckpoint'> {
  const message = messageType('checkpoint')
  return {
    encodeCheckpoint(checkpoint) {
      const id = `${checkpoint.topic}#${checkpoint.sequence}`
      return { value: message.encode(checkpoint), headers: headersOf(checkpoint.signedAt, id, 'checkpoint.signed') }
    },
    decodeCheckpoint(value) {
      if (fingerprintOf(value) !== message.fingerprint) throw new MalformedRecordError('not a message of checkpoint')
      return message.decode(value as Uint8Array) as Checkpoint
    },
  }
}
