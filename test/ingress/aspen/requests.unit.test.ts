// Bodies of the Aspen dialect: every row of the contract's table that concerns a field, names in any case, and that
// nothing comes of a bad one.

import { describe, expect, it } from 'vitest'
import { readBody, cancellationBody, claimBody, sendBody } from '../../../services/ingress/aspen/requests.ts'
import { maskedTags } from '../../../services/ingress/aspen/protect.ts'
import { ASPEN_ROUTES } from '../../../services/ingress/aspen/route-descriptions.ts'
import type { RouteDescription } from '../../../services/ingress/http/route-description.ts'
import { approve, ASPEN_APP, credentials, ingressPerTest } from '../harness.ts'
import { aspenClient } from './client.ts'

const start = ingressPerTest()

const GOOD = { docType: 'CC', docNumber: '1012345678', amount: 10_000 }
const problemOf = (body: unknown, schema: Parameters<typeof readBody>[0] = sendBody) => {
  const read = readBody(schema, body)
  return 'refused' in read ? read.refused.message : null
}
const fieldsOf = (body: unknown) => {
  const read = readBody(sendBody, body)
  if ('refused' in read) throw new Error(read.refused.message)
  return read.fields
}

const NO_TYPE = "'DocType' no puede ser nulo ni vacío"
const NO_NUMBER = "'DocNumber' no puede ser nulo ni vacío"
const BAD_NUMBER = "'DocNumber' debe coincidir con el patrón"
const BAD_AMOUNT = "'Amount' debe ser un valor numérico mayor que cero"
const NO_METADATA = "'Metadata' no puede ser vacío"
const BAD_METADATA = "'Metadata' debe coincidir con el patrón"
const NO_ACCOUNT = "'AccountType' no puede ser vacío"
const BAD_ACCOUNT = "'AccountType' debe coincidir con el patrón"
const BAD_TAG = 'no se reconoce como un valor de tag admitido'

const ROWS: readonly (readonly [field: string, values: readonly unknown[], contains: string])[] = [
  ['docType', [undefined, null, '', '   '], NO_TYPE],
  ['docType', ['XX', 'cc', 'CCC', '1', '**', '@', 5, {}, ['CC']], 'no se reconoce como un tipo de identificación'],
  ['docNumber', [undefined, null, '', ' '], NO_NUMBER],
  ['docNumber', ['X', '123456XXXX', '1'.repeat(19), '1 2', '-1', '１２', 5, {}], BAD_NUMBER],
  ['amount', [0, -1, 0.5, 100.01, 1_000_000_000_001, 1e300, '100', '', true, {}, [1]], BAD_AMOUNT],
  ['metadata', ['', '   ', '\t'], NO_METADATA],
  ['metadata', ['x'.repeat(51), '\ud800', 5, {}, ['a']], BAD_METADATA],
  ['accountType', ['', '  '], NO_ACCOUNT],
  ['accountType', ['X', 'XXX', '8', '800', '99', 80, {}], BAD_ACCOUNT],
  ['tags', [{ Terminal_Id: 'x' }, { Pan_: 'x' }, { TerminalId: 'T', other: 'x' }, { XXXXXX: 'x' }], BAD_TAG],
  ['tags', ['x', 5, []], "'Tags' debe ser un objeto"],
  ['tags', [{ TerminalId: '' }, { TerminalId: 5 }, { terminalid: 'x'.repeat(65) }], "'TerminalId' debe coincidir"],
]

describe('a field', () => {
  const cases = ROWS.flatMap(([field, values, contains]) => values.map((value) => [field, value, contains] as const))
  it.each(cases)('%s of %j is refused with its text', (field, value, contains) => {
    expect(problemOf({ ...GOOD, [field]: value })).toContain(contains)
  })

  it('is repeated in a text only where it is harmless', () => {
    expect(problemOf({ ...GOOD, docType: 'XX' })).toBe("'XX' no se reconoce como un tipo de identificación.")
    expect(problemOf({ ...GOOD, docType: '482915' })).toMatch(/^El valor no se reconoce/)
    expect(problemOf({ ...GOOD, tags: { Terminal_Id: 'x' } })).toMatch(/^'Terminal_Id' no se reconoce/)
    expect(problemOf({ ...GOOD, tags: { '6039591000000018': 'x' } })).toMatch(/^El valor no se reconoce/)
    expect(problemOf({ ...GOOD, tags: { 'x\r\nSet-Cookie: a': 'x' } })).toMatch(/^El valor no se reconoce/)
  })

  it('is judged in the order of the table', () => {
    const bad = { docType: 'XX', docNumber: 'X', amount: 0, metadata: '', accountType: '', tags: { a: 'x' } }
    const mended: Record<string, unknown> = { ...bad }
    const seen: (string | null)[] = []
    for (const [field, value] of [
      ['docType', 'CC'],
      ['docNumber', '1'],
      ['amount', 1],
      ['metadata', 'm'],
      ['accountType', '80'],
      ['tags', {}],
    ] as const) {
      seen.push(problemOf(mended))
      mended[field] = value
    }
    const texts = ['no se reconoce como un tipo', BAD_NUMBER, BAD_AMOUNT, NO_METADATA, NO_ACCOUNT, BAD_TAG]
    seen.forEach((text, at) => expect(text).toContain(texts[at]))
    expect(problemOf(mended)).toBeNull()
  })

  it('that is needed is so in PUT alone: an amount', () => {
    const { amount: _amount, ...user } = GOOD
    expect(problemOf(user, claimBody)).toContain(BAD_AMOUNT)
    expect(problemOf({ ...user, amount: null }, claimBody)).toContain(BAD_AMOUNT)
    expect('fields' in readBody(cancellationBody, user)).toBe(true)
    expect(problemOf(user, sendBody)).toBeNull()
  })
})

describe('a body', () => {
  it('is read with names in any case, of which the last counts, and unknown names ignored', () => {
    const sent = { DOCTYPE: 'PS', DocNumber: 'AB12', aMOUNT: 1, Amount: 2, 'x-other': 1, TAGS: { pan: '1234' } }
    expect(fieldsOf(sent)).toEqual({ docType: 'PAS', docNumber: 'AB12', amount: 200, tags: { Pan: '1234' } })
  })

  it('may leave out what is null', () => {
    const nothing = { metadata: null, accountType: null, tags: null, amount: null }
    expect(fieldsOf({ ...GOOD, ...nothing })).toEqual({ docType: 'CC', docNumber: '1012345678' })
    expect(fieldsOf({ ...GOOD, tags: { Pan: null } }).tags).toEqual({})
  })

  it('is good at every limit', () => {
    const most = { ...GOOD, docNumber: '1'.repeat(18), amount: 1_000_000_000_000, metadata: '😀'.repeat(50) }
    expect(fieldsOf(most)).toMatchObject({ amount: 100_000_000_000_000 })
    expect(fieldsOf({ ...GOOD, docType: 'NJ' }).docType).toBe('NIT')
  })

  const calls = [
    ['PUT', '/tokens/123456'],
    ['POST', '/tokens/send'],
    ['DELETE', '/tokens/123456'],
  ] as const
  it.each(calls)('that is bad is refused by %s %s, with nothing published', async (method, path) => {
    const { app, published } = await start({ answer: approve })
    const client = aspenClient(app, ASPEN_APP)
    await client.signIn()
    const bodies: readonly unknown[] = [
      '',
      '{',
      '[]',
      'null',
      '5',
      '"x"',
      '{"docType":"CC","docType":',
      `${JSON.stringify(GOOD).slice(0, -1)},"__proto__":{}}`,
      {},
      { ...GOOD, docType: 'XX' },
      { ...GOOD, metadata: ' ' },
      { ...GOOD, amount: '1' },
    ]
    for (const body of bodies) {
      const answer = await client.call(method, path, { body })
      expect([body, answer.status, answer.body?.eventId]).toEqual([body, 400, '15852'])
      if (typeof body === 'string') expect(answer.reason).toContain('El cuerpo de la solicitud')
    }
    const large = await client.call(method, path, { body: { ...GOOD, pad: 'x'.repeat(65_536) } })
    expect([large.status, large.body]).toEqual([
      413,
      { eventId: '15852', message: expect.stringContaining('El cuerpo de la solicitud') as unknown },
    ])
    for (const type of ['text/plain', undefined, 'application/jsonx']) {
      const other = await client.call(method, path, { body: GOOD, headers: { 'Content-Type': type } })
      expect([other.status, other.body]).toEqual([
        415,
        { eventId: '15852', message: expect.stringContaining('El cuerpo de la solicitud') as unknown },
      ])
    }
    expect(published).toEqual([])
  })

  it('is looked at only after who sends it', async () => {
    const { app } = await start()
    const headers = { authorization: credentials(ASPEN_APP.key, 'wrong'), 'content-type': 'text/plain' }
    const answer = await app.inject({ method: 'PUT', url: '/api/app/tokens/1', headers, payload: 'x'.repeat(70_000) })
    expect(answer.statusCode).toBe(401)
  })
})

describe('tags', () => {
  it('hold no card number: in Pan any number is masked, elsewhere what is a card', () => {
    expect(maskedTags({ Pan: '6039591000000018' })).toEqual({ Pan: '603959******0018' })
    expect(maskedTags({ Pan: '6039 5910 0000 0019' })).toEqual({ Pan: '603959******0019' })
    expect(maskedTags({ Pan: '123456789' })).toEqual({ Pan: '*********' })
    expect(maskedTags({ Pan: '0018' })).toEqual({ Pan: '0018' })
    expect(maskedTags({ Pan: '************0018' })).toEqual({ Pan: '************0018' })
    expect(maskedTags({ CustomerGroup: 'de 6039591000000018' })).toEqual({ CustomerGroup: 'de 603959******0018' })
  })
})

describe('the examples of the routes', () => {
  const described = Object.values<RouteDescription>(ASPEN_ROUTES).flatMap(({ url, body, examples = {} }) =>
    Object.values(examples).map((example) => [url, example.summary, body, example.body] as const),
  )
  it.each(described)('are read without a fault: %s, %s', (_url, _summary, schema, body) => {
    expect(problemOf(body, schema as Parameters<typeof readBody>[0])).toBeNull()
  })
})
