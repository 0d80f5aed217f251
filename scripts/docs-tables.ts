// The tables that the documents show, made from the source: variables, response codes, topics, routes, metrics. Texts
// that the source does not have (what a code or a route is for) stand here, in records that must be total.
import { Registry } from 'prom-client'
import { createAvroWire } from '../services/adapters/avro/wire.ts'
import { createKeyRing } from '../services/adapters/keys/key-ring.ts'
import { createDebugDelivery } from '../services/adapters/delivery/debug.ts'
import { createMemoryLog } from '../services/adapters/memory/log.ts'
import { createMemorySessions } from '../services/adapters/memory/sessions.ts'
import { RESPONSE_CODES, type ResponseCode } from '../services/core/transaction/codes.ts'
import { createIngress } from '../services/ingress/app.ts'
import { DEFAULT_LIMITS } from '../services/ingress/deps.ts'
import { ASPEN_ROUTES, HELP_ROUTES } from '../services/ingress/aspen/route-descriptions.ts'
import { EVERTEC_ROUTES } from '../services/ingress/evertec/route-descriptions.ts'
import { ERROR_CODES, statusOf, type ErrorCode } from '../services/ingress/openpay/errors.ts'
import { OPENPAY_ROUTES } from '../services/ingress/openpay/route-descriptions.ts'
import { PAGE_PREFIX, SERVICE_PART } from '../services/ingress/openapi/routes.ts'
import type { AuthScheme, RouteDescriptions } from '../services/ingress/http/route-description.ts'
import { RESPONSE_MESSAGES } from '../services/ingress/evertec/messages.ts'
import { createIngressMetrics } from '../services/ingress/metrics.ts'
import { createNotaryMetrics } from '../services/notary/metrics.ts'
import { AUDIT_VARIABLES, NOTARY_VARIABLES } from '../services/runtime/config-audit.ts'
import { CLI_VARIABLES, operatorVariables } from '../services/runtime/config-cli.ts'
import { EMBEDDED_VARIABLES } from '../services/runtime/config-embedded.ts'
import { INGRESS_VARIABLES } from '../services/runtime/config-ingress.ts'
import { rulesVariables } from '../services/runtime/config-groups.ts'
import { configTable } from '../services/runtime/config-table.ts'
import { WORKER_VARIABLES } from '../services/runtime/config-worker.ts'
import { WEBHOOKS_VARIABLES } from '../services/runtime/config-webhooks.ts'
import {
  createLogMetrics,
  createRecoveryMetrics,
  createStoreMetrics,
  createWorkerMetrics,
} from '../services/runtime/metrics.ts'
import { TOPICS } from '../services/runtime/topics.ts'
import { createWebhookMetrics } from '../services/webhooks/metrics.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000

/** A table by the name that its marker has. */
export const TABLES: Readonly<Record<string, () => Promise<string>>> = {
  configuration: async () =>
    configTable({
      ingress: INGRESS_VARIABLES,
      worker: WORKER_VARIABLES,
      notary: NOTARY_VARIABLES,
      'command lines': { ...CLI_VARIABLES, ...operatorVariables },
      audit: { ...AUDIT_VARIABLES, ...rulesVariables },
      embedded: EMBEDDED_VARIABLES,
      webhooks: WEBHOOKS_VARIABLES,
    }),
  'response codes': async () => responseCodes(),
  'openpay errors': async () => openpayErrors(),
  topics: async () => topics(),
  routes: async () => routes(),
  metrics: async () => metrics(),
}

/** When a code comes. Of the contract, section 1. */
const MEANINGS: Readonly<Record<ResponseCode, string>> = {
  '00': 'approved',
  '03': "the acquirer is unknown or not this app's; nothing is recorded",
  '05': 'declined without a better code: the transaction was reversed before it arrived, or no free token was found',
  '12': 'the transaction code is unknown (nothing is recorded), or the state forbids it',
  '13': 'the amount does not suit the transaction: no multiple of the note, or an undoing of another amount',
  '14': "the card is not known, or the document is not its holder's",
  '25': 'the original of a void was not found',
  '39': 'the holder has no credit account',
  '41': 'the card is lost',
  '43': 'the card is stolen',
  '51': 'not enough funds',
  '52': 'the holder has no checking account',
  '53': 'the holder has no savings account',
  '54': "the card's own date is past",
  '55': 'the token is wrong, used, expired or bound to something else: one code for all of them',
  '57': 'this card may not do this transaction',
  '59': 'kept for merchants: another authorizer suspects fraud',
  '61': 'over the amount limit',
  '62': 'the card is blocked or not active',
  '65': 'too many live tokens of one subject, or too many wrong tokens of one terminal',
  '68': 'taken up after its deadline: declined, nothing changed, no token spent',
  '75': 'locked after too many wrong tokens, also for the right one',
  '78': 'the holder has no such pocket',
  '91': 'the authorizer behind this one surely did nothing, or what it did is undone; the token is spent',
  '94': 'the consecutive was used with other content; nothing changed',
  '96': 'kept for a system malfunction; not given by this version, which answers HTTP 500 instead',
}

/** When an error of the Openpay dialect comes. Of the contract, section 3. */
const ERRORS_WHEN: Readonly<Record<ErrorCode, string>> = {
  1000: 'an internal error, or no answer in time: **the outcome is unknown**, and the description says how to learn it',
  1001: 'not JSON, or a field that is missing or malformed: all of them are named. Also other content types, with 415',
  1002: "no or wrong key, or the merchant of the path is not the key's",
  1003: 'another currency than COP; a token that is used; a refund of more than is left',
  1004: 'nothing was done: not ready, overloaded, or too late; over the rate with 429. Come back after `Retry-After`',
  1005: 'no such path, or nothing of this merchant has this id, or it has expired',
  1006: 'the `order_id` has an approved charge, or one that is not decided yet',
  1009: 'the body is larger than 65,536 bytes',
  1010: 'a public key where a private one is needed',
  2004: 'the check digit of the card number is wrong (Luhn)',
  2005: "the card's date is past; its month ends in Bogotá",
  2006: '`cvv2` is missing',
  2009: "`cvv2` is not of the brand's length",
  3001: 'declined, or the authorizer of cards surely did nothing',
  3002: 'the card has expired at its issuer',
  3003: 'no funds',
  3004: 'stolen',
  3005: 'suspicion of fraud',
}

function responseCodes(): string {
  const lines = RESPONSE_CODES.map((code) => `| \`${code}\` | ${MEANINGS[code]} | ${RESPONSE_MESSAGES[code]} |`)
  return table('| code | when | `responseMessage` |', lines)
}

function openpayErrors(): string {
  const lines = ERROR_CODES.map((code) => `| ${code} | ${statusOf(code)} | ${ERRORS_WHEN[code]} |`)
  return table('| `error_code` | HTTP | when |', lines)
}

function topics(): string {
  const lines = TOPICS.map(
    ({ name, partitions, retentionMs, purpose }) =>
      `| \`${name}\` | ${partitions} | ${duration(retentionMs)} | ${purpose} |`,
  )
  return table('| topic | partitions | kept for | what for |', lines)
}

function duration(ms: number): string {
  if (ms < 0) return 'ever'
  const [count, unit] = ms % DAY_MS === 0 ? [ms / DAY_MS, 'day'] : [ms / HOUR_MS, 'hour']
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

/** The routes that are described: those of each dialect, and of the service itself. */
const DESCRIBED: readonly RouteDescriptions[] = [
  EVERTEC_ROUTES,
  ASPEN_ROUTES,
  OPENPAY_ROUTES,
  HELP_ROUTES,
  SERVICE_PART.routes,
]

/** The ways to authenticate, as the table names them. */
const AUTH: Readonly<Record<AuthScheme, string>> = { basic: 'Basic', 'signed-headers': 'signed headers' }

/** @throws Error when the app has a route that is not described here, or lacks one that is. */
async function routes(): Promise<string> {
  const served = (await servedRoutes()).filter((route) => !route.includes(` ${PAGE_PREFIX}`))
  const described = DESCRIBED.flatMap((routes) => Object.values(routes))
  const told = described.map(({ method, url }) => `${method} ${url}`)
  const odd = [...served.filter((route) => !told.includes(route)), ...told.filter((route) => !served.includes(route))]
  if (odd.length > 0) throw new Error(`routes and their descriptions differ: ${odd.join(', ')}`)
  const lines = described.map(({ method, url, auth, summary }) => {
    const credentials = auth.map((scheme) => AUTH[scheme]).join(' or ') || 'none'
    return `| \`${method} ${url}\` | ${credentials} | ${summary} |`
  })
  return table('| route | credentials | what for |', lines)
}

/** What a real app on memory says of itself. */
async function servedRoutes(): Promise<readonly string[]> {
  const key = (id: string) => ({ id, key: Buffer.alloc(32).toString('base64') })
  const silent = () => undefined
  const app = createIngress({
    log: createMemoryLog({ topics: TOPICS }),
    wire: createAvroWire(),
    clock: { now: () => 0 },
    evertecApps: [],
    openpay: {
      merchants: [],
      cardTokens: { ttlMs: 0, securityCodeTtlMs: 0, privateRanges: [] },
      secrets: { stash: async () => undefined },
    },
    aspen: {
      apps: [],
      sessions: createMemorySessions({ clock: { now: () => 0 } }),
      delivery: createDebugDelivery(),
    },
    keys: createKeyRing({ identity: key('i'), token: [key('t')], seal: [key('s')] }),
    limits: DEFAULT_LIMITS,
    logger: { info: silent, warn: silent, error: silent },
    registry: new Registry(),
  })
  await app.ready()
  const tree = app.printRoutes({ commonPrefix: false })
  await app.close()
  return routesOfTree(tree)
}

/** Fastify draws routes as a tree, four columns a level, with the methods of each in brackets. */
export function routesOfTree(tree: string): readonly string[] {
  const parents: string[] = []
  return tree.split('\n').flatMap((line) => {
    const [, indent = '', part = '', methods = ''] = /^([│ ]*)[├└]── (\S+)(?: \(([A-Z, ]+)\))?$/.exec(line) ?? []
    const level = indent.length / 4
    parents[level] = (parents[level - 1] ?? '') + part
    return methods === '' ? [] : methods.split(', ').map((method) => `${method} ${parents[level]}`)
  })
}

/** Only what this service counts: those of the process and of Node come with prom-client. */
function metrics(): string {
  const edge = new Registry()
  createIngressMetrics(edge)
  createLogMetrics(edge)
  const worker = new Registry()
  createWorkerMetrics(worker)
  createRecoveryMetrics(worker)
  createLogMetrics(worker)
  createStoreMetrics(worker, { generation: 0 })
  const notary = new Registry()
  createNotaryMetrics(notary)
  createLogMetrics(notary)
  const webhooks = new Registry()
  createLogMetrics(webhooks)
  createWebhookMetrics(webhooks)
  const served = new Map<string, { row: string; by: string[] }>()
  for (const [process, registry] of [
    ['ingress', edge],
    ['worker', worker],
    ['notary', notary],
    ['webhooks', webhooks],
  ] as const) {
    for (const metric of registry.getMetricsAsArray()) {
      const { name, type, help, labelNames } = metric as unknown as Metric
      const labels = labelNames.map((label) => `\`${label}\``).join(', ')
      const entry = served.get(name) ?? { row: `| ${type} | ${labels || 'none'} | ${help} |`, by: [] }
      entry.by.push(process)
      served.set(name, entry)
    }
  }
  const lines = [...served].map(([name, { row, by }]) => `| \`${name}\` | ${by.join(', ')} ${row}`)
  return table('| metric | served by | type | labels | meaning |', lines)
}

/** What prom-client keeps of a metric, which its own types leave out. */
interface Metric {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly labelNames: readonly string[]
}

function table(head: string, lines: readonly string[]): string {
  const columns = head.split('|').length - 2
  return `${[head, `|${'---|'.repeat(columns)}`, ...lines].join('\n')}\n`
}
