// Aspen apps in the apps file, and the delivery channel that goes with them.

import { describe, expect, it } from 'vitest'
import { DEMO_SET_FILE, parseApps, readApps } from '../../services/runtime/apps.ts'
import { readIngressConfig } from '../../services/runtime/config-ingress.ts'
import { deliveryOf, deliveryVariables } from '../../services/runtime/config-delivery.ts'
import { ConfigError, readEnv, type Environment } from '../../services/runtime/env.ts'

const SECRET = 'canary-secret-of-just-32-bytes--'
const app = { clientId: 'bank', key: 'bank-app', secret: SECRET }
const file = (aspen: readonly object[]) => ({ clients: [{ id: 'bank' }], aspen })

function problemsOf(read: () => unknown): readonly string[] {
  try {
    read()
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('Aspen apps', () => {
  it('of the demo set are those of the contract', () => {
    const { aspen } = readApps(DEMO_SET_FILE, 'development')
    const told = aspen.map(({ key, secret, clientId, enabled, debugMode, basicAllowed }) => ({
      key,
      secret,
      clientId,
      enabled,
      debugMode,
      basicAllowed,
    }))
    const plain = { clientId: 'other', enabled: true, debugMode: false, basicAllowed: false }
    expect(told).toEqual([
      {
        key: 'demo-aspen',
        secret: 'demo-aspen-secret-of-at-least-32-bytes!',
        clientId: 'demo',
        enabled: true,
        debugMode: true,
        basicAllowed: true,
      },
      { key: 'other-aspen', secret: 'other-aspen-secret-of-at-least-32-bytes', ...plain },
      { key: 'disabled-aspen', secret: 'disabled-aspen-secret-of-at-least-32-bytes', ...plain, enabled: false },
    ])
  })

  it('may do everything unless told otherwise, and have sessions of an hour', () => {
    expect(parseApps(file([app]), 'production').aspen).toEqual([
      {
        ...app,
        enabled: true,
        debugMode: false,
        basicAllowed: false,
        permissions: ['validate', 'send', 'channels', 'cancel'],
        sessionSeconds: 3_600,
      },
    ])
  })

  const bad: readonly (readonly [string, object, RegExp])[] = [
    ['a secret of 31 bytes', { secret: SECRET.slice(1) }, /^APPS_FILE\.aspen\[0\]\.secret: must have 32 to 512 bytes/],
    ['a secret of 513 bytes', { secret: 'x'.repeat(513) }, /secret: must have 32 to 512 bytes/],
    ['a key of 59 characters', { key: 'x'.repeat(59) }, /\.key: has not the form/],
    ['a key with a colon', { key: 'a:b' }, /\.key: has not the form/],
    ['an unknown permission', { permissions: ['sign'] }, /permissions\[0\]: must be one of validate, send/],
    ['an unknown client', { clientId: 'nobody' }, /aspen\[0\]\.clientId: is none of the clients/],
    ['a session of no time', { sessionSeconds: 0 }, /sessionSeconds: must be at least 1/],
    ['an unknown field', { debug: true }, /has unknown fields: debug/],
  ]
  it.each(bad)('are refused with %s, and the secret is in no message', (_what, fields, message) => {
    const problems = problemsOf(() => parseApps(file([{ ...app, ...fields }]), 'production'))
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(message)
    expect(problems.join()).not.toContain('canary')
  })

  it('have bytes counted, not characters', () => {
    expect(problemsOf(() => parseApps(file([{ ...app, secret: 'ñ'.repeat(16) }]), 'production'))).toEqual([])
  })

  it('have keys of their own', () => {
    expect(problemsOf(() => parseApps(file([app, app]), 'production'))).toEqual([
      'APPS_FILE.aspen[1].key: another app has it',
    ])
  })
})

describe('the delivery channel', () => {
  const WEBHOOK = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
  const read = (
    env: Environment,
    aspen: readonly object[] = [app],
    environment: 'production' | 'development' = 'production',
  ) => deliveryOf(readEnv(deliveryVariables, env), parseApps(file(aspen), environment), environment)
  const good = { DELIVERY_URL: 'https://tokens.example/send', DELIVERY_SECRET: WEBHOOK }

  it('is the webhook that is named, with its secrets, newest first', () => {
    const env = { ...good, DELIVERY_SECRET: `${WEBHOOK}, ${WEBHOOK}`, DELIVERY_NETWORKS: '10.0.0.0/8,fd00::/8' }
    expect(read(env)).toEqual({
      webhook: {
        url: 'https://tokens.example/send',
        secrets: [WEBHOOK, WEBHOOK],
        allowedNetworks: ['10.0.0.0/8', 'fd00::/8'],
      },
      timeoutMs: 5_000,
    })
  })

  it('may be none where every app that sends is shown its tokens, or outside production', () => {
    expect(read({}, [{ ...app, debugMode: true }])).toEqual({ timeoutMs: 5_000 })
    expect(read({}, [{ ...app, permissions: ['validate'] }])).toEqual({ timeoutMs: 5_000 })
    expect(read({}, [{ ...app, disabled: true }])).toEqual({ timeoutMs: 5_000 })
    expect(read({}, [app], 'development')).toEqual({ timeoutMs: 5_000 })
    expect(problemsOf(() => read({}))).toEqual([
      'DELIVERY_URL: is required, since an Aspen app may send tokens and is not shown them',
    ])
  })

  it.each([
    [{ DELIVERY_URL: good.DELIVERY_URL }, 'DELIVERY_SECRET: is required together with DELIVERY_URL'],
    [{ DELIVERY_SECRET: WEBHOOK }, 'DELIVERY_URL: is needed together with DELIVERY_SECRET'],
    [{ ...good, DELIVERY_URL: 'http://tokens.example' }, 'DELIVERY_URL: must be https, unless it names this machine'],
    [
      { ...good, DELIVERY_URL: 'https://10.1.2.3/' },
      'DELIVERY_URL: must not be a private address, unless it is allowed',
    ],
    [
      { ...good, DELIVERY_SECRET: 'canary' },
      'DELIVERY_SECRET: must be 1 to 4 of whsec_ and 24 to 64 bytes in base64, divided by commas',
    ],
    [{ ...good, DELIVERY_NETWORKS: '10.1' }, 'DELIVERY_NETWORKS: must be 1 to 32 of address/bits, divided by commas'],
    [{ ...good, DELIVERY_TIMEOUT_MS: '0' }, 'DELIVERY_TIMEOUT_MS: must be a whole number from 100 to 30000'],
  ])('is refused by name of the variable: %j', (env, problem) => {
    expect(problemsOf(() => read(env))).toEqual([problem])
  })

  it('and the public URL are part of the configuration of an ingress', () => {
    const env = { KAFKA_BROKERS: 'k:9092', REDIS_URL: 'redis://r', APPS_FILE: DEMO_SET_FILE }
    expect(readIngressConfig(env)).toMatchObject({ delivery: { timeoutMs: 5_000 } })
    expect(readIngressConfig({ ...env, PUBLIC_URL: 'https://pagos.example/' }).publicUrl).toBe('https://pagos.example')
    for (const PUBLIC_URL of ['pagos.example', 'ftp://x', 'https://a b', 'https://x/?y', 'https://u:p@x', 'https://']) {
      expect(problemsOf(() => readIngressConfig({ ...env, PUBLIC_URL }))).toEqual([
        'PUBLIC_URL: must be a URL of the form https://host[:port][/path]',
      ])
    }
  })
})
