// A document in a body of this dialect: an object with type and number, and what is said of a bad one.

import { z } from 'zod'
import { DOCUMENT_TYPE_NAMES, documentType, isDocumentNumber, type Document } from '../protect/document.ts'

const MISSING = 'Este campo es obligatorio.'
const OBJECT_MESSAGE = 'Debe ser un objeto con type y number.'
const TYPE_MESSAGE = 'Debe ser un tipo de documento: CC, CE, TI, NIT, PAS, PPT o RC.'
const NUMBER_MESSAGE = 'Debe tener de 1 a 18 dígitos (en un pasaporte, también letras).'

/** Reads a document. Both type and number are reported when both are bad. */
export const document = z
  .unknown()
  .transform((value, context): Document => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      context.addIssue({ code: 'custom', message: value === undefined ? MISSING : OBJECT_MESSAGE })
      return z.NEVER
    }
    const { type: sentType, number } = value as { type?: unknown; number?: unknown }
    const type = documentType(sentType)
    if (type === undefined) report(context, 'type', sentType, TYPE_MESSAGE)
    const numbered = isDocumentNumber(type, number)
    if (!numbered) report(context, 'number', number, NUMBER_MESSAGE)
    return type === undefined || !numbered ? z.NEVER : { type, number }
  })
  .meta({
    override: {
      type: 'object',
      required: ['type', 'number'],
      properties: {
        type: { type: 'string', enum: [...DOCUMENT_TYPE_NAMES] },
        number: { type: 'string', pattern: '^[A-Za-z0-9]{1,18}$' },
      },
    },
  })

function report(context: z.RefinementCtx, field: string, value: unknown, message: string): void {
  context.addIssue({ code: 'custom', path: [field], message: value === undefined ? MISSING : message })
}
