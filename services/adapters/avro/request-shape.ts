// Whether a decoded request is a command that makes sense: whoever can write to a topic must not be able to confuse a
// worker.

import { z } from 'zod'
import { ACCOUNT_TYPES } from '../../core/account/account.ts'
import { CARD_RESTRICTIONS, CARD_STATES } from '../../core/card/card.ts'
import { CARD_BRANDS } from '../../core/card-token/card-token.ts'
import { TRANSACTION_CODES, UNDOABLE_CODES } from '../../core/transaction/codes.ts'
import type { Request } from '../../core/transaction/command.ts'
import { MAX_AMOUNT_MINOR, type AmountMinor } from '../../core/money/amount.ts'
import { MalformedRecordError } from '../../ports/wire.ts'

const identifier = (max: number) => z.string().regex(new RegExp(`^[A-Za-z0-9._-]{1,${max}}$`))
/** A store or terminal; '' where a caller has none. */
const place = (max: number) => z.string().regex(new RegExp(`^[A-Za-z0-9]{0,${max}}$`))
const hash = z.string().regex(/^[a-z0-9]{1,8}\.[A-Za-z0-9_-]{24}$/)
const mask = z.string().max(64)
const text = z.string().max(512)
const amount = z
  .number()
  .int()
  .min(0)
  .max(MAX_AMOUNT_MINOR)
  .transform((minor) => minor as AmountMinor)
const time = z.number().int().min(0)
const scopeOf = <C extends string>(codes: readonly C[]) =>
  z.object({ acquirerId: identifier(64), transactionCode: z.enum(codes as [C, ...C[]]), consecutive: identifier(64) })
/** Base64url of something sealed: a name and an address at most. */
const sealed = z.string().regex(/^[A-Za-z0-9_-]{1,8000}$/)
const number = z.object({ hash, mask })
const accountType = z.enum(ACCOUNT_TYPES)

const base = {
  fingerprint: hash,
  clientId: z.string().min(1).max(64),
  appKey: z.string().min(1).max(64),
  requestedAt: time,
  deadline: time.optional(),
}
const financial = {
  ...base,
  acquirer: z.object({ id: identifier(64), storeId: place(15), terminalId: place(8), terminalHash: hash }),
  metadata: z.object({ hash, text: z.string().max(128) }).optional(),
}
const spending = {
  ...financial,
  card: number,
  accountType,
  amountMinor: amount,
  sealedToken: z.instanceof(Uint8Array).optional(),
  remote: z.boolean().optional(),
  sealedNumber: sealed.optional(),
}
const tokenUse = {
  ...base,
  document: number,
  sealedToken: z.instanceof(Uint8Array).optional(),
  amountMinor: amount.optional(),
  metadata: z.object({ hash, text: z.string().max(128) }).optional(),
}
const undoing = { ...financial, original: scopeOf(UNDOABLE_CODES), amountMinor: amount.optional() }
const account = { ...base, document: number, accountType, amountMinor: amount }

const command = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('TOKEN_GENERATION'),
    scope: scopeOf(['TOKEN_GENERATION']),
    ...financial,
    card: number.optional(),
    document: number.optional(),
    accountType: accountType.optional(),
    amountMinor: amount.optional(),
    restrictToAcquirer: z.boolean(),
    ttlSeconds: z.number().int().min(1).max(86_400),
    tags: z.record(z.string().max(64), z.string().max(256)).optional(),
  }),
  z.object({ kind: z.literal('TOKEN_PURCHASE'), scope: scopeOf(['TOKEN_PURCHASE']), ...spending }),
  z.object({ kind: z.literal('TOKEN_WITHDRAWAL'), scope: scopeOf(['TOKEN_WITHDRAWAL']), ...spending }),
  z.object({ kind: z.literal('REVERSAL'), scope: scopeOf(['REVERSAL']), ...undoing }),
  z.object({ kind: z.literal('VOID'), scope: scopeOf(['VOID']), ...undoing }),
  z.object({ kind: z.literal('TOKEN_CLAIM'), scope: scopeOf(['TOKEN_CLAIM']), ...tokenUse }),
  z.object({ kind: z.literal('TOKEN_CANCELLATION'), scope: scopeOf(['TOKEN_CANCELLATION']), ...tokenUse }),
  z.object({
    kind: z.literal('CARD_TOKENIZATION'),
    scope: scopeOf(['CARD_TOKENIZATION']),
    ...base,
    tokenHash: hash,
    mask,
    brand: z.enum(CARD_BRANDS),
    details: sealed,
    sealedNumber: sealed,
    cardExpiresAt: time,
    ttlSeconds: z.number().int().min(1).max(86_400),
  }),
  z.object({
    kind: z.literal('CARD_CHARGE'),
    scope: scopeOf(['CARD_CHARGE']),
    ...base,
    tokenHash: hash,
    amountMinor: amount,
    description: text,
    order: z.object({ hash, id: text }).optional(),
  }),
  z.object({
    kind: z.literal('CHARGE_REFUND'),
    scope: scopeOf(['CHARGE_REFUND']),
    ...base,
    original: scopeOf(['CARD_CHARGE']),
    amountMinor: amount.optional(),
    description: text.optional(),
  }),
  z.object({
    kind: z.literal('SUBJECT_UNLOCK'),
    scope: scopeOf(['SUBJECT_UNLOCK']),
    ...base,
    document: number.optional(),
    card: number.optional(),
    terminalHash: hash.optional(),
  }),
  z.object({
    kind: z.literal('CARD_REGISTRATION'),
    scope: scopeOf(['CARD_REGISTRATION']),
    ...base,
    card: number,
    document: number,
    state: z.enum(CARD_STATES),
    expiresAt: time,
    restrictions: z.array(z.enum(CARD_RESTRICTIONS)),
  }),
  z.object({
    kind: z.literal('CARD_STATE_CHANGE'),
    scope: scopeOf(['CARD_STATE_CHANGE']),
    ...base,
    card: number,
    state: z.enum(CARD_STATES),
  }),
  z.object({ kind: z.literal('ACCOUNT_OPENING'), scope: scopeOf(['ACCOUNT_OPENING']), ...account }),
  z.object({ kind: z.literal('ACCOUNT_CREDIT'), scope: scopeOf(['ACCOUNT_CREDIT']), ...account }),
])

const inquiry = z.object({ inquiryId: z.string().min(1).max(64), of: scopeOf(TRANSACTION_CODES) })

const replyPartition = z.number().int().min(0)
/** Compiled: every request of every worker is checked, which takes a fifth of the time then. */
const commandRequest = z.compile(z.object({ command, replyPartition }), { strict: true })
const inquiryRequest = z.compile(z.object({ inquiry, replyPartition }), { strict: true })

/** @throws MalformedRecordError naming the first bad field, never its value. */
export function requestOf(decoded: object): Request {
  if ('inquiry' in decoded) {
    const { inquiry: question, replyPartition: partition } = checked(inquiryRequest, decoded)
    return { body: { kind: 'INQUIRY', ...question }, replyPartition: partition }
  }
  const { command: body, replyPartition: partition } = checked(commandRequest, decoded)
  return { body, replyPartition: partition }
}

function checked<T>(schema: z.ZodType<T>, decoded: object): T {
  const result = schema.safeParse(decoded)
  if (result.success) return result.data
  throw new MalformedRecordError(`malformed request: ${result.error.issues[0]?.path.join('.') ?? 'body'}`)
}
