// avsc's tap, its view of the bytes that it reads and writes, with faster strings. The bytes are avsc's own.

import { createRequire } from 'node:module'
import type { Type } from 'avsc'

/** avsc's tap. Past the end of `buf` it fails silently: `pos` goes on, and says how much there was. */
export interface AvscTap {
  readonly buf: Buffer
  pos: number
  isValid(): boolean
  readLong(): number
  writeLong(value: number): void
  readString(): string
  skipString(): void
  writeString(text: string): void
}

/** What avsc has on every type and its declarations leave out. */
export interface Codec {
  _read(tap: AvscTap): unknown
  _skip(tap: AvscTap): void
  _write(tap: AvscTap, value: unknown): void
}

export function codecOf(type: Type): Codec {
  return type as unknown as Codec
}

const { Tap: BaseTap } = createRequire(import.meta.url)('avsc/lib/utils') as {
  readonly Tap: new (buf: Buffer, pos: number) => AvscTap
}

/** Characters of ASCII whose length takes one byte; nearly all of our texts. */
const MAX_SHORT = 63
const ASCII_END = 0x80
const { charCodeAt } = String.prototype

export class Tap extends BaseTap {
  override writeString(text: string): void {
    if (text.length > MAX_SHORT || !this.#writeShort(text)) super.writeString(text)
  }

  /**
   * False when the text has other characters. What is past the end of `buf` falls nowhere, as in avsc.
   *
   * V8 has many kinds of strings (slices, concatenations, …), and where it has met more than a few of them it looks
   * `text.charCodeAt` up anew for each character; called like this it is compiled in. Without that an event takes more
   * than twice the time to write.
   */
  #writeShort(text: string): boolean {
    const { buf, pos } = this
    const { length } = text
    for (let at = 0; at < length; at++) {
      const code = charCodeAt.call(text, at)
      if (code >= ASCII_END) return false
      buf[pos + 1 + at] = code
    }
    buf[pos] = length << 1
    this.pos = pos + 1 + length
    return true
  }
}
