// Reading a body of `POST /financial`: which fields each transaction code knows, and every bad one by name.
// Fields that are not listed for the code are never looked at. It decides nothing and protects nothing.

import { z } from 'zod'
import type { UndoableCode } from '../../core/transaction/codes.ts'
import type { EvertecAppConfig } from '../../runtime/apps.ts'
import { codeMeant, isUndoable } from './codes.ts'
import { document } from './document.ts'
import * as field from './fields.ts'

const DEFAULT_TTL_SECONDS = 300
const DEFAULT_ORIGINAL_CODE: UndoableCode = 'TOKEN_PURCHASE'

const common = z.object({
  consecutive: field.consecutive,
  acquirer: field.acquirer,
  metadata: field.metadata.optional(),
})

/** What each transaction code knows. They also describe the route: see `route-descriptions.ts`. */
const unknownCode = common.extend({ transactionCode: field.sentCode })

export const generation = common.extend({
  cardNumber: field.cardNumber.optional(),
  accountType: field.accountType.optional(),
  amount: field.amount.optional(),
  document: document.optional(),
  restrictToAcquirer: field.restrictToAcquirer.default(false),
  ttlSeconds: field.ttlSeconds.default(DEFAULT_TTL_SECONDS),
})

export const spending = common.extend({
  cardNumber: field.cardNumber,
  token: field.token,
  accountType: field.accountType,
  amount: field.amount,
})

export const voiding = common.extend({
  originalConsecutive: field.consecutive,
  originalTransactionCode: field.sentCode.default(DEFAULT_ORIGINAL_CODE),
  amount: field.amount.optional(),
})

export const reversal = voiding.extend({ originalConsecutive: field.consecutive.optional() })

export type GenerationFields = z.output<typeof generation>
export type SpendingFields = z.output<typeof spending>
export type UndoingFields = Omit<z.output<typeof voiding>, 'originalTransactionCode'> & {
  readonly originalCode: UndoableCode
}

/** A well-formed request, after defaults and normalisation. */
export type FinancialRequest =
  | { readonly code: 'TOKEN_GENERATION'; readonly fields: GenerationFields }
  | { readonly code: 'TOKEN_PURCHASE' | 'TOKEN_WITHDRAWAL'; readonly fields: SpendingFields }
  | { readonly code: 'REVERSAL' | 'VOID'; readonly fields: UndoingFields }

/** A field that is missing or malformed: its dotted path, and a Spanish message that never quotes it. */
export interface FieldError {
  readonly field: string
  readonly message: string
}

export type ReadRequest =
  | { readonly kind: 'request'; readonly request: FinancialRequest }
  | { readonly kind: 'unknown-code'; readonly consecutive: string; readonly acquirerId: string }
  | { readonly kind: 'malformed'; readonly errors: readonly FieldError[] }

/** Reads a parsed JSON body for an app, whose own transaction codes are understood. */
export function readRequest(app: Pick<EvertecAppConfig, 'transactionCodes'>, body: object): ReadRequest {
  const sent = withoutNulls(body)
  const code = typeof sent.transactionCode === 'string' ? codeMeant(app, sent.transactionCode) : null
  switch (code) {
    case null:
      return readUnknown(sent)
    case 'TOKEN_GENERATION':
      return read(generation, sent, (fields) => ({ code, fields }))
    case 'TOKEN_PURCHASE':
    case 'TOKEN_WITHDRAWAL':
      return read(spending, sent, (fields) => ({ code, fields }))
    case 'REVERSAL':
    case 'VOID':
      return readUndoing(app, code, sent)
    default:
      return code satisfies never
  }
}

function readUnknown(sent: object): ReadRequest {
  const parsed = unknownCode.safeParse(sent)
  if (!parsed.success) return malformed(fieldErrors(parsed.error))
  return { kind: 'unknown-code', consecutive: parsed.data.consecutive, acquirerId: parsed.data.acquirer.id }
}

function read<T>(schema: z.ZodType<T>, sent: object, request: (fields: T) => FinancialRequest): ReadRequest {
  const parsed = schema.safeParse(sent)
  return parsed.success ? { kind: 'request', request: request(parsed.data) } : malformed(fieldErrors(parsed.error))
}

function readUndoing(
  app: Pick<EvertecAppConfig, 'transactionCodes'>,
  code: 'REVERSAL' | 'VOID',
  sent: SentBody,
): ReadRequest {
  const parsed = (code === 'VOID' ? voiding : reversal).safeParse(sent)
  const errors = parsed.success ? [] : fieldErrors(parsed.error)
  const original = sent.originalTransactionCode ?? DEFAULT_ORIGINAL_CODE
  const originalCode = typeof original === 'string' ? codeMeant(app, original) : null
  if (!isUndoable(originalCode)) {
    if (!errors.some((error) => error.field === 'originalTransactionCode')) errors.push(NOT_UNDOABLE)
    return malformed(errors)
  }
  if (!parsed.success) return malformed(errors)
  const { originalTransactionCode: _sent, originalConsecutive, ...fields } = parsed.data
  const undoing = { ...fields, originalConsecutive: originalConsecutive ?? fields.consecutive, originalCode }
  return { kind: 'request', request: { code, fields: undoing } }
}

const NOT_UNDOABLE: FieldError = {
  field: 'originalTransactionCode',
  message: 'Debe ser una transacción que se pueda deshacer: generación, compra o retiro.',
}

function malformed(errors: readonly FieldError[]): ReadRequest {
  return { kind: 'malformed', errors }
}

/** Names and messages of zod's issues, and nothing else of them. */
export function fieldErrors(error: z.ZodError): FieldError[] {
  return error.issues.map((issue) => ({ field: issue.path.join('.'), message: issue.message }))
}

type SentBody = Readonly<Record<string, unknown>>

/** The body with absent for null, in the nested objects too (contract: `null` means absent). */
function withoutNulls(body: object): SentBody {
  const sent = hasNull(body) ? presentOnly(body) : (body as SentBody)
  const { acquirer, document: holder } = sent
  // Most bodies hold no null, and are taken as they came.
  if (!hasNull(acquirer) && !hasNull(holder)) return sent
  return {
    ...sent,
    ...(hasNull(acquirer) ? { acquirer: presentOnly(acquirer) } : {}),
    ...(hasNull(holder) ? { document: presentOnly(holder) } : {}),
  }
}

function hasNull(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  for (const name in value) if ((value as SentBody)[name] === null) return true
  return false
}

function presentOnly(value: object): SentBody {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null))
}
