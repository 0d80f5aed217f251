// Finds a text in bytes however it may have been written down: plain, in groups, as base64 at any offset, as hex.
export interface Haystack {
  readonly name: string
  readonly bytes: Buffer
}

export interface Needle {
  /** What it is, for the report: never the value. */
  readonly what: string
  readonly value: string
}

/** Where needles were found, as `what in file (writing)`. */
export function search(haystacks: readonly Haystack[], needles: readonly Needle[]): string[] {
  const found: string[] = []
  for (const { what, value } of needles) {
    for (const [writing, bytes] of writingsOf(value)) {
      for (const haystack of haystacks)
        if (haystack.bytes.includes(bytes)) found.push(`${what} in ${haystack.name} (${writing})`)
    }
  }
  return found
}

/** Ways to write a text down. */
export function writingsOf(value: string): readonly (readonly [string, Buffer])[] {
  const hex = Buffer.from(value).toString('hex')
  const texts: (readonly [string, string])[] = [
    ['plain', value],
    ['hex', hex],
    ['HEX', hex.toUpperCase()],
  ]
  if (/^\d{16}$/.test(value)) {
    for (const divider of [' ', '-'])
      texts.push([`groups by "${divider}"`, (value.match(/\d{4}/g) ?? []).join(divider)])
  }
  for (let offset = 0; offset < 3; offset++) {
    const core = base64Core(value, offset)
    texts.push(
      [`base64 at ${offset}`, core],
      [`base64url at ${offset}`, core.replaceAll('+', '-').replaceAll('/', '_')],
    )
  }
  return [
    ...texts.map(([writing, text]) => [writing, Buffer.from(text)] as const),
    ['UTF-16', Buffer.from(value, 'utf16le')],
  ]
}

/** The characters of base64 that depend on the text alone when it begins `offset` bytes into a group of three. */
function base64Core(value: string, offset: number): string {
  const encoded = Buffer.concat([Buffer.alloc(offset), Buffer.from(value)]).toString('base64')
  const end = Math.floor(((offset + Buffer.byteLength(value)) * 8) / 6)
  return encoded.slice(Math.ceil((offset * 8) / 6), end)
}
