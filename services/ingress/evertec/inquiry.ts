// Reading `GET /financial/{consecutive}?acquirerId=..&transactionCode=..`: a question about one scope.

import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Inquiry } from '../../core/transaction/command.ts'
import type { EvertecAppConfig } from '../../runtime/apps.ts'
import { codeMeant } from './codes.ts'
import { acquirerId, consecutive, sentCode } from './fields.ts'
import { fieldErrors, type FieldError } from './requests.ts'

const question = z.object({ consecutive, acquirerId, transactionCode: sentCode })

export type ReadInquiry =
  | { readonly kind: 'inquiry'; readonly inquiry: Inquiry }
  | { readonly kind: 'malformed'; readonly errors: readonly FieldError[] }

/** The inquiry, under an id of its own. The code may be one of the app's own; an unknown one is malformed. */
export function readInquiry(
  app: Pick<EvertecAppConfig, 'transactionCodes'>,
  params: unknown,
  query: unknown,
): ReadInquiry {
  const parsed = question.safeParse({ ...(query as object), ...(params as object) })
  if (!parsed.success) return { kind: 'malformed', errors: fieldErrors(parsed.error) }
  const transactionCode = codeMeant(app, parsed.data.transactionCode)
  if (transactionCode === null) return { kind: 'malformed', errors: [UNKNOWN_CODE] }
  const of = { acquirerId: parsed.data.acquirerId, transactionCode, consecutive: parsed.data.consecutive }
  return { kind: 'inquiry', inquiry: { kind: 'INQUIRY', inquiryId: randomUUID(), of } }
}

const UNKNOWN_CODE: FieldError = { field: 'transactionCode', message: 'No es un código de transacción conocido.' }
