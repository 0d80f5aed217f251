// The fields of the Evertec dialect one by one: form and Spanish message (contract, section 1). No rule of a decision.

import { z } from 'zod'
import { ACCOUNT_TYPES } from '../../core/account/account.ts'
import { passesLuhn } from '../../core/card/mask.ts'
import { MAX_AMOUNT_MINOR, minorOfPesos } from '../../core/money/amount.ts'

const MISSING = 'Este campo es obligatorio.'

/** Says that a needed field is missing, else what form it must have. */
const form = (message: string) => ({
  error: (issue: { input?: unknown }) => (issue.input === undefined ? MISSING : message),
})

/** A string of the form `pattern`, which is anchored. */
const text = (pattern: RegExp, message: string) =>
  z.string(form(message)).regex(pattern, { error: message, abort: true })

const CONSECUTIVE = /^[A-Za-z0-9._-]{1,64}$/
const MAX_CODE_LENGTH = 64
const MAX_METADATA_LENGTH = 50

export const consecutive = text(
  CONSECUTIVE,
  'Debe tener de 1 a 64 caracteres: letras, dígitos, punto, guion o guion bajo.',
)

const CODE_MESSAGE = 'Debe ser un texto no vacío de máximo 64 caracteres.'
/** A transaction code as sent, known or not. */
export const sentCode = z
  .string(form(CODE_MESSAGE))
  .refine((value) => value.trim() !== '' && value.length <= MAX_CODE_LENGTH, { error: CODE_MESSAGE })

export const acquirerId = text(/^[A-Za-z0-9]{1,11}$/, 'Debe tener de 1 a 11 letras o dígitos.')

export const acquirer = z.object(
  {
    id: acquirerId,
    storeId: text(/^[A-Za-z0-9]{1,15}$/, 'Debe tener de 1 a 15 letras o dígitos.'),
    terminalId: text(/^[A-Za-z0-9]{1,8}$/, 'Debe tener de 1 a 8 letras o dígitos.'),
  },
  form('Debe ser un objeto con id, storeId y terminalId.'),
)

const CARD_MESSAGE = 'Debe ser un número de tarjeta válido, de 13 a 19 dígitos.'
export const cardNumber = text(/^[0-9]{13,19}$/, CARD_MESSAGE).refine(passesLuhn, { error: CARD_MESSAGE })

export const token = text(/^[0-9]{1,19}$/, 'Debe tener de 1 a 19 dígitos.')

export const accountType = z.enum(ACCOUNT_TYPES, form('Debe ser un tipo de cuenta: 10, 20, 30 u 80 a 84.'))

const AMOUNT_MESSAGE = 'Debe ser un número mayor que cero, con máximo dos decimales y no mayor que 1000000000000.'
/** Pesos as sent, minor units inside. */
const pesos = z.number(form(AMOUNT_MESSAGE)).meta({
  description: 'Pesos, with two decimals at most.',
  exclusiveMinimum: 0,
  maximum: MAX_AMOUNT_MINOR / 100,
})
export const amount = pesos.transform((sent, context) => {
  const minor = minorOfPesos(sent)
  if (minor !== null) return minor
  context.addIssue({ code: 'custom', message: AMOUNT_MESSAGE })
  return z.NEVER
})

const METADATA_MESSAGE = 'Debe ser un texto de 1 a 50 caracteres que no esté en blanco.'
/** Characters are code points; half a surrogate pair is no text, and could not be told from another one in UTF-8. */
export const metadata = z
  .string(form(METADATA_MESSAGE))
  .refine((value) => value.isWellFormed() && value.trim() !== '' && [...value].length <= MAX_METADATA_LENGTH, {
    error: METADATA_MESSAGE,
  })
  .meta({ description: 'Free text, which the purchase must repeat.', minLength: 1, maxLength: MAX_METADATA_LENGTH })

export const restrictToAcquirer = z.boolean(form('Debe ser verdadero o falso.'))

const TTL_MESSAGE = 'Debe ser un número entero de 30 a 86400.'
export const ttlSeconds = z
  .number(form(TTL_MESSAGE))
  .refine((value) => Number.isInteger(value) && value >= 30 && value <= 86_400, { error: TTL_MESSAGE })
  .meta({ description: 'Life of the token in seconds.', multipleOf: 1, minimum: 30, maximum: 86_400 })
