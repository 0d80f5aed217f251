// A document of identity as a caller names it: its types, their other spellings, and the form of its number.

import { z } from 'zod'

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

const MISSING = 'Este campo es obligatorio.'
const OBJECT_MESSAGE = 'Debe ser un objeto con type y number.'
const TYPE_MESSAGE = 'Debe ser un tipo de documento: CC, CE, TI, NIT, PAS, PPT o RC.'
const NUMBER_MESSAGE = 'Debe tener de 1 a 18 dígitos (en un pasaporte, también letras).'

/** A document with its type normalised. */
export interface Document {
  readonly type: string
  readonly number: string
}

/** Reads a document. Both type and number are reported when both are bad: only a passport's number may hold letters. */
export const document = z.unknown().transform((value, context): Document => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    context.addIssue({ code: 'custom', message: value === undefined ? MISSING : OBJECT_MESSAGE })
    return z.NEVER
  }
  const { type: sentType, number } = value as { type?: unknown; number?: unknown }
  const type = typeof sentType === 'string' ? DOCUMENT_TYPES.get(sentType) : undefined
  if (type === undefined) report(context, 'type', sentType, TYPE_MESSAGE)
  const pattern = type === 'PAS' ? PASSPORT_NUMBER : OTHER_NUMBER
  const numbered = typeof number === 'string' && pattern.test(number)
  if (!numbered) report(context, 'number', number, NUMBER_MESSAGE)
  return type === undefined || !numbered ? z.NEVER : { type, number }
})

function report(context: z.RefinementCtx, field: string, value: unknown, message: string): void {
  context.addIssue({ code: 'custom', path: [field], message: value === undefined ? MISSING : message })
}
