// The apps file: clients, their apps, and for a demo its cards and keys. Read once at the start; no message quotes it.

import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { KeyConfig, KeyRingConfig } from '../adapters/keys/key-ring.ts'
import { ACCOUNT_TYPES, type AccountType } from '../core/account/account.ts'
import { CARD_RESTRICTIONS, CARD_STATES, type CardRestriction, type CardState } from '../core/card/card.ts'
import { passesLuhn } from '../core/card/mask.ts'
import { amountMinor, minorOfPesos, type AmountMinor } from '../core/money/amount.ts'
import { AUTHORIZER_DECLINES, type AuthorizerDecline } from '../core/transaction/authorizer-answer.ts'
import { FINANCIAL_CODES, type FinancialCode } from '../core/transaction/codes.ts'
import { merchantContradictions, openpayMerchant, type OpenpayMerchantConfig } from './apps-openpay.ts'
import { aspenApp, aspenContradictions, type AspenAppConfig } from './apps-aspen.ts'
import type { EnvironmentName } from './config-groups.ts'
import { keyRingShape, signingKeysShape } from './config-keys.ts'
import { ConfigError, problemsOf, readTextFile } from './env.ts'

/** The demo set of the contract, which embedded mode starts with. */
export const DEMO_SET_FILE = fileURLToPath(new URL('../demo/demo-set.json', import.meta.url))

/** An app of the Evertec dialect. */
export interface EvertecAppConfig {
  readonly key: string
  readonly secret: string
  readonly clientId: string
  readonly enabled: boolean
  readonly acquirers: readonly string[]
  /** Its own transaction codes, each to one of ours. */
  readonly transactionCodes: Readonly<Record<string, FinancialCode>>
  /** Calls a second on one instance; absent: no limit. */
  readonly ratePerSecond?: number
}

/** A card with its holder and the holder's accounts, to be registered at the start of a demo. */
export interface SeedCard {
  readonly cardNumber: string
  readonly document: { readonly type: string; readonly number: string }
  readonly state: CardState
  /** Unix milliseconds from which the card's own date is past. */
  readonly expiresAt: number
  readonly restrictions: readonly CardRestriction[]
  readonly accounts: readonly { readonly type: AccountType; readonly amountMinor: AmountMinor }[]
}

export interface Apps {
  readonly demo: boolean
  readonly clients: readonly { readonly id: string }[]
  readonly evertec: readonly EvertecAppConfig[]
  readonly openpay: readonly OpenpayMerchantConfig[]
  readonly aspen: readonly AspenAppConfig[]
  readonly cards: readonly SeedCard[]
  /** What the demo's authorizer of cards declines; any other number it approves. */
  readonly cardDeclines: readonly { readonly cardNumber: string; readonly code: AuthorizerDecline }[]
  /** Only of a demo. */
  readonly keys?: KeyRingConfig
  /** Of the notary; only of a demo. */
  readonly signingKeys?: readonly KeyConfig[]
}

const MAX_CLIENTS = 1_000
const MAX_APPS = 10_000
const MAX_CARDS = 1_000
/** Characters of a secret outside a demo: 128 bits in base64url are 22. */
const MIN_SECRET = 20
/** Hours by which Colombia is behind UTC, where a card's month ends. It has no summer time. */
const BOGOTA_BEHIND_UTC_HOURS = 5

const clientId = z.string().regex(/^[a-z0-9-]{1,32}$/)

const evertecApp = z
  .strictObject({
    clientId,
    key: z.string().regex(/^[!-9;-~]{1,64}$/),
    secret: z.string().min(1).max(256),
    acquirerIds: z
      .array(z.string().regex(/^[A-Za-z0-9]{1,11}$/))
      .min(1)
      .max(1_000),
    transactionCodes: z.record(z.string().regex(/^[!-~]{1,64}$/), z.enum(FINANCIAL_CODES)).default({}),
    ratePerSecond: z.number().int().min(1).max(100_000).optional(),
    disabled: z.boolean().default(false),
  })
  .transform(({ acquirerIds, disabled, ratePerSecond, ...app }): EvertecAppConfig => ({
    ...app,
    acquirers: acquirerIds,
    enabled: !disabled,
    ...(ratePerSecond === undefined ? {} : { ratePerSecond }),
  }))

const document = z
  .strictObject({
    type: z.enum(['CC', 'CE', 'TI', 'NIT', 'PAS', 'PPT', 'RC']),
    number: z.string().regex(/^[A-Za-z0-9]{1,18}$/),
  })
  .refine(({ type, number }) => type === 'PAS' || /^[0-9]+$/.test(number), {
    path: ['number'],
    message: 'must be digits',
  })

const balance = z.number().transform((value, context) => {
  const minor = value === 0 ? amountMinor(0) : minorOfPesos(value)
  if (minor !== null) return minor
  context.addIssue({ code: 'custom', message: 'must be an amount of pesos with at most two decimals' })
  return z.NEVER
})

const cardNumber = z
  .string()
  .regex(/^[0-9]{13,19}$/)
  .refine(passesLuhn, { message: 'must pass Luhn' })

const card = z
  .strictObject({
    cardNumber,
    document,
    state: z.enum(CARD_STATES).default('active'),
    expires: z.string().regex(/^20[0-9]{2}-(0[1-9]|1[0-2])$/),
    restrictions: z.array(z.enum(CARD_RESTRICTIONS)).max(CARD_RESTRICTIONS.length).default([]),
    accounts: z.array(z.strictObject({ type: z.enum(ACCOUNT_TYPES), balance })).max(ACCOUNT_TYPES.length),
  })
  .transform(({ expires, accounts, ...rest }): SeedCard => ({
    ...rest,
    expiresAt: cardExpiry(expires),
    accounts: accounts.map((account) => ({ type: account.type, amountMinor: account.balance })),
  }))

const appsShape = z.strictObject({
  demo: z.boolean().default(false),
  clients: z
    .array(z.strictObject({ id: clientId }))
    .min(1)
    .max(MAX_CLIENTS),
  evertec: z.array(evertecApp).max(MAX_APPS).default([]),
  openpay: z.array(openpayMerchant).max(MAX_APPS).default([]),
  aspen: z.array(aspenApp).max(MAX_APPS).default([]),
  cards: z.array(card).max(MAX_CARDS).default([]),
  cardDeclines: z
    .array(z.strictObject({ cardNumber, code: z.enum(AUTHORIZER_DECLINES) }))
    .max(MAX_CARDS)
    .default([]),
  keys: keyRingShape.optional(),
  signingKeys: signingKeysShape.optional(),
})

/** @returns when the month of `YYYY-MM` is over in Bogotá, Unix milliseconds. */
export function cardExpiry(month: string): number {
  return Date.UTC(Number(month.slice(0, 4)), Number(month.slice(5, 7)), 1, BOGOTA_BEHIND_UTC_HOURS)
}

/**
 * @param path of a JSON file.
 * @throws ConfigError when it cannot be read, has unknown or wrong fields, contradicts itself, or is a demo in
 * production.
 */
export function readApps(path: string, environment: EnvironmentName): Apps {
  let value: unknown
  try {
    value = JSON.parse(readTextFile(path, 'APPS_FILE'))
  } catch (error) {
    throw error instanceof ConfigError ? error : new ConfigError(['APPS_FILE: must be JSON'])
  }
  return parseApps(value, environment)
}

/** As `readApps`, of what the file holds. */
export function parseApps(value: unknown, environment: EnvironmentName): Apps {
  const parsed = appsShape.safeParse(value)
  if (!parsed.success) throw new ConfigError(problemsOf('APPS_FILE', parsed.error))
  const problems = contradictions(parsed.data, environment)
  if (problems.length > 0) throw new ConfigError(problems.map((problem) => `APPS_FILE${problem}`))
  return parsed.data
}

function contradictions(apps: Apps, environment: EnvironmentName): readonly string[] {
  const problems: string[] = []
  const { demo, clients, evertec, cards } = apps
  if (demo && environment === 'production') problems.push('.demo: the demo set must not be used in production')
  if (!demo && apps.keys) problems.push('.keys: only a demo may have its keys in this file: use KEYS')
  if (!demo && apps.signingKeys)
    problems.push('.signingKeys: only a demo may have its keys in this file: use SIGNING_KEYS')
  if (!demo && cards.length > 0) problems.push('.cards: only a demo may have cards in this file')
  if (!demo && apps.cardDeclines.length > 0) problems.push('.cardDeclines: only a demo may have cards in this file')
  const known = new Set(clients.map(({ id }) => id))
  if (known.size < clients.length) problems.push('.clients: two have one id')
  const owners = new Map<string, string>()
  const keys = new Set<string>()
  evertec.forEach((app, index) => {
    const at = `.evertec[${index}]`
    if (!known.has(app.clientId)) problems.push(`${at}.clientId: is none of the clients`)
    if (keys.has(app.key)) problems.push(`${at}.key: another app has it`)
    keys.add(app.key)
    const weak = !demo && app.secret.length < MIN_SECRET
    if (weak) problems.push(`${at}.secret: must have at least ${MIN_SECRET} characters`)
    for (const acquirer of app.acquirers) {
      const owner = owners.get(acquirer) ?? app.clientId
      if (owner !== app.clientId) problems.push(`${at}.acquirerIds: another client owns one of them`)
      owners.set(acquirer, owner)
    }
  })
  return [
    ...problems,
    ...aspenContradictions(apps.aspen, known),
    ...merchantContradictions(apps.openpay, known, demo),
    ...cardContradictions(cards),
  ]
}

function cardContradictions(cards: readonly SeedCard[]): readonly string[] {
  const problems: string[] = []
  const numbers = new Set<string>()
  const accounts = new Set<string>()
  cards.forEach(({ cardNumber, document: holder, accounts: held }, index) => {
    if (numbers.has(cardNumber)) problems.push(`.cards[${index}].cardNumber: stands twice`)
    numbers.add(cardNumber)
    for (const { type } of held) {
      const account = `${holder.type} ${holder.number} ${type}`
      if (accounts.has(account)) problems.push(`.cards[${index}].accounts: the holder has one of them already`)
      accounts.add(account)
    }
  })
  return problems
}
