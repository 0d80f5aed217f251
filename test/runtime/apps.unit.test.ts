// The apps file: the demo set is that of the contract, and what is wrong is refused by place and rule.

import { describe, expect, it } from 'vitest'
import { cardExpiry, DEMO_SET_FILE, parseApps, readApps } from '../../services/runtime/apps.ts'
import { ConfigError } from '../../services/runtime/env.ts'

const SECRET = 'canary-secret-of-an-app'
const app = { clientId: 'bank', key: 'bank-pos', secret: SECRET, acquirerIds: ['A1'] }
const valid = { clients: [{ id: 'bank' }, { id: 'shop' }], evertec: [app] }
const card = {
  cardNumber: '6039591000000018',
  document: { type: 'CC', number: '1' },
  expires: '2032-12',
  accounts: [{ type: '10', balance: 0.5 }],
}

function problems(value: unknown): readonly string[] {
  try {
    parseApps(value, 'production')
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('the demo set', () => {
  const apps = readApps(DEMO_SET_FILE, 'development')

  it('has the clients and apps of the contract, without a rate limit', () => {
    expect(apps.clients).toEqual([{ id: 'demo' }, { id: 'other' }])
    const same = { transactionCodes: {}, enabled: true }
    expect(apps.evertec).toEqual([
      { clientId: 'demo', key: 'demo-acquirer', secret: 'demo-acquirer-secret', acquirers: ['A1', 'A2'], ...same },
      { clientId: 'other', key: 'other-acquirer', secret: 'other-acquirer-secret', acquirers: ['B1'], ...same },
    ])
  })

  it('has the cards of the contract', () => {
    const told = apps.cards.map(({ cardNumber, document, state, restrictions, accounts }) => [
      cardNumber,
      `${document.type} ${document.number}`,
      state,
      ...restrictions,
      ...accounts.map(({ type, amountMinor }) => `${type}: ${amountMinor / 100}`),
    ])
    expect(told).toEqual([
      ['6039591000000018', 'CC 1012345678', 'active', '10: 1000000', '20: 500000', '80: 200000'],
      ['6039591000000026', 'CE 876543', 'active', '80: 50000'],
      ['6039591000000034', 'CC 52000111', 'blocked', '10: 1000000'],
      ['6039591000000042', 'CC 52000222', 'lost', '10: 1000000'],
      ['6039591000000059', 'CC 52000333', 'active', '10: 1000000'],
      ['6039591000000067', 'CC 52000444', 'stolen', '10: 1000000'],
      ['6039591000000075', 'CC 52000555', 'active', 'no-withdrawals', '10: 1000000'],
    ])
    const past = apps.cards.filter(({ expiresAt }) => expiresAt < Date.UTC(2026, 0))
    expect(past.map(({ cardNumber }) => cardNumber)).toEqual(['6039591000000059'])
  })

  it('is refused in production', () => {
    expect(() => readApps(DEMO_SET_FILE, 'production')).toThrow('APPS_FILE.demo: the demo set must not be used in')
  })
})

describe('an apps file', () => {
  it('maps own transaction codes, and may disable and limit an app', () => {
    const own = { disabled: true, ratePerSecond: 5, transactionCodes: { '0200': 'TOKEN_PURCHASE' } }
    const { evertec } = parseApps({ ...valid, evertec: [{ ...app, ...own }] }, 'production')
    expect(evertec[0]).toEqual({
      clientId: 'bank',
      key: 'bank-pos',
      secret: SECRET,
      acquirers: ['A1'],
      enabled: false,
      ratePerSecond: 5,
      transactionCodes: { '0200': 'TOKEN_PURCHASE' },
    })
  })

  it('may have several apps of one client for one acquirer', () => {
    expect(problems({ ...valid, evertec: [app, { ...app, key: 'bank-web' }] })).toEqual([])
  })

  const withApp = (fields: object): object => ({ ...valid, evertec: [{ ...app, ...fields }] })
  const withCard = (fields: object): object => ({ ...valid, cards: [{ ...card, ...fields }] })
  const key = { id: 'k', key: 'canary' }
  const refused: readonly (readonly [string, unknown, string])[] = [
    ['an unknown field', withApp({ acquirers: [] }), '.evertec[0]: has unknown fields: acquirers'],
    ['no clients', { clients: [] }, '.clients: must be at least 1'],
    ['a missing secret', withApp({ secret: undefined }), '.evertec[0].secret: must be of type string'],
    ['a short secret', withApp({ secret: 'canary' }), '.evertec[0].secret: must have at least 20 characters'],
    ['a key that Basic cannot carry', withApp({ key: 'a:canary' }), '.evertec[0].key: has not the form of'],
    ['an unknown client', withApp({ clientId: 'canary' }), '.evertec[0].clientId: is none of the clients'],
    ['a key that stands twice', { ...valid, evertec: [app, app] }, '.evertec[1].key: another app has it'],
    [
      'an acquirer of two clients',
      { ...valid, evertec: [app, { ...app, key: 'x', clientId: 'shop' }] },
      '.evertec[1].acquirerIds: another client owns one of them',
    ],
    ['a client that stands twice', { clients: [{ id: 'bank' }, { id: 'bank' }] }, '.clients: two have one id'],
    [
      'a code that is none of ours',
      withApp({ transactionCodes: { x: 'canary' } }),
      '.evertec[0].transactionCodes.x: must be one of',
    ],
    ['cards outside a demo', { ...valid, cards: [card] }, '.cards: only a demo'],
    ['keys outside a demo', { ...valid, keys: { identity: key, token: [key], seal: [key] } }, '.keys: only a demo'],
    ['a card that fails Luhn', withCard({ cardNumber: '6039591000000019' }), '.cards[0].cardNumber: must pass Luhn'],
    [
      'a document with letters',
      withCard({ document: { type: 'CC', number: 'canary' } }),
      '.cards[0].document.number: must be digits',
    ],
    [
      'thirds of a peso',
      withCard({ accounts: [{ type: '10', balance: 0.333 }] }),
      '.cards[0].accounts[0].balance: must be an amount',
    ],
    ['no object', 'canary', ': must be of type object'],
  ]
  for (const [what, value, problem] of refused) {
    it(`is refused for ${what}`, () => {
      const told = problems(value)
      expect(told.some((line) => line.startsWith(`APPS_FILE${problem}`))).toBe(true)
      expect(told.join()).not.toContain('canary')
    })
  }

  it('of a demo names each card once, and each account of a holder once', () => {
    const demo = { ...valid, demo: true, cards: [card, { ...card }] }
    const read = () => parseApps(demo, 'development')
    expect(read).toThrow('APPS_FILE.cards[1].cardNumber: stands twice\nAPPS_FILE.cards[1].accounts')
  })

  it('that is missing or no JSON is refused without its path or content', () => {
    expect(() => readApps('/nowhere/canary', 'development')).toThrow(/^APPS_FILE: the file cannot be read \(ENOENT\)$/)
    expect(() => readApps(import.meta.filename, 'development')).toThrow(/^APPS_FILE: must be JSON$/)
  })
})

describe('the end of a card', () => {
  it('is the end of its month in Bogotá', () => {
    expect(new Date(cardExpiry('2032-12')).toISOString()).toBe('2033-01-01T05:00:00.000Z')
    expect(new Date(cardExpiry('2024-01')).toISOString()).toBe('2024-02-01T05:00:00.000Z')
  })
})
