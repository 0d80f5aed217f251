// From a well-formed request to a command of the core: numbers become keyed hashes and masks, the token is sealed, the
// content gets its fingerprint. Nothing that leaves here holds a card number, a document number or a token in clear.

import type { TokenGeneration, TokenSpending, Undoing } from '../../core/transaction/command.ts'
import { scopeKey, scopeSlot, type Scope } from '../../core/transaction/scope.ts'
import { purchaseKeyName } from '../../core/card-token/card-token.ts'
import type { KeyRing } from '../../ports/keys.ts'
import type { Secret } from '../../ports/store.ts'
import { protectedCard, protectedDocument, protectedText, withTerminal } from '../protect/numbers.ts'
import type { FinancialRequest } from './requests.ts'

/** Who asks, and when. */
export interface Asked {
  readonly clientId: string
  readonly appKey: string
  /** Unix milliseconds. */
  readonly now: number
  /** Milliseconds that a generation, purchase or withdrawal has to be taken up. */
  readonly replyTimeoutMs: number
}

/** The key of a number that another authorizer will be asked with: kept before the request is published. */
export interface KeptKey {
  readonly slot: string
  readonly secrets: readonly Secret[]
}

export interface Protected {
  readonly command: FinancialCommand
  readonly keep?: KeptKey
}

/** The key outlives the request's deadline by this: clocks differ, and it is read a moment after it is judged. */
const KEY_SLACK_MS = 5_000

/** What a caller of this dialect can command. */
export type FinancialCommand = TokenGeneration | TokenSpending | Undoing

/**
 * The command that a request asks for.
 * @param remoteRanges leading digits of cards whose funds another authorizer holds. @throws what the key ring throws.
 */
export function protectRequest(
  request: FinancialRequest,
  asked: Asked,
  keys: KeyRing,
  remoteRanges: readonly string[],
): Protected {
  const command = protect(request, asked, keys)
  if (request.code !== 'TOKEN_PURCHASE' && request.code !== 'TOKEN_WITHDRAWAL') return { command }
  const { cardNumber } = request.fields
  if (!remoteRanges.some((range) => cardNumber.startsWith(range))) return { command }
  const scope = scopeKey(command.scope)
  const { sealedNumber, wrappedKey } = keys.sealCard(cardNumber, scope)
  const expiresAt = asked.now + asked.replyTimeoutMs + KEY_SLACK_MS
  const secret = { name: purchaseKeyName(scope, sealedNumber), value: wrappedKey, expiresAt }
  return {
    command: { ...(command as TokenSpending), remote: true, sealedNumber },
    keep: { slot: scopeSlot(scope), secrets: [secret] },
  }
}

/** The same without what only another authorizer needs. @throws what the key ring throws. */
export function protect(request: FinancialRequest, asked: Asked, keys: KeyRing): FinancialCommand {
  const scope = scopeOf(request)
  const { acquirer, metadata } = request.fields
  const base = {
    scope,
    fingerprint: keys.hash('fingerprint', canonicalContent(scope, request)),
    clientId: asked.clientId,
    appKey: asked.appKey,
    requestedAt: asked.now,
    acquirer: withTerminal(acquirer, keys),
    ...(metadata === undefined ? {} : { metadata: protectedText(metadata, keys) }),
  }
  const deadline = asked.now + asked.replyTimeoutMs
  switch (request.code) {
    case 'TOKEN_GENERATION': {
      const { cardNumber, document, accountType, amount, restrictToAcquirer, ttlSeconds } = request.fields
      return {
        ...base,
        kind: request.code,
        deadline,
        restrictToAcquirer,
        ttlSeconds,
        ...(cardNumber === undefined ? {} : { card: protectedCard(cardNumber, keys) }),
        ...(document === undefined ? {} : { document: protectedDocument(document, keys) }),
        ...(accountType === undefined ? {} : { accountType }),
        ...(amount === undefined ? {} : { amountMinor: amount }),
      }
    }
    case 'TOKEN_PURCHASE':
    case 'TOKEN_WITHDRAWAL': {
      const { cardNumber, token, accountType, amount } = request.fields
      const sealedToken = keys.seal(token, scopeKey(scope))
      return {
        ...base,
        kind: request.code,
        deadline,
        card: protectedCard(cardNumber, keys),
        sealedToken,
        accountType,
        amountMinor: amount,
      }
    }
    case 'REVERSAL':
    case 'VOID': {
      const { originalConsecutive, originalCode, amount } = request.fields
      const original = { acquirerId: acquirer.id, transactionCode: originalCode, consecutive: originalConsecutive }
      return { ...base, kind: request.code, original, ...(amount === undefined ? {} : { amountMinor: amount }) }
    }
    default:
      return request satisfies never
  }
}

function scopeOf({ code, fields }: FinancialRequest): Scope {
  return { acquirerId: fields.acquirer.id, transactionCode: code, consecutive: fields.consecutive }
}

/**
 * One text for a content: the scope and every listed field after defaults and normalisation, absent ones left out, in
 * an order that is fixed here. Amounts are minor units, so 100 is 100.00. It holds numbers in clear: only ever hashed.
 */
export function canonicalContent(scope: Scope, request: FinancialRequest): string {
  const { acquirer, metadata } = request.fields
  const content: (readonly [string, unknown])[] = []
  const add: Add = (name, value) => {
    if (value !== undefined) content.push([name, value])
  }
  add('scope', scopeKey(scope))
  add('storeId', acquirer.storeId)
  add('terminalId', acquirer.terminalId)
  add('metadata', metadata)
  addOwn(request, add)
  return JSON.stringify(content)
}

type Add = (name: string, value: unknown) => void

function addOwn(request: FinancialRequest, add: Add): void {
  switch (request.code) {
    case 'TOKEN_GENERATION': {
      const { cardNumber, accountType, amount, document, restrictToAcquirer, ttlSeconds } = request.fields
      add('cardNumber', cardNumber)
      add('accountType', accountType)
      add('amountMinor', amount)
      add('document', document && [document.type, document.number])
      add('restrictToAcquirer', restrictToAcquirer)
      add('ttlSeconds', ttlSeconds)
      return
    }
    case 'TOKEN_PURCHASE':
    case 'TOKEN_WITHDRAWAL': {
      const { cardNumber, token, accountType, amount } = request.fields
      add('cardNumber', cardNumber)
      add('token', token)
      add('accountType', accountType)
      add('amountMinor', amount)
      return
    }
    case 'REVERSAL':
    case 'VOID': {
      const { originalConsecutive, originalCode, amount } = request.fields
      add('originalConsecutive', originalConsecutive)
      add('originalTransactionCode', originalCode)
      add('amountMinor', amount)
      return
    }
    default:
      request satisfies never
  }
}
