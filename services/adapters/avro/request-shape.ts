// Whether a decoded request is a command that makes sense: whoever can write to a topic must not be able to confuse a
// worker.

import { z } from 'zod'
import { ACCOUNT_TYPES } from '../../core/account/account.ts'
import { CARD_RESTRICTIONS, CARD_STATES } from '../../core/card/card.ts'
import { ACCOUNT_CODES, FINANCIAL_CODES, UNDOABLE_CODES } from '../../core/transaction/codes.ts'
import type { Request } from '../../core/transaction/command.ts'
import { MAX_AMOUNT_MINOR, type AmountMinor } from '../../core/money/amount.ts'
import { MalformedRecordError } from '../../ports/wire.ts'

const identifier = (max: number) => z.string().regex(new RegExp(`^[A-Za-z0-9._-]{1,${max}}$`))
const hash = z.string().regex(/^[a-z0-9]{1,8}\.[A-Za-z0-9_-]{24}$/)
const mask = z.string().max(64)
const amount = z
  .number()
  .int()
  .min(0)
  .max(MAX_AMOUNT_MINOR)
  .transform((minor) => minor as AmountMinor)
const time = z.number().int().min(0)
const scopeOf = <C extends string>(codes: readonly C[]) =>
  z.object({ acquirerId: identifier(11), transactionCode: z.enum(codes as [C, ...C[]]), consecutive: identifier(64) })
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
  acquirer: z.object({ id: identifier(11), storeId: identifier(15), terminalId: identifier(8), terminalHash: hash }),
  metadata: z.object({ hash, text: z.string().max(128) }).optional(),
}
const spending = {
  ...financial,
  card: number,
  accountType,
  amountMinor: amount,
  sealedToken: z.instanceof(Uint8Array).optional(),
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
  }),
  z.object({ kind: z.literal('TOKEN_PURCHASE'), scope: scopeOf(['TOKEN_PURCHASE']), ...spending }),
  z.object({ kind: z.literal('TOKEN_WITHDRAWAL'), scope: scopeOf(['TOKEN_WITHDRAWAL']), ...spending }),
  z.object({ kind: z.literal('REVERSAL'), scope: scopeOf(['REVERSAL']), ...undoing }),
  z.object({ kind: z.literal('VOID'), scope: scopeOf(['VOID']), ...undoing }),
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

const inquiry = z.object({ inquiryId: z.string().min(1).max(64), of: scopeOf([...FINANCIAL_CODES, ...ACCOUNT_CODES]) })

const replyPartition = z.number().int().min(0)
const commandRequest = z.object({ command, replyPartition })
const inquiryRequest = z.object({ inquiry, replyPartition })

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
