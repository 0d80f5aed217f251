// A process that is not configured as it must be: it ends with code 1 and says which variable, never with what value.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DEMO_SET, runScript, serviceEnv } from './harness.ts'

const INGRESS = 'services/ingress/main.ts'
const ISSUER = 'services/issuer/main.ts'
const AUTHORIZER = 'services/authorizer/main.ts'
const EMBEDDED = 'services/embedded/main.ts'
const ACCOUNTS = 'services/cli/accounts.ts'
/** Values that must not be printed carry it. */
const SECRET = 'zq7Xn4Wp'

/** All that a service needs. Nothing listens at these addresses: the configuration is judged before anyone connects. */
const GOOD = { KAFKA_BROKERS: '127.0.0.1:9', REDIS_URL: 'redis://127.0.0.1:9', APPS_FILE: DEMO_SET }
const EVERY_SERVICE = [INGRESS, ISSUER, AUTHORIZER]

const folder = mkdtempSync(join(tmpdir(), 'configuration-'))
const file = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}
const demo = JSON.parse(readFileSync(DEMO_SET, 'utf8')) as object

interface Case {
  readonly what: string
  readonly scripts: readonly string[]
  /** undefined: taken away. */
  readonly set: Readonly<Record<string, string | undefined>>
  readonly names: string
}

const CASES: readonly Case[] = [
  { what: 'no brokers', scripts: EVERY_SERVICE, set: { KAFKA_BROKERS: undefined }, names: 'KAFKA_BROKERS' },
  {
    what: 'brokers that are no addresses',
    scripts: EVERY_SERVICE,
    set: { KAFKA_BROKERS: `http://${SECRET}` },
    names: 'KAFKA_BROKERS',
  },
  { what: 'no Redis', scripts: EVERY_SERVICE, set: { REDIS_URL: undefined }, names: 'REDIS_URL' },
  {
    what: 'a Redis URL of another kind',
    scripts: EVERY_SERVICE,
    set: { REDIS_URL: `http://user:${SECRET}@host` },
    names: 'REDIS_URL',
  },
  { what: 'no keys', scripts: [ISSUER, AUTHORIZER], set: { APPS_FILE: undefined }, names: 'KEYS' },
  { what: 'keys that are no JSON', scripts: EVERY_SERVICE, set: { KEYS: `{${SECRET}` }, names: 'KEYS' },
  {
    what: 'keys that are too short',
    scripts: EVERY_SERVICE,
    set: { KEYS: JSON.stringify(ring(SECRET)) },
    names: 'KEYS',
  },
  {
    what: 'a file of keys that is not there',
    scripts: EVERY_SERVICE,
    set: { KEYS_FILE: `/nowhere/${SECRET}` },
    names: 'KEYS_FILE',
  },
  { what: 'no apps', scripts: [INGRESS], set: { APPS_FILE: undefined }, names: 'APPS_FILE' },
  {
    what: 'apps with a field too many',
    scripts: [INGRESS, EMBEDDED],
    set: { APPS_FILE: file('more.json', JSON.stringify({ ...demo, evertec: [{ secret: SECRET }] })) },
    names: 'APPS_FILE',
  },
  {
    what: 'apps that are no JSON',
    scripts: [INGRESS, EMBEDDED, ACCOUNTS],
    set: { APPS_FILE: file('none.json', SECRET) },
    names: 'APPS_FILE',
  },
  { what: 'a port that is none', scripts: [INGRESS, EMBEDDED], set: { PORT: SECRET }, names: 'PORT' },
  {
    what: 'a health port that is none',
    scripts: [ISSUER, AUTHORIZER],
    set: { HEALTH_PORT: '70000' },
    names: 'HEALTH_PORT',
  },
  {
    what: 'half of a sign-in',
    scripts: EVERY_SERVICE,
    set: { KAFKA_SASL_PASSWORD: SECRET },
    names: 'KAFKA_SASL_MECHANISM',
  },
  {
    what: 'a time that is none',
    scripts: [INGRESS],
    set: { REPLY_TIMEOUT_MS: `-1${SECRET}` },
    names: 'REPLY_TIMEOUT_MS',
  },
  {
    what: 'a rule out of bounds',
    scripts: [ISSUER, AUTHORIZER, EMBEDDED],
    set: { TOKEN_DIGITS: '5' },
    names: 'TOKEN_DIGITS',
  },
  {
    what: 'the demo set in production',
    scripts: [...EVERY_SERVICE, EMBEDDED, ACCOUNTS],
    set: { ENVIRONMENT: 'production' },
    names: 'APPS_FILE.demo',
  },
  {
    what: 'an environment that is none',
    scripts: [...EVERY_SERVICE, EMBEDDED],
    set: { ENVIRONMENT: SECRET },
    names: 'ENVIRONMENT',
  },
  {
    what: 'a client that prints what it sends, in production',
    scripts: EVERY_SERVICE,
    set: {
      ENVIRONMENT: 'production',
      KAFKAJS_DEBUG_PROTOCOL_BUFFERS: SECRET,
      APPS_FILE: file('own.json', JSON.stringify({ clients: [{ id: 'a' }] })),
      KEYS: JSON.stringify(ring(Buffer.alloc(32, 7).toString('base64'))),
    },
    names: 'KAFKAJS_DEBUG_PROTOCOL_BUFFERS',
  },
]

function ring(key: string) {
  return { identity: { id: 'i1', key }, token: [{ id: 't1', key }], seal: [{ id: 's1', key }] }
}

describe('a wrong configuration ends the start with code 1 and the name of the variable', () => {
  it.each(CASES)('$what', async ({ scripts, set, names }) => {
    const env = Object.fromEntries(
      Object.entries({ ...GOOD, ...set }).filter((entry): entry is [string, string] => entry[1] !== undefined),
    )
    await Promise.all(
      scripts.map(async (script) => {
        const { code, output } = await runScript(script, script === ACCOUNTS ? ['demo'] : [], serviceEnv(env))
        expect([script, code]).toEqual([script, script === ACCOUNTS ? 2 : 1])
        expect(output).toContain(names)
        expect(output).not.toContain(SECRET)
      }),
    )
  })

  it('names every variable that is wrong at once', async () => {
    const { code, output } = await runScript(INGRESS, [], serviceEnv({ PORT: 'x', MAX_OPEN_CALLS: '0' }))
    expect(code).toBe(1)
    for (const name of ['PORT', 'MAX_OPEN_CALLS', 'KAFKA_BROKERS', 'REDIS_URL', 'APPS_FILE'])
      expect(output).toContain(name)
  })

  it('tells whose port is taken', async () => {
    const { createServer } = await import('node:net')
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { readonly port: number }
    const { code, output } = await runScript(EMBEDDED, [], serviceEnv({ PORT: String(port) }))
    server.close()
    expect(code).toBe(1)
    expect(output).toContain('PORT')
  })
})
