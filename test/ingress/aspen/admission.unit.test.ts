// Who may call: every row of the contract's table that concerns headers, payload and session, and the order of them.

import { describe, expect, it } from 'vitest'
import { createMemorySessions } from '../../../services/adapters/memory/sessions.ts'
import {
  approve,
  ASPEN_APP,
  credentials,
  DISABLED_ASPEN_APP,
  ingressPerTest,
  NARROW_ASPEN_APP,
  OTHER_ASPEN_APP,
  type HarnessOptions,
} from '../harness.ts'
import { aspenClient, claimsOf, jwt, type Answer, type CallOptions } from './client.ts'

const start = ingressPerTest()
const NOW = 1_790_000_000_000
const HOUR_S = 3_600
const CHANNELS = '/tokens/channels'

async function signedIn(options: HarnessOptions = {}) {
  const harness = await start({ answer: approve, ...options })
  const client = aspenClient(harness.app, ASPEN_APP, options.now)
  expect((await client.signIn()).status).toBe(200)
  return { ...harness, client }
}

const eventOf = ({ status, body }: Answer) => [status, body?.eventId]

/** Every refusal has its text in both places, its page, and the time it took. */
function expectRefusal(answer: Answer, status: number, eventId: string, contains = ''): void {
  expect([answer.status, answer.body, answer.reason]).toEqual([
    status,
    { eventId, message: expect.stringContaining(contains) as unknown },
    `${String(answer.body?.message)} EventId: (${eventId})`,
  ])
  expect(answer.headers['x-pro-response-help']).toMatch(new RegExp(`/help/events/${eventId}$`))
  expect(answer.headers['x-pro-response-time']).toMatch(/^\d\d:\d\d:\d\d\d$/)
}

describe('a sign-in', () => {
  it('answers with a bare JWT that the app can verify, good for the time of its configuration', async () => {
    const { app } = await start({ now: () => NOW + 700 })
    const { status, text, headers } = await aspenClient(app, ASPEN_APP, () => NOW).signIn()
    expect([status, headers['content-type']]).toEqual([200, 'text/plain; charset=utf-8'])
    expect(headers['x-pro-response-time']).toMatch(/^\d\d:\d\d:\d\d\d$/)
    expect(claimsOf(text, ASPEN_APP.secret)).toEqual({
      jti: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/) as unknown,
      iat: NOW / 1_000,
      exp: NOW / 1_000 + ASPEN_APP.sessionSeconds,
    })
  })

  it('ends the session that was', async () => {
    const { app, client } = await signedIn()
    const newer = aspenClient(app, ASPEN_APP)
    await newer.signIn()
    expectRefusal(await client.call('GET', CHANNELS), 401, '15847')
    expect((await newer.call('GET', CHANNELS)).status).toBe(200)
  })

  it('needs no permission, and takes a JSON content type without a body', async () => {
    const { app } = await start()
    expect((await aspenClient(app, NARROW_ASPEN_APP).signIn()).status).toBe(200)
  })
})

describe('the headers of a call', () => {
  const refused: readonly (readonly [string, Record<string, string | undefined>, number, string, string])[] = [
    ['no key', { 'X-PRO-Auth-App': undefined }, 400, '20002', "Se requiere la cabecera personalizada 'X-PRO-Auth-App'"],
    [
      'a blank key',
      { 'X-PRO-Auth-App': '   ' },
      400,
      '20002',
      "Se requiere la cabecera personalizada 'X-PRO-Auth-App'",
    ],
    [
      'no payload',
      { 'X-PRO-Auth-Payload': undefined },
      400,
      '20002',
      "Se requiere la cabecera personalizada 'X-PRO-Auth-Payload'",
    ],
    [
      'a blank payload',
      { 'X-PRO-Auth-Payload': ' ' },
      400,
      '20002',
      "Se requiere la cabecera personalizada 'X-PRO-Auth-Payload'",
    ],
    [
      'an unknown key',
      { 'X-PRO-Auth-App': 'nobody' },
      400,
      '20005',
      "Identificador de ApiKey no válido para la cabecera personalizada 'X-PRO-Auth-App'",
    ],
    [
      'a disabled key',
      { 'X-PRO-Auth-App': DISABLED_ASPEN_APP.key },
      403,
      '20006',
      'ApiKey está desactivado. Póngase en contacto con el administrador',
    ],
    ...['', '   ', 'abc', '123', '1,0', '1A', '-1.0', '1.', '.1', '1.0.0.0.0', '1.0, 1.0', ' 1 . 0 '].map(
      (version) =>
        [
          `version "${version}"`,
          { 'X-PRO-Api-Version': version },
          400,
          '99001',
          "no es un formato válido para el encabezado 'X-PRO-Api-Version'",
        ] as const,
    ),
    ...['0.1', '1.1', '1.0.0', '01.0', '999999.999999', '999999.999999.999999.999999'].map(
      (version) =>
        [
          `version ${version}`,
          { 'X-PRO-Api-Version': version },
          400,
          '99005',
          "no es un valor admitido para el encabezado personalizado 'X-PRO-Api-Version'",
        ] as const,
    ),
  ]
  it.each(refused)('are refused with %s', async (_what, headers, status, eventId, contains) => {
    const { client, published } = await signedIn()
    expectRefusal(await client.call('GET', CHANNELS, { headers }), status, eventId, contains)
    expectRefusal(await client.signIn({ headers }), status, eventId, contains)
    expect(published).toHaveLength(0)
  })

  it('are good with version 1.0, and without one', async () => {
    const { client } = await signedIn()
    for (const version of ['1.0', undefined]) {
      expect((await client.call('GET', CHANNELS, { headers: { 'X-PRO-Api-Version': version } })).status).toBe(200)
    }
  })
})

describe('the payload of a call', () => {
  const claims = { Nonce: 'n', Epoch: Date.now() / 1_000 }
  const none = Buffer.from('{"alg":"none"}').toString('base64url')
  const good = jwt(claims, ASPEN_APP.secret)
  const bad: readonly (readonly [string, string])[] = [
    ['no JWT', 'Lorem ipsum dolor sit amet'],
    ['another secret', jwt(claims, 'another-secret-of-at-least-32-bytes-')],
    ["another app's secret", jwt(claims, OTHER_ASPEN_APP.secret)],
    ['no algorithm', `${none}.${good.split('.')[1]}.`],
    ['another algorithm, though signed by it', jwt(claims, ASPEN_APP.secret, { alg: 'HS512' }, 'sha512')],
    ['another algorithm in name only', jwt(claims, ASPEN_APP.secret, { alg: 'HS512' })],
    ['a critical header that nobody knows', jwt(claims, ASPEN_APP.secret, { alg: 'HS256', crit: ['x'], x: 1 })],
    ['changed claims', good.replace(/\.[^.]+\./, `.${Buffer.from('{"Nonce":"m"}').toString('base64url')}.`)],
    ['no signature', good.replace(/[^.]+$/, '')],
    ['a part too many', `${good}.x`],
    ['claims that are no object', jwt(['Nonce'], ASPEN_APP.secret)],
    ['claims that are null', jwt(null, ASPEN_APP.secret)],
  ]
  it.each(bad)('is refused with %s', async (_what, payload) => {
    const { client } = await signedIn()
    const answer = await client.call('GET', CHANNELS, { headers: { 'X-PRO-Auth-Payload': payload } })
    expectRefusal(answer, 400, '20007', "El contenido de la cabecera personalizada 'X-PRO-Auth-Payload' no es válido")
  })

  it('is not judged by claims of other systems: an expiry in the past is no claim here', async () => {
    const { client } = await signedIn()
    expect((await client.call('GET', CHANNELS, { claims: { exp: 1, nbf: 9e9, iat: 9e9 } })).status).toBe(200)
  })

  const NO_NONCE = "'Nonce' no puede ser nulo ni vacío"
  const BAD_NONCE = "'Nonce' debe coincidir con el patrón"
  const NO_EPOCH = "'Epoch' no puede ser nulo ni vacío"
  const BAD_EPOCH = 'Formato de Epoch no es valido. Debe ser un número'
  const OUT = 'Epoch está fuera de rango admitido'
  const NO_TOKEN = "'Token' no puede ser nulo ni vacío"
  const at = (seconds: number) => NOW / 1_000 + seconds
  const rows: readonly (readonly [string, unknown, number, string, string])[] = [
    ...[undefined, null, '', '   '].map((value) => ['Nonce', value, 400, '15852', NO_NONCE] as const),
    ...['a b', 'a/b', 'ñ', 'x'.repeat(65), 5, {}, ['a'], 'a\n'].map(
      (value) => ['Nonce', value, 400, '15852', BAD_NONCE] as const,
    ),
    ...[undefined, null, '', '   '].map((value) => ['Epoch', value, 400, '15852', NO_EPOCH] as const),
    ...['x', '123', -1, -0.5, true, {}, [1]].map((value) => ['Epoch', value, 400, '15850', BAD_EPOCH] as const),
    ...[0, at(-12 * HOUR_S - 1), at(12 * HOUR_S + 1), 1e300].map(
      (value) => ['Epoch', value, 416, '15851', OUT] as const,
    ),
    ...[undefined, null, '', '   '].map((value) => ['Token', value, 400, '15852', NO_TOKEN] as const),
    ...['x', 5, {}, `${'x'.repeat(42)}!`, 'x'.repeat(44)].map((value) => ['Token', value, 400, '20007', ''] as const),
    ['Token', 'x'.repeat(43), 401, '15847', ''],
  ]
  it.each(rows)('is refused with %s %j', async (claim, value, status, eventId, contains) => {
    const { client, published } = await signedIn({ now: () => NOW })
    expectRefusal(await client.call('GET', CHANNELS, { claims: { [claim]: value } }), status, eventId, contains)
    if (claim !== 'Token') expectRefusal(await client.signIn({ claims: { [claim]: value } }), status, eventId, contains)
    expect(published).toHaveLength(0)
  })

  it('is good at both ends of the window of its epoch, and in fractions of a second', async () => {
    const { client } = await signedIn({ now: () => NOW })
    for (const Epoch of [at(-12 * HOUR_S), at(12 * HOUR_S), at(0.123), at(-12 * HOUR_S + 0.001)]) {
      expect((await client.call('GET', CHANNELS, { claims: { Epoch } })).status).toBe(200)
    }
  })

  it('uses its nonce up for the app, whatever comes of the call, and not for another app', async () => {
    const { app, client } = await signedIn()
    const USED = 'Nonce ya procesado para su aplicación'
    expect((await client.call('GET', CHANNELS, { claims: { Nonce: 'once' } })).status).toBe(200)
    expectRefusal(await client.call('GET', CHANNELS, { claims: { Nonce: 'once' } }), 400, '15852', USED)
    expectRefusal(await client.signIn({ claims: { Nonce: 'once' } }), 400, '15852', USED)
    expect((await client.call('GET', CHANNELS, { claims: { Nonce: 'bad-epoch', Epoch: 0 } })).status).toBe(416)
    expectRefusal(await client.call('GET', CHANNELS, { claims: { Nonce: 'bad-epoch' } }), 400, '15852', USED)
    expect((await aspenClient(app, OTHER_ASPEN_APP).signIn({ claims: { Nonce: 'once' } })).status).toBe(200)
  })

  it('does not use its nonce up when its signature is wrong', async () => {
    const { client } = await signedIn()
    const Nonce = 'kept'
    expect((await client.call('GET', CHANNELS, { claims: { Nonce }, secret: 'x'.repeat(32) })).status).toBe(400)
    expect((await client.call('GET', CHANNELS, { claims: { Nonce } })).status).toBe(200)
  })

  it('keeps a nonce as long as a payload of any good epoch may be used', async () => {
    let now = NOW
    const { client } = await signedIn({ now: () => now, aspenApps: [{ ...ASPEN_APP, sessionSeconds: 90_000 }] })
    const latest = { Nonce: 'latest', Epoch: at(12 * HOUR_S) }
    expect((await client.call('GET', CHANNELS, { claims: latest })).status).toBe(200)
    now = NOW + 24 * HOUR_S * 1_000 - 1
    expect((await client.call('GET', CHANNELS, { claims: latest })).body?.message).toMatch(/^Nonce ya procesado/)
    now += 2
    expectRefusal(await client.call('GET', CHANNELS, { claims: latest }), 416, '15851')
  })

  it('is refused with an epoch older than a loss of nonces', async () => {
    let now = NOW
    const sessions = createMemorySessions({ clock: { now: () => now } })
    const { client } = await signedIn({ now: () => now, sessions })
    now += 10_000
    sessions.lose()
    now += 10_000
    expectRefusal(await client.signIn({ claims: { Epoch: at(9.9) } }), 416, '15851', OUT)
    expectRefusal(await client.call('GET', CHANNELS, { claims: { Epoch: at(10.1) } }), 401, '15847')
    expect((await client.signIn({ claims: { Epoch: at(10.1) } })).status).toBe(200)
  })
})

describe('the session of a call', () => {
  it('is of the app that opened it', async () => {
    const { app, client } = await signedIn()
    const other = aspenClient(app, OTHER_ASPEN_APP)
    await other.signIn()
    expectRefusal(await client.call('GET', CHANNELS, { claims: { Token: other.token } }), 401, '15846')
  })

  it('ends at its time, and is told from one that never was for a day', async () => {
    let now = NOW
    const { client } = await signedIn({ now: () => now })
    now = NOW + ASPEN_APP.sessionSeconds * 1_000 - 1
    expect((await client.call('GET', CHANNELS)).status).toBe(200)
    now += 1
    expectRefusal(await client.call('GET', CHANNELS), 401, '15848')
    now += 24 * HOUR_S * 1_000
    expectRefusal(await client.call('GET', CHANNELS), 401, '15847')
  })

  it('cannot be asked for while the store fails: 503, nothing accepted, and the reason of it in no log', async () => {
    const sessions = createMemorySessions({ clock: { now: Date.now } })
    const { client, lines } = await signedIn({ sessions })
    await sessions.close()
    const answer = await client.call('GET', CHANNELS)
    expectRefusal(answer, 503, '15842')
    expect(answer.headers['retry-after']).toBe('1')
    expect(lines.filter(({ level }) => level === 'error')).toEqual([])
  })
})

describe('permissions', () => {
  it('are what the app may do', async () => {
    const { app, published } = await start({ answer: approve })
    const client = aspenClient(app, NARROW_ASPEN_APP)
    await client.signIn()
    expect((await client.call('GET', CHANNELS)).status).toBe(200)
    for (const [method, path] of [
      ['PUT', '/tokens/123456'],
      ['POST', '/tokens/send'],
      ['DELETE', '/tokens/123456'],
    ] as const) {
      const answer = await client.call(method, path, { body: {} })
      expectRefusal(answer, 403, '1000478', 'ApiKey no tiene permisos para realizar la operación')
    }
    expect(published).toHaveLength(0)
  })
})

describe('HTTP Basic', () => {
  const basic = (authorization: string) => ({
    headers: { authorization, 'X-PRO-Auth-App': undefined, 'X-PRO-Auth-Payload': undefined },
  })

  it('will do for an app that may use it, without a session', async () => {
    const { app } = await start()
    const authorization = credentials(ASPEN_APP.key, ASPEN_APP.secret)
    expect((await aspenClient(app, ASPEN_APP).call('GET', CHANNELS, basic(authorization))).status).toBe(200)
  })

  it('is 401 when it is wrong, not allowed, disabled or no Basic at all', async () => {
    const { app } = await start()
    const refused = [
      credentials(ASPEN_APP.key, 'wrong'),
      credentials('nobody', ASPEN_APP.secret),
      credentials(OTHER_ASPEN_APP.key, OTHER_ASPEN_APP.secret),
      credentials(DISABLED_ASPEN_APP.key, DISABLED_ASPEN_APP.secret),
      'Basic',
      'Basic !',
    ]
    for (const authorization of refused) {
      const answer = await aspenClient(app, ASPEN_APP).call('GET', CHANNELS, basic(authorization))
      expectRefusal(answer, 401, '20005')
      expect(answer.headers['www-authenticate']).toBe('Basic realm="api/app", charset="UTF-8"')
    }
  })

  it('does not stand in for a signed header that is there', async () => {
    const { app } = await start()
    const headers = { authorization: credentials(ASPEN_APP.key, ASPEN_APP.secret), 'X-PRO-Auth-Payload': undefined }
    expect(eventOf(await aspenClient(app, ASPEN_APP).call('GET', CHANNELS, { headers }))).toEqual([400, '20002'])
  })
})

describe('the order of checks', () => {
  it('is that of the table, with the version first: each thing mended shows the next one that is wrong', async () => {
    const { client } = await signedIn({ now: () => NOW })
    const steps: readonly (readonly [CallOptions, readonly [number, string]])[] = [
      [{ headers: { 'X-PRO-Api-Version': 'x', 'X-PRO-Auth-App': '', 'X-PRO-Auth-Payload': '' } }, [400, '99001']],
      [{ headers: { 'X-PRO-Api-Version': '2.0', 'X-PRO-Auth-App': '', 'X-PRO-Auth-Payload': '' } }, [400, '99005']],
      [{ headers: { 'X-PRO-Auth-App': 'nobody', 'X-PRO-Auth-Payload': '' } }, [400, '20002']],
      [{ headers: { 'X-PRO-Auth-App': 'nobody', 'X-PRO-Auth-Payload': 'x' } }, [400, '20005']],
      [{ headers: { 'X-PRO-Auth-App': DISABLED_ASPEN_APP.key, 'X-PRO-Auth-Payload': 'x' } }, [403, '20006']],
      [{ headers: { 'X-PRO-Auth-App': NARROW_ASPEN_APP.key, 'X-PRO-Auth-Payload': 'x' } }, [400, '20007']],
      [
        {
          headers: { 'X-PRO-Auth-App': NARROW_ASPEN_APP.key },
          secret: NARROW_ASPEN_APP.secret,
          claims: { Nonce: '', Epoch: 'x', Token: '' },
        },
        [403, '1000478'],
      ],
      [{ claims: { Nonce: '', Epoch: 'x', Token: '' } }, [400, '15852']],
      [{ claims: { Nonce: 'one', Epoch: 'x', Token: '' } }, [400, '15850']],
      [{ claims: { Nonce: 'one', Epoch: 'x', Token: '' } }, [400, '15852']],
      [{ claims: { Epoch: 0, Token: '' } }, [416, '15851']],
      [{ claims: { Token: '' } }, [400, '15852']],
      [{ claims: { Token: 'x' } }, [400, '20007']],
      [{ claims: { Token: 'x'.repeat(43) } }, [401, '15847']],
      [{ headers: { 'Content-Type': 'text/plain' } }, [415, '15852']],
      [{}, [400, '15852']],
    ]
    for (const [options, event] of steps) {
      const answer = await client.call('POST', '/tokens/send', { body: 'no JSON', ...options })
      expect([options, eventOf(answer)]).toEqual([options, event])
    }
  })
})
