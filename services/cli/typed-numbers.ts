// Card, document and token numbers that a person gives to a command line. They come from a prompt that does not show
// them, from standard input or from a file, never from arguments, which every user of the machine can see. They are
// hashed here and go no further; no message quotes them.

import { open } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { passesLuhn } from '../core/card/mask.ts'

/** Bytes of what is typed or piped in. A number has some twenty. */
const MAX_BYTES = 1_024

export const DOCUMENT_TYPES = ['CC', 'CE', 'TI', 'NIT', 'PAS', 'PPT', 'RC'] as const
export type DocumentType = (typeof DOCUMENT_TYPES)[number]

/** What was given is no number of the kind that was asked for, or nothing was given. The message may be printed. */
export class TypedNumberError extends Error {
  override readonly name = 'TypedNumberError'
}

export interface Terminal {
  readonly acquirerId: string
  readonly storeId: string
  readonly terminalId: string
}

export interface NumberSource {
  /** A file whose first line holds it. */
  readonly file?: string
  readonly input?: NodeJS.ReadStream
  readonly output?: NodeJS.WritableStream
}

/**
 * The number, without the spaces and hyphens that people put in. @throws TypedNumberError; the system's error when the
 * file cannot be read.
 */
export async function askNumber(
  what: string,
  { file, input = process.stdin, output = process.stderr }: NumberSource = {},
): Promise<string> {
  const line = await (file !== undefined ? firstLineOf(file) : input.isTTY ? prompt(what, input, output) : piped(input))
  const text = line.replace(/[\s-]/g, '')
  if (text === '') throw new TypedNumberError(`no ${what} was given: type it, pipe it in or name a file that holds it`)
  return text
}

/** @throws TypedNumberError unless it has 13-19 digits and a right check digit. */
export function cardNumberOf(text: string): string {
  if (/^[0-9]{13,19}$/.test(text) && passesLuhn(text)) return text
  throw new TypedNumberError('this is no card number: 13 to 19 digits, of which the last checks the others')
}

/** As it is hashed: type and number. @throws TypedNumberError */
export function documentOf(type: DocumentType, text: string): string {
  const form = type === 'PAS' ? /^[A-Za-z0-9]{1,18}$/ : /^[0-9]{1,18}$/
  if (form.test(text)) return `${type}:${text}`
  throw new TypedNumberError(`this is no number of a ${type}: 1 to 18 digits${type === 'PAS' ? ' or letters' : ''}`)
}

/** @throws TypedNumberError unless it is made of digits. */
export function tokenOf(text: string): string {
  if (/^[0-9]{1,19}$/.test(text)) return text
  throw new TypedNumberError('this is no payment token: 1 to 19 digits')
}

/** `acquirer:store:terminal`, which is no secret. @throws TypedNumberError */
export function terminalOf(text: string): Terminal {
  const [, acquirerId, storeId, terminalId] =
    /^([A-Za-z0-9]{1,11}):([A-Za-z0-9]{1,15}):([A-Za-z0-9]{1,8})$/.exec(text) ?? []
  if (acquirerId !== undefined && storeId !== undefined && terminalId !== undefined)
    return { acquirerId, storeId, terminalId }
  throw new TypedNumberError('a terminal is named acquirer:store:terminal, such as A1:0001:T0000001')
}

async function firstLineOf(path: string): Promise<string> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(MAX_BYTES) })
    return firstLine(buffer.toString('utf8', 0, bytesRead))
  } finally {
    await file.close()
  }
}

async function piped(input: NodeJS.ReadStream): Promise<string> {
  let text = ''
  for await (const chunk of input.setEncoding('utf8')) {
    text += String(chunk)
    if (text.includes('\n') || text.length > MAX_BYTES) break
  }
  return firstLine(text.slice(0, MAX_BYTES))
}

/** On a terminal, without showing what is typed. */
function prompt(what: string, input: NodeJS.ReadStream, output: NodeJS.WritableStream): Promise<string> {
  return new Promise((resolve, reject) => {
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
    const lines = createInterface({ input, output: nowhere, terminal: true })
    output.write(`${what} (it is not shown): `)
    const end = (finish: () => void) => {
      output.write('\n')
      lines.removeAllListeners('close')
      lines.close()
      finish()
    }
    lines.once('line', (line) => end(() => resolve(line)))
    lines.once('SIGINT', () => end(() => reject(new TypedNumberError('interrupted: nothing was asked'))))
    lines.once('close', () => end(() => resolve('')))
  })
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0] ?? ''
}
