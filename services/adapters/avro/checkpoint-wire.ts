// Checkpoints as messages. Their signatures are made and checked elsewhere.

import type { Headers } from '../../ports/log.ts'
import type { Checkpoint, Wire } from '../../ports/wire.ts'
import type { Dictionary } from './dictionary.ts'

/** @param headersOf CloudEvents attributes for a time, an id and a type. */
export function checkpointWire(
  dictionary: Dictionary,
  headersOf: (time: number, id: string, type: string) => Headers,
): Pick<Wire, 'encodeCheckpoint' | 'decodeCheckpoint'> {
  const message = dictionary.messageType('checkpoint')
  const read = dictionary.decoder([message])
  return {
    encodeCheckpoint(checkpoint) {
      const id = `${checkpoint.topic}#${checkpoint.sequence}`
      return { value: message.encode(checkpoint), headers: headersOf(checkpoint.signedAt, id, 'checkpoint.signed') }
    },
    decodeCheckpoint(value) {
      return read(value) as Checkpoint
    },
  }
}
