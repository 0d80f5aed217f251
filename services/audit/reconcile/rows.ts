// An acquirer's own list, line by line. What cannot be read is told with its line and column, never with its value.

import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { parse } from 'csv-parse'
import { z } from 'zod'
import { minorOfPesos, type AmountMinor } from '../../core/money/amount.ts'

export const NEEDED_COLUMNS = ['consecutive', 'amount'] as const
export const OPTIONAL_COLUMNS = ['acquirer', 'transactionCode', 'state'] as const

/** Transactions that an acquirer settles. */
export const RECONCILED_CODES = ['TOKEN_PURCHASE', 'TOKEN_WITHDRAWAL', 'CARD_CHARGE'] as const
export type ReconciledCode = (typeof RECONCILED_CODES)[number]

/** How a transaction ended, as far as money is concerned. */
export type Settled = 'approved' | 'declined' | 'undone'

const STATES: Readonly<Record<string, Settled>> = {
  '': 'approved',
  approved: 'approved',
  declined: 'declined',
  reversed: 'undone',
  voided: 'undone',
  undone: 'undone',
}
/** Bytes of one line: a row has some hundred. */
const MAX_LINE_BYTES = 10_000
const HEADER_BYTES = 4_096

export interface Row {
  readonly acquirerId: string
  readonly transactionCode: ReconciledCode
  readonly consecutive: string
  readonly amountMinor: AmountMinor
  readonly state: Settled
}

export interface BadLine {
  readonly line: number
  readonly reason: string
}

/** The file is not what it must be, as a whole. The message may be printed. */
export class ListError extends Error {
  override readonly name = 'ListError'
}

const shape = z.object({
  consecutive: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/),
  amount: z.string().regex(/^\d{1,13}([.,]\d{1,2})?$/),
  acquirer: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/),
  transactionCode: z.enum(RECONCILED_CODES),
  state: z.string().transform((text, context) => {
    const state = STATES[text.toLowerCase()]
    if (state !== undefined) return state
    context.addIssue({ code: 'custom' })
    return z.NEVER
  }),
})

/** @param acquirer whose the lines are that name none. @returns the names of bad columns when it is no row. */
export function rowOf(
  fields: Readonly<Record<string, unknown>>,
  acquirer: string | undefined,
): Row | readonly string[] {
  const parsed = shape.safeParse({
    ...fields,
    acquirer: given(fields['acquirer']) ?? acquirer,
    transactionCode: given(fields['transactionCode']) ?? RECONCILED_CODES[0],
    state: fields['state'] ?? '',
  })
  if (!parsed.success) return [...new Set(parsed.error.issues.map((issue) => String(issue.path[0])))]
  const { consecutive, transactionCode, state } = parsed.data
  const amountMinor = minorOfPesos(Number(parsed.data.amount.replace(',', '.')))
  if (amountMinor === null) return ['amount']
  return { acquirerId: parsed.data.acquirer, transactionCode, consecutive, amountMinor, state }
}

/**
 * Rows and bad lines in the order of the file, which may be of any size. Divided by commas, or by semicolons when the
 * header has one. @throws ListError; CsvError; the system's error when it cannot be read.
 */
export async function* readRows(
  path: string,
  acquirer: string | undefined,
): AsyncGenerator<{ readonly line: number; readonly row: Row } | BadLine> {
  const delimiter = await delimiterOf(path)
  const parser = parse({
    delimiter,
    columns: headerOf,
    bom: true,
    trim: true,
    skip_empty_lines: true,
    info: true,
    relax_column_count: true,
    max_record_size: MAX_LINE_BYTES,
  })
  createReadStream(path)
    .on('error', (error) => parser.destroy(error))
    .pipe(parser)
  for await (const { record, info } of parser as AsyncIterable<{
    record: Record<string, unknown>
    info: { lines: number }
  }>) {
    const row = rowOf(record, acquirer)
    if ('consecutive' in row) yield { line: info.lines, row }
    else yield { line: info.lines, reason: `malformed: ${row.join(', ')}` }
  }
}

function headerOf(header: readonly string[]): string[] {
  const known: readonly string[] = [...NEEDED_COLUMNS, ...OPTIONAL_COLUMNS]
  const byName = new Map(known.map((name) => [name.toLowerCase(), name]))
  const names = header.map((name) => byName.get(name.trim().toLowerCase()) ?? name.trim())
  const missing = NEEDED_COLUMNS.filter((name) => !names.includes(name))
  if (missing.length > 0)
    throw new ListError(`the file has no column ${missing.join(', ')}: its first line must name ${known.join(', ')}`)
  return names
}

async function delimiterOf(path: string): Promise<',' | ';'> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(HEADER_BYTES) })
    if (bytesRead === 0) throw new ListError('the file is empty')
    return (buffer.toString('utf8', 0, bytesRead).split('\n', 1)[0] ?? '').includes(';') ? ';' : ','
  } finally {
    await file.close()
  }
}

function given(value: unknown): unknown {
  return value === '' ? undefined : value
}
