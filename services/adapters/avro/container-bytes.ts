// Avro's primitive encodings, as container files need them without building objects: longs, lengths, texts.

/** Bytes that are no container file of ours, or not all of one. The message says what to do and quotes nothing. */
export class ContainerError extends Error {
  override readonly name = 'ContainerError'
}

/** Grows as needed; bytes are taken all at once. */
export class ByteWriter {
  #bytes: Buffer
  #at = 0

  constructor(size: number) {
    this.#bytes = Buffer.allocUnsafe(size)
  }

  get length(): number {
    return this.#at
  }

  long(value: number): void {
    this.#reserve(10)
    let rest = value < 0 ? -value * 2 - 1 : value * 2
    for (; rest > 127; rest = Math.floor(rest / 128)) this.#bytes[this.#at++] = (rest % 128) | 128
    this.#bytes[this.#at++] = rest
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.byteLength)
    this.#bytes.set(bytes, this.#at)
    this.#at += bytes.byteLength
  }

  bytes(bytes: Uint8Array): void {
    this.long(bytes.byteLength)
    this.raw(bytes)
  }

  text(text: string): void {
    this.bytes(Buffer.from(text))
  }

  /** What was written, which the next write overwrites. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.#at)
    this.#at = 0
    return taken
  }

  #reserve(count: number): void {
    if (this.#at + count <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + count))
    larger.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = larger
  }
}

/** Texts of a map that are kept for the next one. */
const MAX_KNOWN = 32

/** Reads what `ByteWriter` writes. Throws ContainerError when the bytes end too soon. */
export class ByteReader {
  readonly #bytes: Buffer
  /** The texts of the last map in their order, each with its length and bytes as they stood. */
  readonly #known: { readonly text: string; readonly bytes: Uint8Array }[] = []
  at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.at
  }

  long(): number {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.at++]
      if (byte === undefined || factor > Number.MAX_SAFE_INTEGER) throw endsTooSoon()
      value += (byte & 127) * factor
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    }
  }

  raw(length: number): Buffer {
    const start = this.#pass(length)
    return this.#bytes.subarray(start, this.at)
  }

  bytes(): Buffer {
    return this.raw(this.long())
  }

  /**
   * The next bytes with `before`, which was read a little earlier, directly in front of them. Moved in place, over what
   * lay between and is not needed any more: a copy of each value would take a tenth of the time of reading.
   */
  joined(before: Buffer, length: number): Buffer {
    const start = this.#pass(length) - before.length
    this.#bytes.set(before, start)
    return this.#bytes.subarray(start, this.at)
  }

  text(): string {
    const length = this.long()
    const start = this.#pass(length)
    return this.#bytes.toString('utf8', start, this.at)
  }

  /**
   * A map of texts: blocks of pairs until an empty one; a negative count is followed by the block's size. Names, and
   * some texts, are those of the map before: to know them again takes less than to make them.
   */
  map(): Record<string, string> {
    const texts: Record<string, string> = {}
    let place = 0
    for (let count = this.long(); count !== 0; count = this.long()) {
      if (count < 0) this.long()
      for (let left = Math.abs(count); left > 0; left--) {
        const name = this.#textAsBefore(place++)
        const text = this.#textAsBefore(place++)
        if (name !== '__proto__') texts[name] = text
      }
    }
    return texts
  }

  /** Goes on behind the next bytes. @returns where they begin. */
  #pass(length: number): number {
    if (length < 0 || length > this.left) throw endsTooSoon()
    const start = this.at
    this.at += length
    return start
  }

  /** @param place of the text in its map */
  #textAsBefore(place: number): string {
    const start = this.at
    const known = this.#known[place]
    if (known && this.#has(known.bytes)) {
      this.at += known.bytes.length
      return known.text
    }
    const text = this.text()
    if (place < MAX_KNOWN) this.#known[place] = { text, bytes: this.#bytes.subarray(start, this.at) }
    return text
  }

  #has(bytes: Uint8Array): boolean {
    for (let i = 0; i < bytes.length; i++) if (this.#bytes[this.at + i] !== bytes[i]) return false
    return true
  }
}

function endsTooSoon(): ContainerError {
  return new ContainerError('the file is damaged: a record ends too soon')
}
