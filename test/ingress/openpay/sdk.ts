// Callers as the official Node SDK makes them: 1.0.5 of npm itself, and the surface of its 2.x, which npm does not have, on
// a transport that sends what its own sends. Both call back with (error, body, response).

import { createRequire } from 'node:module'

type Callback = (error: unknown, body: unknown, response?: { readonly statusCode?: number }) => void
type Create = (data: object, callback: Callback) => void
type Get = (id: string, callback: Callback) => void

/** What of version 1.0.5 is called. */
interface SdkOne {
  readonly charges: {
    create: Create
    get: Get
    refund(id: string, data: object, callback: Callback): void
  }
  readonly cards: { create: Create }
  readonly merchant: { get(callback: Callback): void }
  setTimeout(ms: number): void
}

interface SdkOneClass {
  new (merchantId: string, privateKey: string, isProductionReady?: boolean): SdkOne
  SANDBOX_URL: string
}

const OpenpayOne = createRequire(import.meta.url)('openpay') as SdkOneClass
const TIMEOUT_MS = 20_000

/** An answer: the body of a success or the error object, and the status. */
export interface SdkAnswer {
  readonly status: number
  readonly error: any
  readonly body: any
}

/** What the story of a card token needs of either version. */
export interface Sdk {
  readonly tokens: { create(data: object): Promise<SdkAnswer>; get(id: string): Promise<SdkAnswer> }
  readonly charges: {
    create(data: object): Promise<SdkAnswer>
    get(id: string): Promise<SdkAnswer>
    refund(id: string, data?: object): Promise<SdkAnswer>
  }
}

function answered(call: (callback: Callback) => void): Promise<SdkAnswer> {
  return new Promise((resolve, reject) => {
    call((error, body, response) => {
      if (response?.statusCode === undefined) reject(error instanceof Error ? error : new Error('no answer'))
      else resolve({ status: response.statusCode, error, body })
    })
  })
}

/**
 * 1.0.5 has no tokens: its transport is reached through other resources, whose own end of the path stands behind a `#`
 * and is not sent.
 */
export function sdkOne(base: string, merchantId: string, privateKey: string): Sdk {
  OpenpayOne.SANDBOX_URL = base
  const at = (path: string) => {
    const sdk = new OpenpayOne(path, privateKey, false)
    sdk.setTimeout(TIMEOUT_MS)
    return sdk
  }
  const { charges } = at(merchantId)
  return {
    tokens: {
      create: (data) => answered((callback) => at(`${merchantId}/tokens#`).cards.create(data, callback)),
      get: (id) => answered((callback) => at(`${merchantId}/tokens/${id}`).merchant.get(callback)),
    },
    charges: {
      create: (data) => answered((callback) => charges.create(data, callback)),
      get: (id) => answered((callback) => charges.get(id, callback)),
      // Without data this version would not parse the answer.
      refund: (id, data) => answered((callback) => charges.refund(id, data ?? {}, callback)),
    },
  }
}

/**
 * The resources of 2.x. Its transport sends the key with an empty password, JSON with its content type where there is a
 * body, and takes 200, 201 and 204 for success.
 */
export function sdkTwo(base: string, merchantId: string, privateKey: string): Sdk {
  const send = async (method: string, path: string, data?: object): Promise<SdkAnswer> => {
    const response = await fetch(`${base}/v1/${merchantId}${path}`, {
      method,
      headers: {
        authorization: `Basic ${Buffer.from(`${privateKey}:`).toString('base64')}`,
        'user-agent': 'node-urllib/2.44.0',
        ...(data === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(data === undefined ? {} : { body: JSON.stringify(data) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const body: unknown = await response.json()
    const good = [200, 201, 204].includes(response.status)
    return { status: response.status, error: good ? null : body, body: good ? body : null }
  }
  return {
    tokens: { create: (data) => send('POST', '/tokens', data), get: (id) => send('GET', `/tokens/${id}`) },
    charges: {
      create: (data) => send('POST', '/charges', data),
      get: (id) => send('GET', `/charges/${id}`),
      refund: (id, data) => send('POST', `/charges/${id}/refund`, data),
    },
  }
}
