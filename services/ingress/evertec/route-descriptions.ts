// What the routes of the Evertec dialect are: registered from here, and shown in the OpenAPI document.

import { z } from 'zod'
import { RESPONSE_CODES, UNDOABLE_CODES } from '../../core/transaction/codes.ts'
import { OUTCOME_STATES } from '../../core/transaction/outcome.ts'
import { problemSchema, PROBLEM_TYPE } from '../http/problem.ts'
import type { ResponseDescription, RouteDescriptions } from '../http/route-description.ts'
import { acquirerId, consecutive, sentCode } from './fields.ts'
import { generation, reversal, spending, voiding } from './requests.ts'

const transactionCode = <const C extends string>(...codes: readonly [C, ...C[]]) => ({ transactionCode: z.enum(codes) })
const original = { originalTransactionCode: z.enum(UNDOABLE_CODES).default('TOKEN_PURCHASE') }

/** A body of `POST /financial`. An app may write transaction codes of its own for these, by its configuration. */
export const financialBody = z.union([
  generation.extend(transactionCode('TOKEN_GENERATION')),
  spending.extend(transactionCode('TOKEN_PURCHASE', 'TOKEN_WITHDRAWAL')),
  reversal.extend({ ...transactionCode('REVERSAL'), ...original }),
  voiding.extend({ ...transactionCode('VOID'), ...original }),
])

const answer = z.object({
  consecutive: z.string(),
  responseCode: z.enum(RESPONSE_CODES),
  responseMessage: z.string(),
  authorizationNumber: z.string().optional(),
  token: z.string().optional(),
  expiresAt: z.string().optional(),
})

const problem = (description: string): ResponseDescription => ({
  description,
  body: problemSchema,
  contentType: PROBLEM_TYPE.split(';', 1)[0] ?? PROBLEM_TYPE,
})

const PROBLEMS = {
  400: problem('Not JSON, or fields that are missing or malformed: all of them are named.'),
  401: problem('No or bad credentials.'),
  413: problem('The body is larger than 65,536 bytes.'),
  415: problem('The content type is not JSON.'),
  429: problem("Over the app's rate. `Retry-After` says when to come back."),
  500: problem('The outcome is not known: repeat the consecutive, ask for it by GET, or send a REVERSAL.'),
  503: problem('Nothing was accepted. `Retry-After` says when to come back.'),
} as const

const terminal = { id: 'A1', storeId: '0001', terminalId: 'T0000001' }

/** Of the demo set. */
const EXAMPLES = {
  generation: {
    summary: 'A token for a user',
    body: {
      consecutive: 'gen-0001',
      transactionCode: 'TOKEN_GENERATION',
      acquirer: terminal,
      document: { type: 'CC', number: '1012345678' },
    },
  },
  smallest: {
    summary: 'The smallest generation: bound to its terminal',
    body: { consecutive: 'gen-0002', transactionCode: 'TOKEN_GENERATION', acquirer: terminal },
  },
  purchase: {
    summary: 'A purchase with a token',
    body: {
      consecutive: 'buy-0001',
      transactionCode: 'TOKEN_PURCHASE',
      acquirer: terminal,
      cardNumber: '6039591000000018',
      token: '482915',
      accountType: '10',
      amount: 25_000,
    },
  },
  withdrawal: {
    summary: 'A withdrawal with a token',
    body: {
      consecutive: 'out-0001',
      transactionCode: 'TOKEN_WITHDRAWAL',
      acquirer: terminal,
      cardNumber: '6039591000000018',
      token: '482915',
      accountType: '10',
      amount: 50_000,
    },
  },
  reversal: {
    summary: 'A reversal of a purchase',
    body: { consecutive: 'buy-0001', transactionCode: 'REVERSAL', acquirer: terminal },
  },
  void: {
    summary: 'A void of a purchase',
    body: {
      consecutive: 'void-0001',
      transactionCode: 'VOID',
      acquirer: terminal,
      originalConsecutive: 'buy-0001',
      amount: 25_000,
    },
  },
} as const

export const EVERTEC_ROUTES = {
  postFinancial: {
    method: 'POST',
    url: '/financial',
    summary: 'a transaction: generation, purchase, withdrawal, reversal, void',
    auth: ['basic'],
    body: financialBody,
    examples: EXAMPLES,
    responses: { 200: { description: 'Decided: approved or declined.', body: answer }, ...PROBLEMS },
  },
  getFinancial: {
    method: 'GET',
    url: '/financial/:consecutive',
    summary: 'inquiry, with `?acquirerId=…&transactionCode=…`: the recorded outcome and its `state`, never a token',
    auth: ['basic'],
    params: z.object({ consecutive }),
    query: z.object({ acquirerId, transactionCode: sentCode }),
    examples: {
      purchase: {
        summary: 'What became of a purchase',
        params: { consecutive: 'buy-0001' },
        query: { acquirerId: 'A1', transactionCode: 'TOKEN_PURCHASE' },
      },
    },
    responses: {
      200: { description: 'Decided.', body: answer.omit({ token: true }).extend({ state: z.enum(OUTCOME_STATES) }) },
      404: problem('Nothing is decided under it, or it is of another acquirer.'),
      ...PROBLEMS,
    },
  },
} as const satisfies RouteDescriptions
