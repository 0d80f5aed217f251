// What each call of the Openpay dialect does: read, protect, keep what must never be on the log, submit, answer.

import { randomUUID } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { MAX_REFUNDS } from '../../core/card-token/decide-charge.ts'
import type { Reply } from '../../core/transaction/reply.ts'
import type { Scope } from '../../core/transaction/scope.ts'
import { StoreError } from '../../ports/store.ts'
import type { OpenpayMerchantConfig } from '../../runtime/apps-openpay.ts'
import { describeError } from '../../runtime/logging.ts'
import type { DialectDeps } from '../dialect.ts'
import { traceparentOf } from '../http/request-id.ts'
import type { EdgeBody } from '../traffic.ts'
import { descriptionOf, sendError } from './errors.ts'
import { drawId, isId } from './id.ts'
import {
  chargeScope,
  inquiryOf,
  protectCharge,
  protectRefund,
  protectToken,
  tokenHashOf,
  tokenScope,
  type Asked,
  type ProtectedToken,
} from './protect.ts'
import { errorOf, showsCharge, showsToken, tokenOf, transactionOf } from './replies.ts'
import { readCharge, readRefund, readToken } from './requests.ts'

export type OpenpayDeps = Pick<DialectDeps, 'keys' | 'clock' | 'limits' | 'logger' | 'submit' | 'openpay'>

/** Names a charge or refund whose answer has no id in its body: an error. Ask for the charge by it. */
const TRANSACTION_HEADER = 'x-transaction-id'

const UNKNOWN_TOKEN = `${descriptionOf(1000)} No se sabe si el token se creó: cree otro.`
const UNKNOWN_CHARGE =
  `${descriptionOf(1000)} No se conoce el resultado del cargo: consúltelo con el id de la cabecera X-Transaction-Id, ` +
  'o repítalo con el mismo order_id, que no puede cobrarse dos veces.'
const UNKNOWN_REFUND = `${descriptionOf(1000)} No se conoce el resultado de la devolución: consulte el cargo antes de repetirla.`
const NO_CHARGE = 'No existe un cargo con este id, o todavía no se ha decidido.'
const USED_TOKEN = 'El token ya fue usado.'
const UNKNOWN_SOURCE = 'No existe un token con este source_id, o ya expiró.'
const OVER_REFUNDED =
  'El monto supera lo que queda por devolver del cargo, ya no queda nada, o el cargo ya tiene ' +
  `${MAX_REFUNDS} devoluciones.`

export async function createToken(
  deps: OpenpayDeps,
  merchant: OpenpayMerchantConfig,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { keys, clock, openpay } = deps
  const now = clock.now()
  const read = readToken(request.body, now, openpay.cardTokens.privateRanges)
  if (read.kind === 'refused') return sendError(reply, read.refusal)
  const id = drawId()
  const token = protectToken(read, id, askedBy(merchant, deps, now), openpay.cardTokens, keys)
  // First the secrets: a token that is on the log without them could never be charged.
  if (!(await keepSecrets(deps, token))) return sendError(reply, { code: 1004 })
  const answer = await submitted(deps, token.command, request, reply, UNKNOWN_TOKEN)
  if (answer === null) return reply
  if (!showsToken(answer, clock.now())) return sendDecline(reply, answer)
  reply.responseCode = '00'
  return reply.code(201).send(tokenOf(id, answer, merchant.merchantId, keys))
}

export async function getToken(
  deps: OpenpayDeps,
  { merchantId }: OpenpayMerchantConfig,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { keys, clock } = deps
  const id = idOf(request)
  if (id === null) return sendError(reply, { code: 1005 })
  const answer = await inquired(deps, tokenScope(merchantId, tokenHashOf(merchantId, id, keys)), request, reply)
  if (answer === null) return reply
  if (!showsToken(answer, clock.now())) return sendError(reply, { code: 1005 })
  return reply.code(200).send(tokenOf(id, answer, merchantId, keys))
}

export async function createCharge(
  deps: OpenpayDeps,
  merchant: OpenpayMerchantConfig,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { keys, clock } = deps
  const read = readCharge(request.body)
  if (read.kind === 'refused') return sendError(reply, read.refusal)
  if (!isId(read.fields.source_id)) return sendError(reply, { code: 1005, description: UNKNOWN_SOURCE })
  const id = drawId()
  const command = protectCharge(read.fields, id, askedBy(merchant, deps, clock.now()), keys)
  void reply.header(TRANSACTION_HEADER, id)
  const answer = await submitted(deps, command, request, reply, UNKNOWN_CHARGE)
  if (answer === null) return reply
  if (answer.responseCode !== '00' || !showsCharge(answer)) {
    return sendDecline(reply, answer, { '12': USED_TOKEN, '25': UNKNOWN_SOURCE })
  }
  reply.responseCode = answer.responseCode
  return reply.code(200).send(transactionOf(id, answer, merchant.merchantId, keys))
}

export async function getCharge(
  deps: OpenpayDeps,
  { merchantId }: OpenpayMerchantConfig,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const id = idOf(request)
  if (id === null) return sendError(reply, { code: 1005, description: NO_CHARGE })
  const answer = await inquired(deps, chargeScope(merchantId, id), request, reply)
  if (answer === null) return reply
  if (!showsCharge(answer)) return sendError(reply, { code: 1005, description: NO_CHARGE })
  return reply.code(200).send(transactionOf(id, answer, merchantId, deps.keys))
}

export async function refundCharge(
  deps: OpenpayDeps,
  merchant: OpenpayMerchantConfig,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { keys, clock } = deps
  const read = readRefund(request.body)
  if (read.kind === 'refused') return sendError(reply, read.refusal)
  const chargeId = idOf(request)
  if (chargeId === null) return sendError(reply, { code: 1005, description: NO_CHARGE })
  const id = drawId()
  const command = protectRefund(read.fields, id, chargeId, askedBy(merchant, deps, clock.now()), keys)
  void reply.header(TRANSACTION_HEADER, id)
  const answer = await submitted(deps, command, request, reply, UNKNOWN_REFUND)
  if (answer === null) return reply
  if (answer.responseCode !== '00' || !showsCharge(answer)) {
    return sendDecline(reply, answer, { '12': OVER_REFUNDED, '25': NO_CHARGE })
  }
  reply.responseCode = answer.responseCode
  return reply.code(200).send(transactionOf(chargeId, answer, merchant.merchantId, keys))
}

function askedBy({ merchantId, clientId }: OpenpayMerchantConfig, { limits }: OpenpayDeps, now: number): Asked {
  return { merchantId, clientId, now, replyTimeoutMs: limits.replyTimeoutMs }
}

/** The id in the path, or null when it cannot be one: nothing is asked then. */
function idOf(request: FastifyRequest): string | null {
  const { id } = request.params as { readonly id: string }
  return isId(id) ? id : null
}

/** @returns false when the store may not have kept them: nothing was asked for then, and what is left expires. */
async function keepSecrets({ openpay, logger }: OpenpayDeps, { slot, secrets }: ProtectedToken): Promise<boolean> {
  try {
    await openpay.secrets.stash(slot, secrets)
    return true
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    logger.warn(describeError(error), 'the secrets of a card token may not have been kept')
    return false
  }
}

/** The reply, or null once `reply` has said that nothing was done or that the outcome is unknown. */
async function submitted(
  { submit }: OpenpayDeps,
  body: EdgeBody,
  request: FastifyRequest,
  reply: FastifyReply,
  unknown: string,
): Promise<Reply | null> {
  const answer = await submit(body, traceparentOf(request))
  if (answer === 'refused') void sendError(reply, { code: 1004 })
  else if (answer === 'unanswered') void sendError(reply, { code: 1000, description: unknown })
  else return answer
  return null
}

async function inquired(
  deps: OpenpayDeps,
  of: Scope,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Reply | null> {
  return submitted(deps, inquiryOf(of, randomUUID()), request, reply, descriptionOf(1000))
}

/** What a decision other than an approval is here; `own` texts go before those of the error codes. */
function sendDecline(
  reply: FastifyReply,
  { responseCode = '96' }: Reply,
  own: Partial<Readonly<Record<string, string>>> = {},
): FastifyReply {
  const code = errorOf(responseCode)
  const description = own[responseCode]
  return sendError(reply, { code, ...(description === undefined ? {} : { description }) })
}
