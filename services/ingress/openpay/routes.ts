// The routes of the Openpay dialect: `/v1/{merchantId}/tokens` and `/charges` (contract, section 3). It translates and
// hands on; what is decided is decided behind the log. Order of checks: key, kind of key, size, form, values.

import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { OpenpayMerchantConfig } from '../../runtime/apps-openpay.ts'
import type { Dialect, DialectDeps } from '../dialect.ts'
import { acceptJsonBodies } from '../http/body.ts'
import { FaultError } from '../http/fault.ts'
import { registerRoutes, type RouteHandler } from '../http/route-description.ts'
import { createCharge, createToken, getCharge, getToken, refundCharge, type OpenpayDeps } from './calls.ts'
import { answerFault, sendError } from './errors.ts'
import { createKeyAuthentication, type KeyAuthentication } from './keys.ts'
import { OPENPAY_ROUTES } from './route-descriptions.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The merchant whose key came with the request; null before authentication. */
    openpayMerchant: OpenpayMerchantConfig | null
  }
}

const RATE_WINDOW_MS = 1_000
const PREFIX = '/v1'

/**
 * The five routes, their authentication, rate limit and error form.
 * @throws Error when one key stands twice.
 */
export function openpayDialect(deps: DialectDeps): Dialect {
  const { merchants } = deps.openpay
  const authentication = createKeyAuthentication(merchants)
  const plugin = async (scope: FastifyInstance) => {
    // Names and addresses are shown in answers.
    scope.addHook('onSend', (_request, reply, _payload, done) => {
      void reply.header('cache-control', 'no-store')
      done()
    })
    authenticate(scope, authentication)
    if (merchants.some(({ ratePerSecond }) => ratePerSecond !== undefined)) await limitRates(scope)
    scope.addHook('preParsing', (_request, _reply, _payload, done) =>
      done(deps.ready() ? null : new FaultError('unavailable')),
    )
    acceptJsonBodies(scope)
    const handled =
      (call: Call): RouteHandler =>
      (request, reply) =>
        call(deps, merchantOf(request), request, reply)
    registerRoutes(scope, OPENPAY_ROUTES, {
      createCardToken: handled(createToken),
      getCardToken: handled(getToken),
      createCharge: handled(createCharge),
      getCharge: handled(getCharge),
      refundCharge: handled(refundCharge),
    })
  }
  return {
    prefix: PREFIX,
    title: 'Openpay',
    description: 'Cards as tokens that can be charged once. The key is the user name of HTTP Basic, with no password.',
    routes: OPENPAY_ROUTES,
    plugin,
    answerFault,
  }
}

type Call = (
  deps: OpenpayDeps,
  merchant: OpenpayMerchantConfig,
  request: FastifyRequest,
  reply: FastifyReply,
) => Promise<FastifyReply>

/** A key acts for its own merchant only, and a public one only creates tokens. */
function authenticate(scope: FastifyInstance, authentication: KeyAuthentication): void {
  scope.decorateRequest('openpayMerchant', null)
  scope.addHook('onRequest', (request, reply, done) => {
    const known = authentication(request.headers.authorization)
    const { merchantId } = request.params as { readonly merchantId: string }
    if (known === null || known.merchant.merchantId !== merchantId) return void sendError(reply, { code: 1002 })
    const { method, url } = OPENPAY_ROUTES.createCardToken
    const createsToken = request.method === method && request.routeOptions.url === url
    if (known.kind === 'public' && !createsToken) return void sendError(reply, { code: 1010 })
    request.openpayMerchant = known.merchant
    done()
  })
}

async function limitRates(scope: FastifyInstance): Promise<void> {
  await scope.register(rateLimit, {
    timeWindow: RATE_WINDOW_MS,
    keyGenerator: (request) => merchantOf(request).merchantId,
    max: (request) => merchantOf(request).ratePerSecond ?? Infinity,
    allowList: (request) => merchantOf(request).ratePerSecond === undefined,
    errorResponseBuilder: () => new FaultError('too-many'),
  })
}

function merchantOf(request: FastifyRequest): OpenpayMerchantConfig {
  if (request.openpayMerchant === null) throw new Error('a route without authentication')
  return request.openpayMerchant
}
