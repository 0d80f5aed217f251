// What the routes of the Aspen dialect are: registered from here, and shown in the OpenAPI document.

import { z } from 'zod'
import { ACCOUNT_TYPES } from '../../core/account/account.ts'
import type { ResponseDescription, RouteDescriptions } from '../http/route-description.ts'
import { EVENT_IDS } from './events.ts'
import { cancellationBody, claimBody, sendBody } from './requests.ts'

const error = (description: string): ResponseDescription => ({
  description,
  body: z.object({ eventId: z.enum(EVENT_IDS), message: z.string() }),
})

/** What any signed call may be answered. */
const REFUSALS = {
  400: error(
    'A header, a claim or a field is missing or malformed: 15844, 15850, 15852, 20002, 20005, 20007, 99001, 99005.',
  ),
  401: error('No live session (15846, 15847, 15848), or wrong HTTP Basic (20005).'),
  403: error('The app is disabled (20006) or may not do this (1000478).'),
  416: error('The epoch is out of range (15851).'),
  500: error('An internal error (15841).'),
  503: error('Nothing was accepted (15842). `Retry-After` says when to come back.'),
} as const

const BODY = {
  413: error('The body is larger than 65,536 bytes (15852).'),
  415: error('The content type is not JSON (15852).'),
} as const

const DECIDED = {
  ...BODY,
  502: error('What decides it failed (15859).'),
  504: error('No answer in time (15859): whether it was done is not known.'),
} as const

const token = z.object({ token: z.string() })
const SIGNED = ['signed-headers', 'basic'] as const

/** Of the demo set. */
const USER = { docType: 'CC', docNumber: '1012345678' }
const PRESENTED = { token: '482915' }

export const ASPEN_ROUTES = {
  aspenSignIn: {
    method: 'POST',
    url: '/api/app/auth/signin',
    summary: "opens the app's one session: a JWT with `jti`, `iat`, `exp`",
    auth: SIGNED,
    responses: { 200: { description: 'The JWT, as bare text.', contentType: 'text/plain' }, ...REFUSALS, ...BODY },
  },
  claimToken: {
    method: 'PUT',
    url: '/api/app/tokens/:token',
    summary: "validates a payment token and claims it for the app's client",
    auth: SIGNED,
    params: token,
    body: claimBody,
    examples: {
      claim: { summary: 'A token that a user shows', params: PRESENTED, body: { ...USER, amount: 25_000 } },
    },
    responses: {
      200: {
        description: 'What the token was bound to.',
        body: z.object({ amount: z.int().nullable(), accountType: z.enum(ACCOUNT_TYPES).nullable() }),
      },
      404: error('The token does not exist, is not valid or expired (355006): one text for all of them.'),
      ...REFUSALS,
      ...DECIDED,
    },
  },
  sendToken: {
    method: 'POST',
    url: '/api/app/tokens/send',
    summary: 'generates a payment token for a user and hands it to the delivery channel',
    auth: SIGNED,
    body: sendBody,
    examples: {
      send: { summary: 'A token for a user', body: USER },
      bound: {
        summary: 'A token bound to an amount, an account and a text',
        body: { ...USER, amount: 25_000, accountType: '10', metadata: 'pedido 17', tags: { TerminalId: 'T0000001' } },
      },
    },
    responses: {
      200: {
        description: 'Handed over. The token only in debug mode.',
        body: z.object({ debugMode: z.boolean(), token: z.string().optional() }),
      },
      429: error('Five tokens of the user are live (15863). `Retry-After` says when that is surely over.'),
      ...REFUSALS,
      ...DECIDED,
    },
  },
  listTokenChannels: {
    method: 'GET',
    url: '/api/app/tokens/channels',
    summary: 'the delivery channels',
    auth: SIGNED,
    responses: {
      200: { description: 'The channels.', body: z.array(z.object({ key: z.string(), name: z.string() })) },
      ...REFUSALS,
    },
  },
  cancelToken: {
    method: 'DELETE',
    url: '/api/app/tokens/:token',
    summary: "ends a payment token, also one that this app's client claimed",
    auth: SIGNED,
    params: token,
    body: cancellationBody,
    examples: { cancel: { summary: 'A token that shall pay nothing any more', params: PRESENTED, body: USER } },
    responses: {
      200: { description: 'Ended; the answer is empty.' },
      404: error('As of PUT (355006).'),
      ...REFUSALS,
      ...DECIDED,
    },
  },
} as const satisfies RouteDescriptions

export const HELP_ROUTES = {
  getEventHelp: {
    method: 'GET',
    url: '/help/events/:eventId',
    summary: 'a page that explains an event number, in Spanish',
    auth: [],
    params: z.object({ eventId: z.enum(EVENT_IDS) }),
    examples: { token: { summary: 'The token was not found', params: { eventId: '355006' } } },
    responses: {
      200: { description: 'The page.', contentType: 'text/html' },
      404: { description: 'No such event.', contentType: 'text/html' },
    },
  },
} as const satisfies RouteDescriptions
