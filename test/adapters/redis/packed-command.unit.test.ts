// The bytes of commands that are not written by ioredis, against those that it writes itself.

import { Command } from 'ioredis'
import { describe, expect, it } from 'vitest'
import { PackedCommand, type Argument } from '../../../services/adapters/redis/packed-command.ts'

/** As ioredis writes it. */
function plain(name: string, args: readonly Argument[]): Buffer {
  const command = new Command(
    name,
    args.map((argument) => (argument instanceof Uint8Array ? Buffer.from(argument) : String(argument))),
  )
  command.stringifyArguments()
  return Buffer.from(command.toWritable({}))
}

describe('a packed command', () => {
  it.each<[string, readonly Argument[]]>([
    ['no argument', []],
    ['plain keys, numbers and empty text', ['key:{D.i1.x}', 0, 7, 12, 1_795_302_000_000, '']],
    ['text around the length that is written in another way', [22, 23, 24, 25].map((length) => 'x'.repeat(length))],
    ['text that is not ASCII, short and long', ['ñ', 'Bogotá', 'niño '.repeat(20), '😀'.repeat(30), '\u0080', '字']],
    ['half a surrogate pair, which UTF-8 cannot hold', ['a\ud800b', `${'a'.repeat(40)}\udc00`]],
    ['bytes of every value', [Uint8Array.from({ length: 256 }, (_, n) => n), 'between', new Uint8Array(0)]],
    ['lengths of one to six digits', [1, 10, 100, 1_000, 10_000, 100_000].map((length) => 'y'.repeat(length))],
  ])('has the bytes that ioredis writes for %s', (_title, args) => {
    expect(new PackedCommand('mget', args).toWritable().equals(plain('mget', args))).toBe(true)
  })

  it('takes its arguments in parts, and is not changed by the next one', () => {
    const first = new PackedCommand('evalsha', ['sha', 1], ['key'], ['a', Uint8Array.of(1, 2)])
    new PackedCommand('mget', ['z'.repeat(200_000)])
    expect(first.toWritable().equals(plain('evalsha', ['sha', 1, 'key', 'a', Uint8Array.of(1, 2)]))).toBe(true)
  })

  it('gives its bytes once, and does not keep them', () => {
    const command = new PackedCommand('mget', ['key'])
    command.toWritable()
    expect(() => command.toWritable()).toThrow('a command is sent once')
  })

  it('keeps no argument that an error could quote', () => {
    expect(new PackedCommand('mget', ['canary']).args).toEqual([])
  })
})
