// Which bodies are well formed, and which fields of the others are named.

import { describe, expect, it } from 'vitest'
import { readRequest } from '../../../services/ingress/evertec/requests.ts'
import { ACQUIRER, APP, GENERATION, PURCHASE, REVERSAL, VOID } from '../harness.ts'

const read = (body: object) => readRequest(APP, body)
const badFieldsOf = (body: object) => {
  const result = read(body)
  return result.kind === 'malformed' ? result.errors.map((error) => error.field) : []
}
const requestOf = (body: object) => {
  const result = read(body)
  if (result.kind !== 'request') throw new Error(`not a request: ${JSON.stringify(result)}`)
  return result.request
}

const NO_IDENTIFIER = ['', ' ', 'a b', 'a/b', 'a:b', 'á', 'a\n', 'x'.repeat(65), 1, true, {}, [], ['a']]
const NO_FLAG = ['true', 0, 1, {}, []]
const NO_TEXT = ['', '   ', '\t\n', 'x'.repeat(51), '\ud800', 5, true, {}, ['a']]
const NO_AMOUNT = [0, -1, -0.01, 0.001, 100.005, 1_000_000_000_000.01, 1e13, '100', '', true, {}, [100]]
const NO_CARD = [
  '',
  '603959100000001',
  '6039591000000019',
  '60395910000000180000',
  '6039 5910 0000 0018',
  '６０３９５９１０００００００１８',
  ' 6039591000000018',
  '6039591000000018\n',
  6039591000000018,
  '4',
  'abcdefghijklmnop',
  {},
  true,
]
const NO_ACCOUNT = ['', '1', '010', '11', '85', '79', 10, ' 10', {}, true]

/** Malformed values of each field, by the codes that know it. */
const MALFORMED: readonly (readonly [string, object, string, readonly unknown[]])[] = [
  ['any transaction', GENERATION, 'consecutive', NO_IDENTIFIER],
  ['a transaction of an unknown code', { ...GENERATION, transactionCode: 'X' }, 'consecutive', NO_IDENTIFIER],
  ['any transaction', GENERATION, 'transactionCode', ['', '  ', 'x'.repeat(65), 5, true, {}, []]],
  ['any transaction', GENERATION, 'acquirer', ['A1', 5, true, [], ['A1'], '']],
  ['any transaction', GENERATION, 'metadata', NO_TEXT],
  ['a transaction of an unknown code', { ...GENERATION, transactionCode: 'X' }, 'metadata', NO_TEXT],
  ['a purchase', PURCHASE, 'metadata', NO_TEXT],
  ['a reversal', REVERSAL, 'metadata', NO_TEXT],
  ['a generation', GENERATION, 'cardNumber', NO_CARD],
  ['a generation', GENERATION, 'accountType', NO_ACCOUNT],
  ['a generation', GENERATION, 'amount', NO_AMOUNT],
  ['a generation', GENERATION, 'document', ['CC', 5, true, [], ['CC']]],
  ['a generation', GENERATION, 'restrictToAcquirer', NO_FLAG],
  ['a generation', GENERATION, 'ttlSeconds', [29, 86_401, 0, -30, 30.5, '300', true, {}, []]],
  ['a purchase', PURCHASE, 'cardNumber', NO_CARD],
  ['a purchase', PURCHASE, 'token', ['', '1'.repeat(20), '12 45', '12345a', '１２３', 482915, true, {}]],
  ['a purchase', PURCHASE, 'accountType', NO_ACCOUNT],
  ['a purchase', PURCHASE, 'amount', NO_AMOUNT],
  ['a withdrawal', { ...PURCHASE, transactionCode: 'TOKEN_WITHDRAWAL' }, 'amount', NO_AMOUNT],
  ['a reversal', REVERSAL, 'originalConsecutive', NO_IDENTIFIER],
  ['a void', VOID, 'originalConsecutive', NO_IDENTIFIER],
  [
    'a reversal',
    REVERSAL,
    'originalTransactionCode',
    ['', ' ', 'REVERSAL', 'VOID', 'NONE', 'x'.repeat(65), 5, true, {}],
  ],
  ['a void', VOID, 'originalTransactionCode', ['REVERSAL', 'VOID', 'token_purchase', 'constructor', '__proto__', 5]],
  ['a reversal', REVERSAL, 'amount', NO_AMOUNT],
  ['a void', VOID, 'amount', NO_AMOUNT],
]

describe('a malformed field', () => {
  for (const [what, body, field, values] of MALFORMED) {
    it(`is named, and alone: ${field} of ${what}`, () => {
      for (const value of values) expect([value, badFieldsOf({ ...body, [field]: value })]).toEqual([value, [field]])
    })
  }

  it('is named when it is needed and missing or null', () => {
    const needed: readonly (readonly [object, readonly string[]])[] = [
      [GENERATION, ['consecutive', 'acquirer']],
      [PURCHASE, ['consecutive', 'acquirer', 'cardNumber', 'token', 'accountType', 'amount']],
      [VOID, ['consecutive', 'acquirer', 'originalConsecutive']],
      [REVERSAL, ['consecutive', 'acquirer']],
    ]
    for (const [body, fields] of needed) {
      for (const field of fields) {
        expect(badFieldsOf({ ...body, [field]: null })).toEqual([field])
        expect(badFieldsOf({ ...body, [field]: undefined })).toEqual([field])
      }
    }
    expect(badFieldsOf({ ...GENERATION, transactionCode: null })).toEqual(['transactionCode'])
    expect(badFieldsOf({})).toEqual(['consecutive', 'acquirer', 'transactionCode'])
  })

  it('is named by its dotted path inside an acquirer', () => {
    const bad = [null, undefined, '', 'a b', 'x'.repeat(16), 5, {}]
    for (const value of bad) {
      for (const part of ['id', 'storeId', 'terminalId']) {
        expect(badFieldsOf({ ...GENERATION, acquirer: { ...ACQUIRER, [part]: value } })).toEqual([`acquirer.${part}`])
      }
    }
    expect(badFieldsOf({ ...GENERATION, acquirer: {} })).toEqual([
      'acquirer.id',
      'acquirer.storeId',
      'acquirer.terminalId',
    ])
    const longest = { id: 'a'.repeat(11), storeId: 'b'.repeat(15), terminalId: 'c'.repeat(8) }
    expect(requestOf({ ...GENERATION, acquirer: longest }).fields.acquirer).toEqual(longest)
    for (const part of ['id', 'storeId', 'terminalId'] as const) {
      expect(badFieldsOf({ ...GENERATION, acquirer: { ...longest, [part]: `${longest[part]}x` } })).toEqual([
        `acquirer.${part}`,
      ])
    }
  })

  it('is named by its dotted path inside a document, type and number both', () => {
    const document = { type: 'CC', number: '1012345678' }
    for (const type of [null, undefined, '', 'XX', 'cc', 'CC ', 5, {}, 'constructor']) {
      expect(badFieldsOf({ ...GENERATION, document: { ...document, type } })).toEqual(['document.type'])
    }
    for (const number of [null, undefined, '', 'A123', '12 3', '1'.repeat(19), 1012345678, {}]) {
      expect(badFieldsOf({ ...GENERATION, document: { ...document, number } })).toEqual(['document.number'])
    }
    expect(badFieldsOf({ ...GENERATION, document: {} })).toEqual(['document.type', 'document.number'])
    expect(badFieldsOf({ ...GENERATION, document: { type: 'PAS', number: 'AÑ1' } })).toEqual(['document.number'])
  })

  it('does not hide the others: all are named', () => {
    const body = {
      ...PURCHASE,
      consecutive: 'a b',
      acquirer: { id: '', storeId: 'S1' },
      cardNumber: '1',
      token: 'x',
      accountType: 1,
      amount: '1',
    }
    expect(badFieldsOf(body)).toEqual([
      'consecutive',
      'acquirer.id',
      'acquirer.terminalId',
      'cardNumber',
      'token',
      'accountType',
      'amount',
    ])
    expect(badFieldsOf({ ...VOID, originalConsecutive: null, originalTransactionCode: 'VOID', amount: 0 })).toEqual([
      'originalConsecutive',
      'amount',
      'originalTransactionCode',
    ])
  })

  it('has a Spanish message that does not quote it', () => {
    const result = read({ ...PURCHASE, cardNumber: '6039591000000019', token: '12345a' })
    expect(JSON.stringify(result)).not.toMatch(/6039591|12345a/)
    expect(result).toMatchObject({
      errors: [{ message: expect.stringContaining('Debe') }, { message: expect.stringContaining('Debe') }],
    })
    expect(read({ ...VOID, originalConsecutive: null })).toMatchObject({
      errors: [{ message: 'Este campo es obligatorio.' }],
    })
  })
})

describe('a number that JSON makes of too large a literal', () => {
  it('is no amount and no life', () => {
    for (const literal of ['1e400', '-1e400', '1e308']) {
      expect(badFieldsOf({ ...PURCHASE, amount: JSON.parse(literal) })).toEqual(['amount'])
      expect(badFieldsOf({ ...GENERATION, ttlSeconds: JSON.parse(literal) })).toEqual(['ttlSeconds'])
    }
    expect(badFieldsOf({ ...PURCHASE, amount: NaN })).toEqual(['amount'])
  })
})

describe('a well-formed request', () => {
  it('takes the defaults of the contract', () => {
    expect(requestOf(GENERATION)).toEqual({
      code: 'TOKEN_GENERATION',
      fields: { consecutive: 'gen-1', acquirer: ACQUIRER, restrictToAcquirer: false, ttlSeconds: 300 },
    })
    expect(requestOf(REVERSAL)).toEqual({
      code: 'REVERSAL',
      fields: {
        consecutive: 'buy-1',
        acquirer: ACQUIRER,
        originalConsecutive: 'buy-1',
        originalCode: 'TOKEN_PURCHASE',
      },
    })
    expect(requestOf(VOID).fields).toMatchObject({ originalConsecutive: 'buy-1', originalCode: 'TOKEN_PURCHASE' })
  })

  it('takes null for absent in optional fields', () => {
    const nulls = {
      cardNumber: null,
      accountType: null,
      amount: null,
      document: null,
      metadata: null,
      restrictToAcquirer: null,
      ttlSeconds: null,
    }
    expect(requestOf({ ...GENERATION, ...nulls })).toEqual(requestOf(GENERATION))
    const undone = { originalConsecutive: null, originalTransactionCode: null, amount: null, metadata: null }
    expect(requestOf({ ...REVERSAL, ...undone })).toEqual(requestOf(REVERSAL))
  })

  it('takes the bounds of each field', () => {
    const widest = {
      ...GENERATION,
      consecutive: `${'aZ9._-'.repeat(10)}abcd`,
      cardNumber: '6039591000000018',
      accountType: '84',
      amount: 1_000_000_000_000,
      document: { type: 'PAS', number: 'A'.repeat(18) },
      metadata: '😀'.repeat(50),
      restrictToAcquirer: true,
      ttlSeconds: 86_400,
    }
    expect(requestOf(widest).fields).toMatchObject({
      amount: 100_000_000_000_000,
      ttlSeconds: 86_400,
      metadata: '😀'.repeat(50),
    })
    expect(requestOf({ ...GENERATION, ttlSeconds: 30, amount: 0.01 }).fields).toMatchObject({
      amount: 1,
      ttlSeconds: 30,
    })
    for (const token of ['0', '1'.repeat(19)]) expect(requestOf({ ...PURCHASE, token }).fields).toMatchObject({ token })
    for (const accountType of ['10', '20', '30', '80', '81', '82', '83', '84']) {
      expect(requestOf({ ...PURCHASE, accountType }).fields).toMatchObject({ accountType })
    }
  })

  it('reads amounts as minor units, exactly', () => {
    const amounts = [
      [100, 10_000],
      [100.1, 10_010],
      [0.29, 29],
      [1.15, 115],
      [8.2, 820],
      [999_999_999_999.99, 99_999_999_999_999],
    ]
    for (const [pesos, minor] of amounts) {
      expect(requestOf({ ...PURCHASE, amount: pesos }).fields).toMatchObject({ amount: minor })
    }
  })

  it('reads NJ as NIT and PS as PAS', () => {
    const documentOf = (type: string, number: string) => requestOf({ ...GENERATION, document: { type, number } }).fields
    expect(documentOf('NJ', '900')).toMatchObject({ document: { type: 'NIT', number: '900' } })
    expect(documentOf('PS', 'AB12')).toMatchObject({ document: { type: 'PAS', number: 'AB12' } })
    for (const type of ['CC', 'CE', 'TI', 'NIT', 'PAS', 'PPT', 'RC']) {
      expect(documentOf(type, '1')).toMatchObject({ document: { type } })
    }
  })

  it("reads an app's own codes, also for the original", () => {
    expect(requestOf({ ...PURCHASE, transactionCode: '0200' }).code).toBe('TOKEN_PURCHASE')
    expect(requestOf({ ...REVERSAL, originalTransactionCode: '0100' }).fields).toMatchObject({
      originalCode: 'TOKEN_GENERATION',
    })
    expect(readRequest({ transactionCodes: {} }, { ...PURCHASE, transactionCode: '0200' }).kind).toBe('unknown-code')
  })

  it('never looks at fields that are not listed for its code', () => {
    const foreign = {
      document: 'x',
      ttlSeconds: 'x',
      restrictToAcquirer: 'x',
      originalConsecutive: '',
      originalTransactionCode: 5,
      other: {},
    }
    expect(requestOf({ ...PURCHASE, ...foreign })).toEqual(requestOf(PURCHASE))
    const spending = { cardNumber: 'x', token: 5, accountType: 'x', document: 5, ttlSeconds: 'x' }
    expect(requestOf({ ...REVERSAL, ...spending })).toEqual(requestOf(REVERSAL))
    expect(requestOf({ ...GENERATION, token: 5, originalConsecutive: '' })).toEqual(requestOf(GENERATION))
    expect(requestOf({ ...GENERATION, acquirer: { ...ACQUIRER, more: 1 } })).toEqual(requestOf(GENERATION))
  })

  it('may have a code that nobody knows', () => {
    const unknown = ['BALANCE', 'token_purchase', ' TOKEN_PURCHASE', 'constructor', '__proto__', 'toString']
    for (const transactionCode of unknown) {
      expect(read({ ...GENERATION, transactionCode })).toEqual({
        kind: 'unknown-code',
        consecutive: 'gen-1',
        acquirerId: 'A1',
      })
    }
  })
})
