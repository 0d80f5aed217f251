// A line of the CSV file of approvals, as Excel reads it without asking: separators and decimals of one region, no cell
// that Excel takes for a formula, no identifier that it takes for a number or a date. Pure.

import type { PublicEvent } from '../public-event.ts'

/** Byte order mark: without it Excel reads UTF-8 as the system's own code page. */
export const BOM = '\uFEFF'
export const LINE_END = '\r\n'

/** Excel takes the separator from the system's region: `;` with a decimal comma (Colombia, Spain), else `,`. */
export type Separator = ';' | ','

/** Bogota is this far behind UTC, all the year. */
const BOGOTA_MS = 5 * 3_600_000
const MINOR_PER_PESO = 100
/** Numbers, and dates of digits: 007, 1E5, 3-4, 1.2.2026. */
const NUMBER_LIKE = /^[-.\d]+(e-?\d+)?$/i
/** Dates with the name of a month, English or Spanish: MAR1, 3-dic. */
const MONTH = '(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|ene|abr|ago|set|dic)[a-z]*'
const DATE_LIKE = new RegExp(`^(${MONTH}[-.]?\\d+|\\d+[-.]?${MONTH}([-.]?\\d+)?)$`, 'i')
const TRUTH_VALUE = /^(true|false|verdadero|falso)$/i

interface Column {
  readonly name: string
  readonly cell: (event: PublicEvent, separator: Separator) => string
}

const COLUMNS: readonly Column[] = [
  { name: 'time in Bogota', cell: ({ time }) => bogotaTime(time) },
  { name: 'transaction', cell: ({ transactionCode }) => transactionCode },
  { name: 'acquirer', cell: ({ acquirer }) => identifier(acquirer.id) },
  { name: 'store', cell: ({ acquirer }) => identifier(acquirer.storeId) },
  { name: 'terminal', cell: ({ acquirer }) => identifier(acquirer.terminalId) },
  { name: 'consecutive', cell: ({ consecutive }) => identifier(consecutive) },
  { name: 'authorization number', cell: ({ authorizationNumber }) => identifier(authorizationNumber) },
  { name: 'amount', cell: ({ amountMinor }, separator) => pesos(amountMinor, separator) },
  { name: 'currency', cell: ({ amountMinor, currency }) => (amountMinor === null ? '' : currency) },
  { name: 'account type', cell: ({ accountType }) => identifier(accountType) },
  { name: 'card', cell: ({ cardMask }) => freeText(cardMask) },
  { name: 'document', cell: ({ documentMask }) => freeText(documentMask) },
  { name: 'client', cell: ({ clientId }) => identifier(clientId) },
  { name: 'undone transaction', cell: ({ original }) => original?.transactionCode ?? '' },
  { name: 'undone consecutive', cell: ({ original }) => identifier(original?.consecutive ?? null) },
  { name: 'order', cell: ({ orderId }) => identifier(orderId) },
  { name: 'description', cell: ({ description }) => freeText(description) },
  { name: 'metadata', cell: ({ metadata }) => freeText(metadata) },
  // The last one, by which the file itself says what is in it.
  { name: 'event', cell: ({ id }) => id },
]

export function headerLine(separator: Separator): string {
  return COLUMNS.map(({ name }) => name).join(separator) + LINE_END
}

export function eventLine(event: PublicEvent, separator: Separator): string {
  return COLUMNS.map(({ cell }) => quoted(cell(event, separator), separator)).join(separator) + LINE_END
}

/** The ids of the events in these lines, oldest first. */
export function eventIds(text: string, separator: Separator): readonly string[] {
  const lines = text.split(LINE_END)
  return lines.map((line) => line.slice(line.lastIndexOf(separator) + 1)).filter((id) => id !== '')
}

/** Text that others chose: one that begins like a formula gets an apostrophe (OWASP, "CSV Injection"). */
export function freeText(text: string | null): string {
  const line = (text ?? '').replace(/[\r\n\t]+/g, ' ')
  return /^\s*[=+\-@|%]/.test(line) || /^\s/.test(line) ? `'${line}` : line
}

/**
 * An identifier that Excel would take for a number or a date, and change, is written as a formula that gives its text.
 * Anything but letters, digits, full stop, hyphen and underscore counts as free text.
 */
export function identifier(text: string | null): string {
  if (text === null || text === '') return ''
  if (!/^[A-Za-z0-9._-]+$/.test(text)) return freeText(text)
  const changed = NUMBER_LIKE.test(text) || DATE_LIKE.test(text) || TRUTH_VALUE.test(text) || text.startsWith('-')
  return changed ? `="${text}"` : text
}

/** `25000,50` or `25000.50`. */
export function pesos(minor: number | null, separator: Separator): string {
  if (minor === null) return ''
  const [whole, cents] = [Math.floor(minor / MINOR_PER_PESO), minor % MINOR_PER_PESO]
  return `${whole}${separator === ';' ? ',' : '.'}${String(cents).padStart(2, '0')}`
}

/** `2026-05-01 07:00:00`: Excel makes a date of it in every region. */
function bogotaTime(time: string): string {
  return new Date(Date.parse(time) - BOGOTA_MS).toISOString().slice(0, 19).replace('T', ' ')
}

/** RFC 4180. */
function quoted(cell: string, separator: Separator): string {
  return cell.includes(separator) || /["\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}
