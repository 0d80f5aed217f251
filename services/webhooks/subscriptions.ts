// The subscriptions file: who is told of which events, where, and signed by what. Read once at the start; no message quotes
// a URL or a secret.

import { z } from 'zod'
import { urlProblem, type AddressRules } from '../adapters/http/address-guard.ts'
import { isWebhookSecret } from '../adapters/http/webhook-endpoint.ts'
import { PUBLIC_EVENT_TYPES, type PublicEvent, type PublicEventType } from '../consumer/public-event.ts'
import { parseStart, START_FORMS, type Start } from '../consumer/start.ts'
import { readWebhooksConfig, type WebhooksConfig } from '../runtime/config-webhooks.ts'
import { ConfigError, problemsOf, readTextFile, type Environment } from '../runtime/env.ts'

/** Everything the service and its command lines are told. */
export interface WebhooksSettings extends WebhooksConfig {
  readonly subscriptions: readonly Subscription[]
}

const MAX_SUBSCRIPTIONS = 100
const MAX_SECRETS = 5
const MAX_CHOICES = 1_000

export interface Subscription {
  /** Also names its consumer group: a new name is a new place in the log. */
  readonly name: string
  readonly url: string
  /** `whsec_…`, newest first. */
  readonly secrets: readonly string[]
  readonly types: ReadonlySet<PublicEventType>
  /** Absent: all of them. */
  readonly transactionCodes?: ReadonlySet<string>
  readonly acquirers?: ReadonlySet<string>
  readonly clients?: ReadonlySet<string>
  /** Where it begins the first time. */
  readonly start: Start
}

const FILE = 'WEBHOOKS_FILE'
const choices = (max: number) => z.array(z.string().min(1).max(max)).min(1).max(MAX_CHOICES).optional()

const subscriptionShape = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]{1,40}$/),
  url: z.string().max(2_048),
  secrets: z.array(z.string()).min(1).max(MAX_SECRETS).optional(),
  secretsFile: z.string().min(1).max(4_096).optional(),
  secretsVariable: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]{0,63}$/)
    .optional(),
  types: z.array(z.enum(PUBLIC_EVENT_TYPES)).min(1).default(['transaction.approved', 'transaction.declined']),
  transactionCodes: choices(64),
  acquirerIds: choices(64),
  clientIds: choices(64),
  start: z.string().default('end'),
  disabled: z.boolean().default(false),
})

const fileShape = z.strictObject({ subscriptions: z.array(subscriptionShape).min(1).max(MAX_SUBSCRIPTIONS) })

/** @throws ConfigError with all that is wrong, of the variables or of the file. */
export function readSettings(env: Environment): WebhooksSettings {
  const config = readWebhooksConfig(env)
  return { ...config, subscriptions: readSubscriptions(config.file, config, env) }
}

function readSubscriptions(path: string, rules: AddressRules, env: Environment): readonly Subscription[] {
  let value: unknown
  try {
    value = JSON.parse(readTextFile(path, FILE))
  } catch (error) {
    throw error instanceof ConfigError ? error : new ConfigError([`${FILE}: must be JSON`])
  }
  return parseSubscriptions(value, rules, env)
}

/** What the file holds; disabled ones are checked and left out. @throws ConfigError with all that is wrong. */
export function parseSubscriptions(value: unknown, rules: AddressRules, env: Environment): readonly Subscription[] {
  const parsed = fileShape.safeParse(value)
  if (!parsed.success) throw new ConfigError(problemsOf(FILE, parsed.error))
  const problems: string[] = []
  const names = new Set<string>()
  const subscriptions = parsed.data.subscriptions.flatMap((given, index) => {
    const at = `${FILE}.subscriptions[${index}]`
    if (names.has(given.name)) problems.push(`${at}.name: another subscription has it`)
    names.add(given.name)
    const problem = urlProblem(given.url, rules)
    if (problem !== null) problems.push(`${at}.url: ${problem}`)
    const start = parseStart(given.start, Date.now())
    if (start === null) problems.push(`${at}.start: must be ${START_FORMS}`)
    const secrets = secretsOf(given, at, env, problems)
    return given.disabled || start === null ? [] : [subscriptionOf(given, secrets, start)]
  })
  if (problems.length > 0) throw new ConfigError(problems)
  return subscriptions
}

export function wants({ types, transactionCodes, acquirers, clients }: Subscription, event: PublicEvent): boolean {
  return (
    types.has(event.type) &&
    (transactionCodes?.has(event.transactionCode) ?? true) &&
    (acquirers?.has(event.acquirer.id) ?? true) &&
    (clients?.has(event.clientId) ?? true)
  )
}

type Given = z.infer<typeof subscriptionShape>

function subscriptionOf(given: Given, secrets: readonly string[], start: Start): Subscription {
  const { name, url, types, transactionCodes, acquirerIds, clientIds } = given
  return {
    name,
    url,
    secrets,
    start,
    types: new Set(types),
    ...(transactionCodes ? { transactionCodes: new Set(transactionCodes) } : {}),
    ...(acquirerIds ? { acquirers: new Set(acquirerIds) } : {}),
    ...(clientIds ? { clients: new Set(clientIds) } : {}),
  }
}

/** From the file itself, a file of their own, or a variable: one secret a line. */
function secretsOf(given: Given, at: string, env: Environment, problems: string[]): readonly string[] {
  const sources = [given.secrets, given.secretsFile, given.secretsVariable].filter((source) => source !== undefined)
  if (sources.length !== 1) {
    problems.push(`${at}: needs exactly one of secrets, secretsFile, secretsVariable`)
    return []
  }
  const [place, texts] = readSecrets(given, at, env, problems)
  const valid = texts.length >= 1 && texts.length <= MAX_SECRETS && texts.every(isWebhookSecret)
  if (!valid) problems.push(`${place}: must be 1 to ${MAX_SECRETS} of whsec_ and 24 to 64 bytes in base64, one a line`)
  return texts
}

function readSecrets(given: Given, at: string, env: Environment, problems: string[]): [string, readonly string[]] {
  if (given.secrets) return [`${at}.secrets`, given.secrets]
  if (given.secretsVariable !== undefined) return [given.secretsVariable, linesOf(env[given.secretsVariable] ?? '')]
  const place = `${at}.secretsFile`
  try {
    return [place, linesOf(readTextFile(given.secretsFile ?? '', place))]
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    problems.push(...error.problems)
    return [place, []]
  }
}

function linesOf(text: string): readonly string[] {
  const lines = text.split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '')
}
