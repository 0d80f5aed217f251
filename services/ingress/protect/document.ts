// A document of identity as a caller names it: its types, their other spellings, and the form of its number. What is
// said of a bad one is each dialect's own.

/** As sent, to the type it means (contract, section 1: `NJ` is read as `NIT`, `PS` as `PAS`). */
const DOCUMENT_TYPES = new Map([
  ['CC', 'CC'],
  ['CE', 'CE'],
  ['TI', 'TI'],
  ['NIT', 'NIT'],
  ['NJ', 'NIT'],
  ['PAS', 'PAS'],
  ['PS', 'PAS'],
  ['PPT', 'PPT'],
  ['RC', 'RC'],
])
const PASSPORT_NUMBER = /^[A-Za-z0-9]{1,18}$/
const OTHER_NUMBER = /^[0-9]{1,18}$/

/** A document with its type normalised. */
export interface Document {
  readonly type: string
  readonly number: string
}

/** Every way to write a type. */
export const DOCUMENT_TYPE_NAMES: readonly string[] = [...DOCUMENT_TYPES.keys()]

/** The type that is meant, or undefined when it is none. */
export function documentType(sent: unknown): string | undefined {
  return typeof sent === 'string' ? DOCUMENT_TYPES.get(sent) : undefined
}

/** Whether a number has the form of its type: only a passport's may hold letters. */
export function isDocumentNumber(type: string | undefined, number: unknown): number is string {
  return typeof number === 'string' && (type === 'PAS' ? PASSPORT_NUMBER : OTHER_NUMBER).test(number)
}
