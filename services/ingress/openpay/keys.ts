// Which merchant a key is of, and what it may do. The key is the user name of HTTP Basic; the password is empty.

import { createBasicAuthentication } from '../auth/basic.ts'
import type { OpenpayMerchantConfig } from '../../runtime/apps-openpay.ts'

/** A key that was presented and is right. */
export interface KnownKey {
  readonly merchant: OpenpayMerchantConfig
  /** A private key does everything, a public one only creates tokens. */
  readonly kind: 'private' | 'public'
}

/** The key of an `Authorization` header, or null: absent, malformed, unknown or of a disabled merchant alike. */
export type KeyAuthentication = (header: string | undefined) => KnownKey | null

/** @throws Error when one key stands twice. */
export function createKeyAuthentication(merchants: readonly OpenpayMerchantConfig[]): KeyAuthentication {
  const keys = merchants.flatMap((merchant) => [
    ...merchant.privateKeys.map((key) => ({ merchant, kind: 'private' as const, key })),
    ...merchant.publicKeys.map((key) => ({ merchant, kind: 'public' as const, key })),
  ])
  return createBasicAuthentication(keys.map((known) => ({ ...known, secret: '', enabled: known.merchant.enabled })))
}
