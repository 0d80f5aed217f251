// The configuration of each process: defaults, what must go together, what production refuses, and the docs' table.

import { describe, expect, it } from 'vitest'
import { createKeyRing } from '../../services/adapters/keys/key-ring.ts'
import { DEFAULT_RULES } from '../../services/core/subject/rules.ts'
import { DEMO_SET_FILE } from '../../services/runtime/apps.ts'
import { CLI_VARIABLES, readCliConfig } from '../../services/runtime/config-cli.ts'
import { EMBEDDED_VARIABLES, readEmbeddedConfig } from '../../services/runtime/config-embedded.ts'
import { INGRESS_VARIABLES, readIngressConfig } from '../../services/runtime/config-ingress.ts'
import { configTable } from '../../services/runtime/config-table.ts'
import { readWorkerConfig, WORKER_VARIABLES } from '../../services/runtime/config-worker.ts'
import { ConfigError, readEnv } from '../../services/runtime/env.ts'

const bytes = Buffer.alloc(32, 7).toString('base64')
const KEYS = JSON.stringify({
  identity: { id: 'i', key: bytes },
  token: [{ id: 't', key: bytes }],
  seal: [{ id: 's', key: bytes }],
})
const worker = { KAFKA_BROKERS: 'k:9092', REDIS_URL: 'redis://r:6379', KEYS }
const ingress = { KAFKA_BROKERS: 'k:9092', REDIS_URL: 'redis://r', APPS_FILE: DEMO_SET_FILE }

describe('the wire format', () => {
  const registry = { SCHEMA_REGISTRY_URL: 'https://registry:8081/path', WIRE_FORMAT: 'confluent' }

  it('is single-object encoding without a registry, unless told otherwise', () => {
    expect(readWorkerConfig(worker).kafka).not.toHaveProperty('registry')
    const secret = { SCHEMA_REGISTRY_USERNAME: 'u', SCHEMA_REGISTRY_PASSWORD: 'canary' }
    expect(readWorkerConfig({ ...worker, ...registry, ...secret }).kafka.registry).toEqual({
      url: 'https://registry:8081/path',
      auth: { username: 'u', password: 'canary' },
      timeoutMs: 5_000,
      register: true,
      write: true,
    })
    const reading = { ...worker, SCHEMA_REGISTRY_URL: 'http://r', SCHEMA_REGISTRY_REGISTER: 'false' }
    expect(readIngressConfig({ ...ingress, ...reading }).kafka.registry).toMatchObject({
      write: false,
      register: false,
    })
  })

  it.each([
    [{ WIRE_FORMAT: 'confluent' }, /SCHEMA_REGISTRY_URL: is required when WIRE_FORMAT is confluent/],
    [{ WIRE_FORMAT: 'json' }, /WIRE_FORMAT: must be one of single-object, confluent/],
    [
      { ...registry, SCHEMA_REGISTRY_URL: 'http://user:canary@r' },
      /SCHEMA_REGISTRY_URL: .*without user name and password/,
    ],
    [{ ...registry, SCHEMA_REGISTRY_PASSWORD: 'canary' }, /SCHEMA_REGISTRY_USERNAME: is needed together with/],
  ])('stops the start when it makes no sense, by the variable: %j', (variables, reason) => {
    expect(() => readWorkerConfig({ ...worker, ...variables })).toThrow(reason)
    expect(() => readWorkerConfig({ ...worker, ...variables })).not.toThrow(/canary/)
  })
})

describe('the configuration of a worker', () => {
  it('has the defaults of the contract', () => {
    const config = readWorkerConfig(worker)
    expect(config.rules).toEqual(DEFAULT_RULES)
    expect(config).toMatchObject({
      environment: 'development',
      logLevel: 'info',
      host: '127.0.0.1',
      shutdownTimeoutMs: 8_000,
      kafka: { brokers: ['k:9092'] },
      redis: { url: 'redis://r:6379', commandTimeoutMs: 2_000 },
      keys: JSON.parse(KEYS) as unknown,
    })
    expect(config.kafka).not.toHaveProperty('ssl')
    expect(config.kafka).not.toHaveProperty('sasl')
    expect(config).not.toHaveProperty('healthPort')
    expect(readWorkerConfig({ ...worker, HEALTH_PORT: '8081' }).healthPort).toBe(8081)
  })

  it('takes its rules from variables, in the units that people think in', () => {
    const { rules } = readWorkerConfig({
      ...worker,
      TOKEN_DIGITS: '8',
      LOCK_SECONDS: '60',
      MAX_AMOUNT: '100.50',
      WITHDRAWAL_NOTE: '20000',
      OUTCOME_RETENTION_DAYS: '30',
    })
    expect(rules).toEqual({
      ...DEFAULT_RULES,
      tokenDigits: 8,
      lockMs: 60_000,
      maxAmountMinor: 10_050,
      withdrawalNoteMinor: 2_000_000,
      outcomeRetentionMs: 30 * 86_400_000,
    })
  })

  it('remembers a charge no shorter than other transactions', () => {
    const forgetful = { ...worker, OUTCOME_RETENTION_DAYS: '200', CHARGE_RETENTION_DAYS: '199' }
    expect(() => readWorkerConfig(forgetful)).toThrow('CHARGE_RETENTION_DAYS: must not be less')
  })

  it('needs brokers, a Redis and keys, by name', () => {
    expect(() => readWorkerConfig({})).toThrow('KAFKA_BROKERS: is required\nREDIS_URL: is required')
    expect(() => readWorkerConfig({ ...worker, KEYS: '' })).toThrow('KEYS: is required')
    const short = KEYS.replace(bytes, 'c2hvcnQ=')
    expect(() => readWorkerConfig({ ...worker, KEYS: short })).toThrow('KEYS: identity: key i has fewer than 32 bytes')
  })

  it('takes the keys of the demo set when it has none of its own', () => {
    const { keys } = readWorkerConfig({ ...worker, KEYS: undefined, APPS_FILE: DEMO_SET_FILE })
    expect(keys.identity.id).toBe('demoi1')
    expect(createKeyRing(keys).hash('card', '6039591000000018')).toMatch(/^demoi1\./)
  })

  it('takes TLS and sign-in of the brokers whole or not at all', () => {
    const sasl = { KAFKA_SASL_MECHANISM: 'scram-sha-512', KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_PASSWORD: 'canary' }
    expect(readWorkerConfig({ ...worker, ...sasl, KAFKA_SSL: 'true' }).kafka).toEqual({
      brokers: ['k:9092'],
      ssl: true,
      sasl: { mechanism: 'scram-sha-512', username: 'u', password: 'canary' },
    })
    expect(readWorkerConfig({ ...worker, KAFKA_SSL: 'true', KAFKA_SSL_CA: 'pem' }).kafka.ssl).toEqual({ ca: 'pem' })
    for (const missing of Object.keys(sasl)) {
      expect(() => readWorkerConfig({ ...worker, ...sasl, [missing]: '' })).toThrow(/KAFKA_SASL_MECHANISM: is needed/)
    }
    expect(() => readWorkerConfig({ ...worker, KAFKA_SSL_CA: 'pem' })).toThrow(ConfigError)
  })
})

describe('production', () => {
  it('refuses the demo set', () => {
    for (const read of [readIngressConfig, readEmbeddedConfig]) {
      expect(() => read({ ...ingress, ENVIRONMENT: 'production' })).toThrow('APPS_FILE.demo')
    }
  })

  it('refuses variables by which libraries print what they send', () => {
    const production = { ...worker, ENVIRONMENT: 'production' }
    expect(readWorkerConfig({ ...production, DEBUG: 'fastify' }).environment).toBe('production')
    const printers = [
      ['DEBUG', 'ioredis:*'],
      ['DEBUG', '*'],
      ['KAFKAJS_DEBUG_PROTOCOL_BUFFERS', '1'],
      ['NODE_DEBUG', 'http'],
    ] as const
    for (const [name, value] of printers) {
      expect(() => readWorkerConfig({ ...production, [name]: value })).toThrow(`${name}: must not be set in production`)
      expect(() => readWorkerConfig({ ...worker, [name]: value })).not.toThrow()
    }
  })
})

describe('the other processes', () => {
  it('the ingress has its deadline, its bounds and the apps', () => {
    const config = readIngressConfig({ ...ingress, REPLY_PARTITION: '3' })
    expect(config).toMatchObject({ port: 8080, replyTimeoutMs: 15_000, maxOpenCalls: 10_000, replyPartition: 3 })
    expect(config.apps.evertec.map(({ key }) => key)).toEqual(['demo-acquirer', 'other-acquirer'])
    expect(readIngressConfig(ingress)).not.toHaveProperty('replyPartition')
    expect(() => readIngressConfig({ KAFKA_BROKERS: 'k:1' })).toThrow('APPS_FILE: is required')
  })

  it('embedded mode needs nothing: it starts with the demo set, and quietly', () => {
    const config = readEmbeddedConfig({})
    expect(config).toMatchObject({ port: 8080, logLevel: 'warn', rules: DEFAULT_RULES })
    expect(config.apps.cards).toHaveLength(7)
  })

  it('a command line needs brokers and keys only', () => {
    const config = readCliConfig({ KAFKA_BROKERS: 'k:1', KEYS })
    expect(config).toMatchObject({ logLevel: 'warn', kafka: { brokers: ['k:1'] } })
  })
})

describe('the table of variables', () => {
  const processes = {
    ingress: INGRESS_VARIABLES,
    worker: WORKER_VARIABLES,
    cli: CLI_VARIABLES,
    embedded: EMBEDDED_VARIABLES,
  }
  const table = configTable(processes)

  it('has one row for each, with its default, its processes and its file', () => {
    const names = new Set(Object.values(processes).flatMap((variables) => Object.keys(variables)))
    const rows = table.trim().split('\n').slice(2)
    expect(rows).toHaveLength(names.size)
    expect(table).toContain('| `REDIS_URL`, or `REDIS_URL_FILE` | required | ingress, worker |')
    expect(table).toContain('| `LOG_LEVEL` | `info` (ingress, worker), `warn` (cli, embedded) | ingress, worker, cli,')
    expect(table).toContain('| `TOKEN_DIGITS` | `6` | worker, embedded |')
    for (const row of rows) expect(row.split('|')).toHaveLength(6)
  })

  it('shows defaults that are themselves valid', () => {
    for (const variables of Object.values(processes)) {
      for (const [name, spec] of Object.entries(variables)) {
        if (spec.fallback !== undefined) expect(() => readEnv({ [name]: spec }, {})).not.toThrow()
      }
    }
  })
})
