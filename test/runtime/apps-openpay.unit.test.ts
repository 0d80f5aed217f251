import { describe, expect, it } from 'vitest'
import { DEMO_SET_FILE, parseApps, readApps } from '../../services/runtime/apps.ts'
import { cardTokensOf, cardTokenVariables } from '../../services/runtime/config-card-tokens.ts'
import { ConfigError, readEnv } from '../../services/runtime/env.ts'

const privateKey = `sk_${'a'.repeat(32)}`
const merchant = { clientId: 'shop', merchantId: 'mshop00000000000', privateKeys: [privateKey] }
const withMerchants = (...openpay: object[]) => ({ clients: [{ id: 'shop' }], openpay })

function problems(value: unknown): readonly string[] {
  try {
    parseApps(value, 'production')
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
}

describe('merchants of the apps file', () => {
  it('are those of the contract in the demo set', () => {
    const { openpay } = readApps(DEMO_SET_FILE, 'development')
    expect(openpay).toEqual([
      {
        merchantId: 'mzdtln0bmtms6o3kck8f',
        clientId: 'demo',
        enabled: true,
        privateKeys: ['sk_e568c42a6c384b7ab02cd47d2e407cab'],
        publicKeys: ['pk_f0660ad5a39f4912872e24a7a660370c'],
      },
      {
        merchantId: 'mother0000000000demo',
        clientId: 'other',
        enabled: true,
        privateKeys: ['sk_00000000000000000000000000000other'],
        publicKeys: [],
      },
    ])
  })

  it('may be disabled and limited', () => {
    const { openpay } = parseApps(withMerchants({ ...merchant, disabled: true, ratePerSecond: 9 }), 'production')
    expect(openpay[0]).toEqual({ ...merchant, publicKeys: [], enabled: false, ratePerSecond: 9 })
  })

  it.each([
    ['no private key', { ...merchant, privateKeys: [] }, '[0].privateKeys: must be at least 1'],
    [
      'a public key for a private one',
      { ...merchant, privateKeys: [`pk_${'c'.repeat(32)}`] },
      '[0].privateKeys[0]: has not',
    ],
    [
      'a short key',
      { ...merchant, privateKeys: [`sk_${'c'.repeat(16)}`] },
      '[0].privateKeys: each must have at least 35',
    ],
    ['an unknown client', { ...merchant, clientId: 'other' }, '[0].clientId: is none of the clients'],
    ['a merchant with a colon', { ...merchant, merchantId: 'm:00000000' }, '[0].merchantId: has not the form'],
    [
      'a key twice',
      { ...merchant, privateKeys: [privateKey, privateKey] },
      '[0].privateKeys: one of them stands twice',
    ],
    ['an unknown field', { ...merchant, privateKey }, '[0]: has unknown fields: privateKey'],
  ])('are refused for %s, without a word of the key', (_what, value, problem) => {
    const told = problems(withMerchants(value))
    expect(told.find((line) => line.startsWith(`APPS_FILE.openpay${problem}`))).toBeDefined()
    expect(told.join()).not.toMatch(/[ac]{16}/)
  })

  it('are refused when two have one id or one key', () => {
    const told = problems(withMerchants(merchant, merchant))
    expect(told).toEqual([
      'APPS_FILE.openpay[1].merchantId: another merchant has it',
      'APPS_FILE.openpay[1].privateKeys: one of them stands twice',
    ])
  })
})

describe('the configuration of card tokens', () => {
  const read = (env: Record<string, string>) => cardTokensOf(readEnv(cardTokenVariables, env))

  it('is an hour for a token and a quarter for its code, and one private range', () => {
    expect(read({})).toEqual({ ttlMs: 3_600_000, securityCodeTtlMs: 900_000, privateRanges: ['603959'] })
  })

  it('never keeps a code longer than its token', () => {
    expect(read({ CARD_TOKEN_TTL_SECONDS: '60' })).toMatchObject({ ttlMs: 60_000, securityCodeTtlMs: 60_000 })
  })

  it('takes several ranges, and refuses what is none', () => {
    expect(read({ PRIVATE_CARD_RANGES: '603959, 5895' }).privateRanges).toEqual(['603959', '5895'])
    expect(() => read({ PRIVATE_CARD_RANGES: '603959,abc' })).toThrow('PRIVATE_CARD_RANGES: must be at most')
    expect(() => read({ PRIVATE_CARD_RANGES: '603' })).toThrow('PRIVATE_CARD_RANGES: must be at most')
  })
})
