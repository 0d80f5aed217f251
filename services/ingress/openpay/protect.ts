// From well-formed requests to commands of the core. The number leaves sealed under a key of its own, the security code
// not at all: key and code are secrets for the store. No hash of a number is made: nothing needs to compare them.

import { maskCardNumber, maskCardNumbersIn } from '../../core/card/mask.ts'
import { secretName } from '../../core/card-token/card-token.ts'
import type { CardCharge, CardTokenization, ChargeRefund, Inquiry } from '../../core/transaction/command.ts'
import { cardTokenSlot, scopeKey, type Scope } from '../../core/transaction/scope.ts'
import type { KeyRing } from '../../ports/keys.ts'
import type { Secret } from '../../ports/store.ts'
import type { CardTokenConfig } from '../../runtime/config-card-tokens.ts'
import { sealDetails } from './details.ts'
import type { ChargeFields, ReadToken, RefundFields } from './requests.ts'

const SECOND_MS = 1_000

/** Who asks, and when. */
export interface Asked {
  readonly merchantId: string
  readonly clientId: string
  /** Unix milliseconds. */
  readonly now: number
  /** Milliseconds that a tokenization or charge has to be taken up. */
  readonly replyTimeoutMs: number
}

/** A tokenization, and what has to be in the store before it is asked for. */
export interface ProtectedToken {
  readonly command: CardTokenization
  readonly slot: string
  readonly secrets: readonly Secret[]
}

/** The keyed hash by which a token is known behind the edge: its id stands nowhere in clear. */
export function tokenHashOf(merchantId: string, id: string, keys: KeyRing): string {
  return keys.hash('card-token', `${merchantId}:${id}`)
}

export const tokenScope = (merchantId: string, tokenHash: string): Scope => ({
  acquirerId: merchantId,
  transactionCode: 'CARD_TOKENIZATION',
  consecutive: tokenHash,
})

export const chargeScope = (merchantId: string, id: string) =>
  ({ acquirerId: merchantId, transactionCode: 'CARD_CHARGE', consecutive: id }) as const

/** @throws what the key ring throws. */
export function protectToken(
  { fields, card, cardExpiresAt }: ReadToken,
  id: string,
  asked: Asked,
  { ttlMs, securityCodeTtlMs }: Pick<CardTokenConfig, 'ttlMs' | 'securityCodeTtlMs'>,
  keys: KeyRing,
): ProtectedToken {
  const tokenHash = tokenHashOf(asked.merchantId, id, keys)
  const { sealedNumber, wrappedKey } = keys.sealCard(fields.card_number, tokenHash)
  const codeName = secretName('securitycode', tokenHash)
  const code = Buffer.from(keys.seal(fields.cvv2, codeName)).toString('base64url')
  const scope = tokenScope(asked.merchantId, tokenHash)
  const command: CardTokenization = {
    kind: 'CARD_TOKENIZATION',
    ...baseOf(scope, asked, [], keys),
    deadline: asked.now + asked.replyTimeoutMs,
    tokenHash,
    mask: maskCardNumber(fields.card_number),
    brand: card.brand,
    details: sealDetails(fields, asked.now, asked.merchantId, keys),
    sealedNumber,
    cardExpiresAt,
    ttlSeconds: ttlMs / SECOND_MS,
  }
  const secrets = [
    { name: secretName('cardkey', tokenHash), value: wrappedKey, expiresAt: asked.now + ttlMs },
    { name: codeName, value: code, expiresAt: asked.now + securityCodeTtlMs },
  ]
  return { command, slot: cardTokenSlot(tokenHash), secrets }
}

/** A charge has no other idempotency than its order: its consecutive is drawn for each call. */
export function protectCharge(fields: ChargeFields, id: string, asked: Asked, keys: KeyRing): CardCharge {
  const { merchantId } = asked
  const { source_id: source, amount, description, order_id: order } = fields
  const tokenHash = tokenHashOf(merchantId, source, keys)
  return {
    kind: 'CARD_CHARGE',
    ...baseOf(chargeScope(merchantId, id), asked, [tokenHash, amount, description, order], keys),
    deadline: asked.now + asked.replyTimeoutMs,
    tokenHash,
    amountMinor: amount,
    description: maskCardNumbersIn(description),
    ...(order === undefined
      ? {}
      : { order: { hash: keys.hash('order', `${merchantId}:${order}`), id: maskCardNumbersIn(order) } }),
  }
}

/** @param chargeId of the charge that is refunded. */
export function protectRefund(
  { amount, description }: RefundFields,
  id: string,
  chargeId: string,
  asked: Asked,
  keys: KeyRing,
): ChargeRefund {
  const scope = { acquirerId: asked.merchantId, transactionCode: 'CHARGE_REFUND', consecutive: id } as const
  return {
    kind: 'CHARGE_REFUND',
    ...baseOf(scope, asked, [chargeId, amount, description], keys),
    original: chargeScope(asked.merchantId, chargeId),
    ...(amount === undefined ? {} : { amountMinor: amount }),
    ...(description === undefined ? {} : { description: maskCardNumbersIn(description) }),
  }
}

/** A question about a scope, under an id of its own. */
export function inquiryOf(of: Scope, inquiryId: string): Inquiry {
  return { kind: 'INQUIRY', inquiryId, of }
}

/** The app is named by its merchant: its keys are secret. */
function baseOf(scope: Scope, { merchantId, clientId, now }: Asked, content: readonly unknown[], keys: KeyRing) {
  const canonical = JSON.stringify([scopeKey(scope), ...content])
  return { scope, fingerprint: keys.hash('fingerprint', canonical), clientId, appKey: merchantId, requestedAt: now }
}
