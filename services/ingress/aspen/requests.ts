// Reading the bodies of the Aspen dialect: names in any case, the first bad field by its Spanish message, in the order of
// the contract (section 2). It decides nothing and protects nothing.

import { z } from 'zod'
import { ACCOUNT_TYPES } from '../../core/account/account.ts'
import { minorOfPesos } from '../../core/money/amount.ts'
import { DOCUMENT_TYPE_NAMES, documentType, isDocumentNumber } from '../protect/document.ts'
import { EVENTS, fieldEvent, quoted, type AspenEvent } from './events.ts'

const MAX_METADATA_LENGTH = 50
const MAX_TAG_LENGTH = 64
const MAX_PESOS = 1_000_000_000_000
export const TAG_NAMES = ['TerminalId', 'CardAcceptorId', 'CustomerGroup', 'Pan'] as const
export type TagName = (typeof TAG_NAMES)[number]

const isBlank = (value: unknown) => value === undefined || (typeof value === 'string' && value.trim() === '')

/** A field that is judged by itself: `problem` gives the message for a bad value, or null. */
function field<T>(problem: (value: unknown) => string | null, read: (value: unknown) => T, json: object) {
  const schema = z.unknown().transform((value, context): T => {
    const message = problem(value)
    if (message === null) return read(value)
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  })
  return schema.meta({ override: json })
}

const docType = field(
  (value) => {
    if (isBlank(value)) return "'DocType' no puede ser nulo ni vacío."
    if (documentType(value) !== undefined) return null
    return `${typeof value === 'string' ? quoted(value) : 'El valor'} no se reconoce como un tipo de identificación.`
  },
  (value) => documentType(value) as string,
  { type: 'string', enum: [...DOCUMENT_TYPE_NAMES] },
)

/** Judged with its type, once both are there. */
const docNumber = field(
  (value) => {
    if (isBlank(value)) return "'DocNumber' no puede ser nulo ni vacío."
    return isDocumentNumber('PAS', value) ? null : BAD_NUMBER
  },
  (value) => value as string,
  { type: 'string', pattern: '^[A-Za-z0-9]{1,18}$' },
)
const BAD_NUMBER = "'DocNumber' debe coincidir con el patrón ^[0-9]{1,18}$ (en un pasaporte, también letras)."

const amount = field(
  (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_PESOS
      ? null
      : "'Amount' debe ser un valor numérico mayor que cero, sin decimales y no mayor que 1000000000000.",
  (value) => minorOfPesos(value as number) as NonNullable<ReturnType<typeof minorOfPesos>>,
  { type: 'integer', minimum: 1, maximum: MAX_PESOS },
)

/** Characters are code points; half a surrogate pair is no text. */
const metadata = field(
  (value) => {
    if (isBlank(value)) return "'Metadata' no puede ser vacío."
    const text = typeof value === 'string' && value.isWellFormed() && [...value].length <= MAX_METADATA_LENGTH
    return text ? null : `'Metadata' debe coincidir con el patrón ^.{1,${MAX_METADATA_LENGTH}}$`
  },
  (value) => value as string,
  { type: 'string', minLength: 1, maxLength: MAX_METADATA_LENGTH },
)

const accountType = field(
  (value) => {
    if (isBlank(value)) return "'AccountType' no puede ser vacío."
    const known = ACCOUNT_TYPES.some((type) => type === value)
    return known ? null : `'AccountType' debe coincidir con el patrón ^(${ACCOUNT_TYPES.join('|')})$`
  },
  (value) => value as (typeof ACCOUNT_TYPES)[number],
  { type: 'string', enum: [...ACCOUNT_TYPES] },
)

const tagValue = { type: 'string', minLength: 1, maxLength: MAX_TAG_LENGTH }
const tags = field(
  (value) => tagsProblem(value),
  (value) => readTags(value as object),
  { type: 'object', properties: Object.fromEntries(TAG_NAMES.map((name) => [name, tagValue])) },
)

const document = { docType, docNumber }

export const claimBody = z.object({ ...document, amount, metadata: metadata.optional() })
export const cancellationBody = z.object({ ...document, amount: amount.optional(), metadata: metadata.optional() })
export const sendBody = z.object({
  ...document,
  amount: amount.optional(),
  metadata: metadata.optional(),
  accountType: accountType.optional(),
  tags: tags.optional(),
})

export type ClaimFields = z.output<typeof cancellationBody>
export type SendFields = z.output<typeof sendBody>

export type ReadBody<T> = { readonly fields: T } | { readonly refused: AspenEvent }

/** Reads a parsed JSON body. A `null` is absent; of names that differ in case only, the last counts. */
export function readBody<T>(schema: z.ZodObject & z.ZodType<T>, body: unknown): ReadBody<T> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return { refused: EVENTS.notJson }
  const sent = inLowerCamelCase(body, Object.keys(schema.shape))
  const parsed = schema.safeParse(sent)
  const problem = parsed.error?.issues[0]
  // The number's form is its type's, and it comes before the fields behind it.
  const named = problem?.path[0] === 'docType' || problem?.path[0] === 'docNumber'
  const numbered = isDocumentNumber(documentType(sent['docType']), sent['docNumber'])
  if (!named && !numbered) return { refused: fieldEvent(BAD_NUMBER) }
  return parsed.success ? { fields: parsed.data } : { refused: fieldEvent(problem?.message ?? BAD_NUMBER) }
}

/** What of the body has one of these names, in any case. */
function inLowerCamelCase(body: object, names: readonly string[]): Record<string, unknown> {
  const byLowerCase = new Map(names.map((name) => [name.toLowerCase(), name]))
  const found: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(body)) {
    const known = byLowerCase.get(name.toLowerCase())
    if (known !== undefined && value !== null) found[known] = value
  }
  return found
}

function tagNamed(name: string): TagName | undefined {
  return TAG_NAMES.find((known) => known.toLowerCase() === name.toLowerCase())
}

function tagsProblem(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return "'Tags' debe ser un objeto."
  for (const [name, sent] of Object.entries(value)) {
    if (tagNamed(name) === undefined) return `${quoted(name)} no se reconoce como un valor de tag admitido.`
    if (sent === null) continue
    const text = typeof sent === 'string' && sent.isWellFormed() && sent.trim() !== ''
    if (!text || [...sent].length > MAX_TAG_LENGTH) {
      return `'${tagNamed(name)}' debe coincidir con el patrón ^.{1,${MAX_TAG_LENGTH}}$`
    }
  }
  return null
}

function readTags(value: object): Partial<Record<TagName, string>> {
  const found: Partial<Record<TagName, string>> = {}
  for (const [name, sent] of Object.entries(value)) {
    const known = tagNamed(name)
    if (known !== undefined && typeof sent === 'string') found[known] = sent
  }
  return found
}
