// Merchants of the Openpay dialect as the apps file has them. No message quotes a key.

import { z } from 'zod'

/** A merchant and its keys. */
export interface OpenpayMerchantConfig {
  readonly merchantId: string
  readonly clientId: string
  readonly enabled: boolean
  /** Do everything. Several while one replaces another. */
  readonly privateKeys: readonly string[]
  /** Create tokens, and nothing else. */
  readonly publicKeys: readonly string[]
  /** Calls a second on one instance; absent: no limit. */
  readonly ratePerSecond?: number
}

/** An old key and a new one, and some to spare. */
const MAX_KEYS = 4
/** Characters of a key outside a demo, its prefix included: 128 bits in hexadecimal are 32. */
const MIN_KEY = 35

const keyOf = (prefix: 'sk' | 'pk') => z.string().regex(new RegExp(`^${prefix}_[A-Za-z0-9]{16,64}$`))

/** One merchant of the list `openpay`. */
export const openpayMerchant = z
  .strictObject({
    clientId: z.string().regex(/^[a-z0-9-]{1,32}$/),
    merchantId: z.string().regex(/^[a-z0-9]{8,32}$/),
    privateKeys: z.array(keyOf('sk')).min(1).max(MAX_KEYS),
    publicKeys: z.array(keyOf('pk')).max(MAX_KEYS).default([]),
    ratePerSecond: z.number().int().min(1).max(100_000).optional(),
    disabled: z.boolean().default(false),
  })
  .transform(({ disabled, ratePerSecond, ...merchant }): OpenpayMerchantConfig => ({
    ...merchant,
    enabled: !disabled,
    ...(ratePerSecond === undefined ? {} : { ratePerSecond }),
  }))

/** What is wrong between merchants, each problem with its place; `clients` are the ids of the clients. */
export function merchantContradictions(
  merchants: readonly OpenpayMerchantConfig[],
  clients: ReadonlySet<string>,
  demo: boolean,
): readonly string[] {
  const problems: string[] = []
  const ids = new Set<string>()
  const keys = new Set<string>()
  merchants.forEach(({ merchantId, clientId, privateKeys, publicKeys }, index) => {
    const at = `.openpay[${index}]`
    if (!clients.has(clientId)) problems.push(`${at}.clientId: is none of the clients`)
    if (ids.has(merchantId)) problems.push(`${at}.merchantId: another merchant has it`)
    ids.add(merchantId)
    for (const key of [...privateKeys, ...publicKeys]) {
      const kind = key.startsWith('sk_') ? 'privateKeys' : 'publicKeys'
      if (keys.has(key)) problems.push(`${at}.${kind}: one of them stands twice`)
      if (!demo && key.length < MIN_KEY) problems.push(`${at}.${kind}: each must have at least ${MIN_KEY} characters`)
      keys.add(key)
    }
  })
  return problems
}
