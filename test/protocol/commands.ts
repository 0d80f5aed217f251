// Commands for tests, built from what a person would say.

import type { AccountType } from '../../services/core/account/account.ts'
import type { CardRestriction, CardState } from '../../services/core/card/card.ts'
import { amountMinor } from '../../services/core/money/amount.ts'
import type { UndoableCode } from '../../services/core/transaction/codes.ts'
import type {
  AccountCredit,
  AccountOpening,
  CardRegistration,
  CardStateChange,
  TokenGeneration,
  TokenSpending,
  Undoing,
} from '../../services/core/transaction/command.ts'
import { scopeKey, type Scope } from '../../services/core/transaction/scope.ts'
import type { KeyRing } from '../../services/ports/keys.ts'
import { plainKeys } from './plain-keys.ts'

export const FAR = 4_102_444_800_000

interface Where {
  readonly acquirerId?: string
  readonly storeId?: string
  readonly terminalId?: string
}

export function commandsWith(keys: KeyRing) {
  const fingerprint = (content: unknown) => keys.hash('fingerprint', JSON.stringify(content))
  const number = (purpose: 'card' | 'document', text: string) => ({ hash: keys.hash(purpose, text), mask: '******' })
  const base = (scope: Scope, content: unknown) => ({
    scope,
    fingerprint: fingerprint([scope, content]),
    clientId: 'demo',
    appKey: 'app',
    requestedAt: 0,
  })
  const acquirer = ({ acquirerId = 'A1', storeId = 'S1', terminalId = 'T1' }: Where) => ({
    id: acquirerId,
    storeId,
    terminalId,
    terminalHash: keys.hash('terminal', `${acquirerId}:${storeId}:${terminalId}`),
  })
  const protectedText = (text?: string) =>
    text === undefined ? undefined : { hash: keys.hash('metadata', text), text }

  return {
    generation(
      consecutive: string,
      ask: Where & {
        card?: string
        document?: string
        accountType?: AccountType
        amount?: number
        metadata?: string
        restrict?: boolean
        ttlSeconds?: number
        deadline?: number
      } = {},
    ): TokenGeneration {
      const scope = { acquirerId: ask.acquirerId ?? 'A1', transactionCode: 'TOKEN_GENERATION', consecutive } as const
      return {
        kind: 'TOKEN_GENERATION',
        ...base(scope, ask),
        acquirer: acquirer(ask),
        deadline: ask.deadline,
        card: ask.card === undefined ? undefined : number('card', ask.card),
        document: ask.document === undefined ? undefined : number('document', ask.document),
        accountType: ask.accountType,
        amountMinor: ask.amount === undefined ? undefined : amountMinor(ask.amount),
        metadata: protectedText(ask.metadata),
        restrictToAcquirer: ask.restrict ?? false,
        ttlSeconds: ask.ttlSeconds ?? 300,
      }
    },
    spending(
      consecutive: string,
      ask: Where & {
        card: string
        token: string
        amount?: number
        accountType?: AccountType
        metadata?: string
        withdrawal?: boolean
        deadline?: number
      },
    ): TokenSpending {
      const kind = ask.withdrawal ? 'TOKEN_WITHDRAWAL' : 'TOKEN_PURCHASE'
      const scope = { acquirerId: ask.acquirerId ?? 'A1', transactionCode: kind, consecutive } as const
      return {
        kind,
        ...base(scope, ask),
        acquirer: acquirer(ask),
        card: number('card', ask.card),
        deadline: ask.deadline,
        sealedToken: keys.seal(ask.token, scopeKey(scope)),
        accountType: ask.accountType ?? '10',
        amountMinor: amountMinor(ask.amount ?? 100),
        metadata: protectedText(ask.metadata),
      }
    },
    undoing(
      kind: Undoing['kind'],
      consecutive: string,
      ask: Where & {
        original?: string
        code?: UndoableCode
        amount?: number
        metadata?: string
      } = {},
    ): Undoing {
      const acquirerId = ask.acquirerId ?? 'A1'
      const scope = { acquirerId, transactionCode: kind, consecutive } as const
      return {
        kind,
        ...base(scope, ask),
        acquirer: acquirer(ask),
        metadata: protectedText(ask.metadata),
        original: {
          acquirerId,
          transactionCode: ask.code ?? 'TOKEN_PURCHASE',
          consecutive: ask.original ?? consecutive,
        },
        amountMinor: ask.amount === undefined ? undefined : amountMinor(ask.amount),
      }
    },
    registration(
      consecutive: string,
      ask: {
        card: string
        document: string
        state?: CardState
        expiresAt?: number
        restrictions?: CardRestriction[]
      },
    ): CardRegistration {
      const scope = { acquirerId: 'operator', transactionCode: 'CARD_REGISTRATION', consecutive } as const
      return {
        kind: 'CARD_REGISTRATION',
        ...base(scope, ask),
        card: number('card', ask.card),
        document: number('document', ask.document),
        state: ask.state ?? 'active',
        expiresAt: ask.expiresAt ?? FAR,
        restrictions: ask.restrictions ?? [],
      }
    },
    stateChange(consecutive: string, ask: { card: string; state: CardState }): CardStateChange {
      const scope = { acquirerId: 'operator', transactionCode: 'CARD_STATE_CHANGE', consecutive } as const
      return { kind: 'CARD_STATE_CHANGE', ...base(scope, ask), card: number('card', ask.card), state: ask.state }
    },
    opening(consecutive: string, ask: { document: string; accountType?: AccountType; amount: number }): AccountOpening {
      const scope = { acquirerId: 'operator', transactionCode: 'ACCOUNT_OPENING', consecutive } as const
      return {
        kind: 'ACCOUNT_OPENING',
        ...base(scope, ask),
        document: number('document', ask.document),
        accountType: ask.accountType ?? '10',
        amountMinor: amountMinor(ask.amount),
      }
    },
    credit(consecutive: string, ask: { document: string; accountType?: AccountType; amount: number }): AccountCredit {
      const scope = { acquirerId: 'operator', transactionCode: 'ACCOUNT_CREDIT', consecutive } as const
      return {
        kind: 'ACCOUNT_CREDIT',
        ...base(scope, ask),
        document: number('document', ask.document),
        accountType: ask.accountType ?? '10',
        amountMinor: amountMinor(ask.amount),
      }
    },
  }
}

/** Commands with readable hashes. */
export const commands = commandsWith(plainKeys)
