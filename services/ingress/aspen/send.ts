// `POST /api/app/tokens/send`: a generation, then its delivery; what cannot be delivered is ended through the log first.

import type { Reply } from '../../core/transaction/reply.ts'
import type { TokenGeneration } from '../../core/transaction/command.ts'
import type { DeliveryChannel } from '../../ports/delivery.ts'
import type { KeyRing } from '../../ports/keys.ts'
import type { AspenAppConfig } from '../../runtime/apps-aspen.ts'
import type { DialectDeps } from '../dialect.ts'
import { EVENTS, type AspenEvent } from './events.ts'
import { generationOf, reversalOf, type Asked } from './protect.ts'
import { sendAnswer } from './replies.ts'
import type { SendFields } from './requests.ts'

export interface SendDeps extends Pick<DialectDeps, 'submit' | 'hold' | 'keys' | 'clock'> {
  readonly delivery: DeliveryChannel
  readonly asked: Asked
  readonly traceparent: string | undefined
}

export interface SentAnswer {
  readonly debugMode: boolean
  /** In debug mode only. */
  readonly token?: string
}

export type Sent = { readonly answer: SentAnswer } | { readonly refused: AspenEvent; readonly code: string }

/** Sends a token to a user. @throws what the key ring throws. */
export async function sendToken(app: AspenAppConfig, fields: SendFields, deps: SendDeps): Promise<Sent> {
  const release = deps.hold()
  try {
    return await generateAndDeliver(app, fields, deps)
  } finally {
    release()
  }
}

async function generateAndDeliver(app: AspenAppConfig, fields: SendFields, deps: SendDeps): Promise<Sent> {
  const { submit, keys, clock, delivery, asked, traceparent } = deps
  const generation = generationOf(fields, asked, keys)
  const generated = sendAnswer(await submit(generation, traceparent))
  if ('refused' in generated) return generated
  const token = shownToken(generated.approved, clock.now(), keys)
  const delivered = token !== null && (await deliver(delivery, token, generation, fields, generated.approved))
  if (delivered) return { answer: app.debugMode ? { debugMode: true, token } : { debugMode: false } }
  const reversal = reversalOf(generation, { ...asked, now: clock.now() }, keys)
  const ended = sendAnswer(await submit(reversal, traceparent, { followUp: true }))
  return { refused: 'approved' in ended ? EVENTS.notDelivered : EVENTS.timedOut, code: '' }
}

/** The digits, while they may be shown. */
function shownToken({ token, tokenShown }: Reply, now: number, keys: KeyRing): string | null {
  return token !== undefined && tokenShown && now < token.expiresAt ? keys.reveal(token) : null
}

async function deliver(
  channel: DeliveryChannel,
  token: string,
  generation: TokenGeneration,
  fields: SendFields,
  reply: Reply,
): Promise<boolean> {
  const { scope, clientId, appKey, amountMinor, accountType, metadata, tags } = generation
  return channel.deliver({
    id: scope.consecutive,
    clientId,
    appKey,
    document: { type: fields.docType, number: fields.docNumber },
    token,
    expiresAt: reply.token?.expiresAt ?? 0,
    ...(amountMinor === undefined ? {} : { amountMinor }),
    ...(accountType === undefined ? {} : { accountType }),
    ...(metadata === undefined ? {} : { metadata: metadata.text }),
    ...(tags === undefined ? {} : { tags }),
  })
}
