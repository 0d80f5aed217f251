// Commands whose bytes are ours, for those of the rounds with their thousands of arguments: ioredis makes several strings
// of each argument and looks at each character three times. Replies come as ioredis' buffers.

import { Command } from 'ioredis'

const CR = 0x0d
const LF = 0x0a
const DOLLAR = 0x24
const ASTERISK = 0x2a
const ZERO = 0x30
/** Shorter strings are written faster character by character. */
const SHORT = 24
/** Around its bytes an argument has a sign, a length and two line ends. */
const FRAMING = 32
const FIRST_BYTES = 65_536
/** A scratch that one huge command has made larger is not kept. */
const KEPT_BYTES = 4_194_304

export type Argument = string | number | Uint8Array

/**
 * One command, its arguments in parts. They are not kept: no error of ioredis can quote them. Nor are its bytes once they
 * are sent: held until the reply, they were taken for long-lived, and only full collections freed them.
 */
export class PackedCommand extends Command {
  #bytes: Buffer | null

  constructor(name: string, ...parts: readonly (readonly Argument[])[]) {
    super(name)
    this.#bytes = scratch.pack(name, parts)
  }

  /** @throws Error when they were sent before: no command is sent again. */
  override toWritable(): Buffer {
    const bytes = this.#bytes
    if (!bytes) throw new Error('a command is sent once')
    this.#bytes = null
    return bytes
  }
}

/** Writes commands in the Redis serialization protocol, as arrays of bulk strings; text is UTF-8. */
class Scratch {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES)
  #at = 0

  pack(name: string, parts: readonly (readonly Argument[])[]): Buffer {
    this.#at = 0
    this.#length(
      ASTERISK,
      parts.reduce((count, { length }) => count + length, 1),
    )
    this.#text(name)
    for (const part of parts) {
      for (const argument of part) {
        if (typeof argument === 'string') this.#text(argument)
        else if (typeof argument === 'number') this.#text(String(argument))
        else this.#binary(argument)
      }
    }
    const packed = Buffer.from(this.#bytes.subarray(0, this.#at))
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = Buffer.allocUnsafe(FIRST_BYTES)
    return packed
  }

  /** Taken for ASCII, which nearly all is, until it proves to be longer. */
  #text(text: string): void {
    const { length } = text
    this.#room(3 * length)
    const start = this.#at
    this.#length(DOLLAR, length)
    const isAscii = length < SHORT ? this.#ascii(text) : this.#bytes.write(text, this.#at) === length
    if (!isAscii) {
      this.#at = start
      return this.#binary(Buffer.from(text))
    }
    this.#at += length
    this.#lineEnd()
  }

  /** @returns whether it was; `#at` stays where it is. */
  #ascii(text: string): boolean {
    let seen = 0
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      seen |= code
      this.#bytes[this.#at + i] = code
    }
    return seen < 0x80
  }

  #binary(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#length(DOLLAR, bytes.length)
    this.#bytes.set(bytes, this.#at)
    this.#at += bytes.length
    this.#lineEnd()
  }

  #length(sign: number, length: number): void {
    const digits = length < 10 ? 1 : length < 100 ? 2 : String(length).length
    this.#bytes[this.#at] = sign
    for (let i = this.#at + digits, rest = length; i > this.#at; i--) {
      this.#bytes[i] = ZERO + (rest % 10)
      rest = Math.trunc(rest / 10)
    }
    this.#at += digits + 1
    this.#lineEnd()
  }

  #lineEnd(): void {
    this.#bytes[this.#at++] = CR
    this.#bytes[this.#at++] = LF
  }

  /** Makes sure that so many bytes fit, with their framing. */
  #room(bytes: number): void {
    const needed = this.#at + bytes + FRAMING
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, needed))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }
}

const scratch = new Scratch()
