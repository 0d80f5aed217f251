// Commands about cards whose funds another authorizer holds, with the secrets that an edge keeps for them.

import { amountMinor } from '../../services/core/money/amount.ts'
import { purchaseKeyName, secretName } from '../../services/core/card-token/card-token.ts'
import type {
  CardCharge,
  CardTokenization,
  ChargeRefund,
  TokenSpending,
} from '../../services/core/transaction/command.ts'
import { cardTokenSlot, scopeKey, scopeSlot, type Scope } from '../../services/core/transaction/scope.ts'
import type { Store } from '../../services/ports/store.ts'
import { commands, FAR } from './commands.ts'
import { plainKeys } from './plain-keys.ts'

const MERCHANT = 'm1'
export const tokenHashOf = (id: string): string => plainKeys.hash('card-token', id)
const scopeOf = <C extends Scope['transactionCode']>(transactionCode: C, consecutive: string) => ({
  acquirerId: MERCHANT,
  transactionCode,
  consecutive,
})

function base(scope: Scope, content: unknown) {
  const fingerprint = plainKeys.hash('fingerprint', JSON.stringify([scope, content]))
  return { scope, fingerprint, clientId: 'demo', appKey: 'sk', requestedAt: 0 }
}

export function remoteSpending(consecutive: string, ask: Parameters<typeof commands.spending>[1]): TokenSpending {
  const command = commands.spending(consecutive, ask)
  const { sealedNumber } = plainKeys.sealCard(ask.card, scopeKey(command.scope))
  return { ...command, remote: true, sealedNumber }
}

export async function stashFor(store: Store, { scope, ...command }: TokenSpending | CardTokenization): Promise<void> {
  if (command.kind === 'CARD_TOKENIZATION') {
    const { tokenHash: hash } = command
    const sealed = Buffer.from(plainKeys.seal('123', '')).toString('base64url')
    return store.stash(cardTokenSlot(hash), [
      { name: secretName('cardkey', hash), value: plainKeys.sealCard('', hash).wrappedKey, expiresAt: FAR },
      { name: secretName('securitycode', hash), value: sealed, expiresAt: FAR },
    ])
  }
  const key = scopeKey(scope)
  const value = plainKeys.sealCard('', key).wrappedKey
  const name = purchaseKeyName(key, ('sealedNumber' in command && command.sealedNumber) || '')
  await store.stash(scopeSlot(key), [{ name, value, expiresAt: FAR }])
}

export function tokenization(id: string, card = '4111111111111111'): CardTokenization {
  const tokenHash = tokenHashOf(id)
  return {
    kind: 'CARD_TOKENIZATION',
    ...base(scopeOf('CARD_TOKENIZATION', tokenHash), card),
    tokenHash,
    mask: '411111XXXXXX1111',
    brand: 'visa',
    details: 'sealed',
    sealedNumber: plainKeys.sealCard(card, tokenHash).sealedNumber,
    cardExpiresAt: FAR,
    ttlSeconds: 3_600,
  }
}

export function charge(
  consecutive: string,
  ask: { token: string; amount?: number; order?: string; deadline?: number },
): CardCharge {
  return {
    kind: 'CARD_CHARGE',
    ...base(scopeOf('CARD_CHARGE', consecutive), ask),
    deadline: ask.deadline,
    tokenHash: tokenHashOf(ask.token),
    amountMinor: amountMinor(ask.amount ?? 1_000),
    description: 'shoes',
    ...(ask.order === undefined ? {} : { order: { hash: plainKeys.hash('order', ask.order), id: ask.order } }),
  }
}

export function refund(consecutive: string, ask: { charge: string; amount?: number }): ChargeRefund {
  return {
    kind: 'CHARGE_REFUND',
    ...base(scopeOf('CHARGE_REFUND', consecutive), ask),
    original: scopeOf('CARD_CHARGE', ask.charge),
    ...(ask.amount === undefined ? {} : { amountMinor: amountMinor(ask.amount) }),
  }
}
