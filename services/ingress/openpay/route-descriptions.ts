// What the routes of the Openpay dialect are: registered from here, and shown in the OpenAPI document.

import { z } from 'zod'
import { MAX_REFUNDS } from '../../core/card-token/decide-charge.ts'
import type { ResponseDescription, RouteDescriptions } from '../http/route-description.ts'
import { errorObject } from './errors.ts'
import { tokenObject, transactionObject } from './replies.ts'
import { chargeBody, refundBody, tokenBody } from './requests.ts'

const error = (description: string): ResponseDescription => ({ description, body: errorObject })

const ERRORS = {
  400: error(
    '1001: not JSON, or a field that is missing or malformed. 2005: the card is past its date. 2006: no `cvv2`.',
  ),
  401: error("1002: no or wrong key, or the merchant of the path is not the key's."),
  404: error('1005: nothing of this merchant has this id, or it has expired.'),
  413: error('1009: the body is larger than 65,536 bytes.'),
  415: error('1001: the content type is not JSON.'),
  429: error("1004: over the merchant's rate. `Retry-After` says when to come back."),
  500: error('1000: an internal error, or no answer in time: the outcome is not known.'),
  503: error('1004: nothing was done. `Retry-After` says when to come back.'),
} as const

const PRIVATE_ONLY = { 403: error('1010: a public key where a private one is needed.') } as const
const GATEWAY = { 402: error('3001 to 3005: declined.') } as const
const merchant = { merchantId: z.string() }

/** Of the demo set. */
const MERCHANT = { merchantId: 'mzdtln0bmtms6o3kck8f' }
const TOKEN = { ...MERCHANT, id: 'k1n0uscvxoeqqhq0rfhr' }
const CHARGE = { ...MERCHANT, id: 'trzjaozcik8msyqshka4' }

export const OPENPAY_ROUTES = {
  createCardToken: {
    method: 'POST',
    url: '/v1/:merchantId/tokens',
    summary: 'a card becomes a token that can be charged once; a public key will do',
    auth: ['basic'],
    params: z.object(merchant),
    body: tokenBody,
    examples: {
      card: {
        summary: 'A card and its address',
        params: MERCHANT,
        body: {
          card_number: '4111111111111111',
          holder_name: 'Juan Perez Ramirez',
          expiration_year: '32',
          expiration_month: '12',
          cvv2: '110',
          address: {
            city: 'Bogotá',
            country_code: 'CO',
            postal_code: '110511',
            line1: 'Avenida Carrera 86 # 51-66',
            line2: 'Torre 2',
            state: 'Bogotá',
          },
        },
      },
    },
    responses: {
      201: { description: 'The token.', body: tokenObject },
      412: error('2009: `cvv2` is not valid for the brand.'),
      422: error('2004: the check digit is wrong.'),
      ...ERRORS,
    },
  },
  getCardToken: {
    method: 'GET',
    url: '/v1/:merchantId/tokens/:id',
    summary: 'the token with its masked card, also once it is spent',
    auth: ['basic'],
    params: z.object({ ...merchant, id: z.string() }),
    examples: { token: { summary: 'A token', params: TOKEN } },
    responses: { 200: { description: 'The token.', body: tokenObject }, ...PRIVATE_ONLY, ...ERRORS },
  },
  createCharge: {
    method: 'POST',
    url: '/v1/:merchantId/charges',
    summary: 'charges a card token, once',
    auth: ['basic'],
    params: z.object(merchant),
    body: chargeBody,
    examples: {
      charge: {
        summary: 'A charge of a token',
        params: MERCHANT,
        body: {
          source_id: TOKEN.id,
          method: 'card',
          amount: 25_000,
          currency: 'COP',
          description: 'Pedido 17',
          order_id: 'oid-00017',
          device_session_id: 'kR1MiQhz2otdIuUlQkbEyitIqVMiI16f',
        },
      },
    },
    responses: {
      200: { description: 'The charge.', body: transactionObject },
      409: error('1006: the `order_id` has an approved charge, or one that is not decided yet.'),
      422: error('1003: another currency than COP, or a token that is used.'),
      ...GATEWAY,
      ...PRIVATE_ONLY,
      ...ERRORS,
    },
  },
  getCharge: {
    method: 'GET',
    url: '/v1/:merchantId/charges/:id',
    summary: 'the charge as it is now',
    auth: ['basic'],
    params: z.object({ ...merchant, id: z.string() }),
    examples: { charge: { summary: 'A charge', params: CHARGE } },
    responses: { 200: { description: 'The charge.', body: transactionObject }, ...PRIVATE_ONLY, ...ERRORS },
  },
  refundCharge: {
    method: 'POST',
    url: '/v1/:merchantId/charges/:id/refund',
    summary: 'gives back what is left of a charge, or a part of it',
    auth: ['basic'],
    params: z.object({ ...merchant, id: z.string() }),
    body: refundBody,
    examples: {
      part: { summary: 'A part of it', params: CHARGE, body: { description: 'Devolución', amount: 5_000 } },
      whole: { summary: 'All that is left', params: CHARGE, body: {} },
    },
    responses: {
      200: { description: 'The charge with this refund.', body: transactionObject },
      422: error(`1003: more than is left, nothing is, or ${MAX_REFUNDS} refunds were asked for.`),
      ...GATEWAY,
      ...PRIVATE_ONLY,
      ...ERRORS,
    },
  },
} as const satisfies RouteDescriptions
