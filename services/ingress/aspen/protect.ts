// From a well-formed call to a command of the core: numbers become keyed hashes and masks, the token is sealed. Each call
// is a transaction of its own, whose consecutive is drawn here.

import { randomBytes } from 'node:crypto'
import { holdsCardNumber, maskCardNumber, maskCardNumbersIn } from '../../core/card/mask.ts'
import type { Tags, TokenGeneration, TokenUse, Undoing } from '../../core/transaction/command.ts'
import { scopeKey, type Scope } from '../../core/transaction/scope.ts'
import type { TransactionCode } from '../../core/transaction/codes.ts'
import type { KeyRing } from '../../ports/keys.ts'
import { protectedDocument, protectedText, withTerminal } from '../protect/numbers.ts'
import type { ClaimFields, SendFields, TagName } from './requests.ts'

/** Who asks, and when. */
export interface Asked {
  readonly clientId: string
  readonly appKey: string
  /** Unix milliseconds. */
  readonly now: number
  /** Milliseconds that the transaction has to be taken up. */
  readonly replyTimeoutMs: number
}

/** Life of a sent token, the contract's default. */
export const TOKEN_TTL_SECONDS = 300
const CONSECUTIVE_BYTES = 16
/** Digits that are surely shorter than a card number: the last ones of it, say. */
const SHOWN_PAN_DIGITS = 4
/** A digit that no token has alone: what is no number of a token is a wrong one, and costs the same. */
const NO_TOKEN = '0'
const TOKEN = /^[0-9]{1,19}$/

/** The generation of a token for a user. @throws what the key ring throws. */
export function generationOf(fields: SendFields, asked: Asked, keys: KeyRing): TokenGeneration {
  const base = baseOf('TOKEN_GENERATION', asked)
  const { metadata, accountType, amount } = fields
  const tags = maskedTags(fields.tags ?? {})
  return {
    ...base,
    kind: 'TOKEN_GENERATION',
    fingerprint: fingerprint(base.scope, fields, keys),
    deadline: asked.now + asked.replyTimeoutMs,
    acquirer: withTerminal(placeOf(base.scope, fields.tags ?? {}), keys),
    document: protectedDocument(documentOf(fields), keys),
    restrictToAcquirer: false,
    ttlSeconds: TOKEN_TTL_SECONDS,
    ...(metadata === undefined ? {} : { metadata: protectedText(metadata, keys) }),
    ...(accountType === undefined ? {} : { accountType }),
    ...(amount === undefined ? {} : { amountMinor: amount }),
    ...(Object.keys(tags).length === 0 ? {} : { tags }),
  }
}

/** What ends a token that cannot be delivered. */
export function reversalOf(generation: TokenGeneration, asked: Asked, keys: KeyRing): Undoing {
  const base = baseOf('REVERSAL', asked)
  const { acquirerId, consecutive } = generation.scope
  const original = { acquirerId, consecutive, transactionCode: 'TOKEN_GENERATION' as const }
  const { acquirer } = generation
  return { ...base, kind: 'REVERSAL', fingerprint: fingerprint(base.scope, original, keys), acquirer, original }
}

/** The claim or the end of a token. @param token as it stands in the path. @throws what the key ring throws. */
export function tokenUseOf(
  kind: TokenUse['kind'],
  token: string,
  fields: ClaimFields,
  asked: Asked,
  keys: KeyRing,
): TokenUse {
  const base = baseOf(kind, asked)
  const { amount, metadata } = fields
  const presented = TOKEN.test(token) ? token : NO_TOKEN
  return {
    ...base,
    kind,
    fingerprint: fingerprint(base.scope, { ...fields, token: presented }, keys),
    deadline: asked.now + asked.replyTimeoutMs,
    document: protectedDocument(documentOf(fields), keys),
    sealedToken: keys.seal(presented, scopeKey(base.scope)),
    ...(amount === undefined ? {} : { amountMinor: amount }),
    ...(metadata === undefined ? {} : { metadata: protectedText(metadata, keys) }),
  }
}

/** Tags with card numbers masked: in `Pan` any number, elsewhere what is a card's. */
export function maskedTags(tags: Partial<Record<TagName, string>>): Tags {
  return Object.fromEntries(
    Object.entries(tags).map(([name, value]) => [name, name === 'Pan' ? maskedPan(value) : maskCardNumbersIn(value)]),
  )
}

function maskedPan(value: string): string {
  const digits = value.replace(/[^0-9]/g, '')
  if (digits.length <= SHOWN_PAN_DIGITS) return value
  return maskCardNumber(digits)
}

function baseOf(transactionCode: TransactionCode, { clientId, appKey, now }: Asked) {
  const consecutive = randomBytes(CONSECUTIVE_BYTES).toString('base64url')
  const scope: Scope = { acquirerId: `app.${appKey}`, transactionCode, consecutive }
  return { scope, clientId, appKey, requestedAt: now }
}

/** The app as the acquirer; store and terminal as tagged, where the tags have the form of those. */
function placeOf({ acquirerId }: Scope, { CardAcceptorId = '', TerminalId = '' }: Partial<Record<TagName, string>>) {
  const store = /^[A-Za-z0-9]{1,15}$/.test(CardAcceptorId) && !holdsCardNumber(CardAcceptorId)
  const storeId = store ? CardAcceptorId : ''
  const terminalId = /^[A-Za-z0-9]{1,8}$/.test(TerminalId) ? TerminalId : ''
  return { id: acquirerId, storeId, terminalId }
}

function documentOf({ docType, docNumber }: ClaimFields) {
  return { type: docType, number: docNumber }
}

/** Of content in clear: only ever hashed. The scope is new with every call, so it repeats nothing. */
function fingerprint(scope: Scope, content: object, keys: KeyRing): string {
  return keys.hash('fingerprint', JSON.stringify([scopeKey(scope), Object.entries(content)]))
}
