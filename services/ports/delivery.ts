// The channel by which a token reaches its user: a message, an app, whatever the receiver makes of it.

import type { AccountType } from '../core/account/account.ts'
import type { Tags } from '../core/transaction/command.ts'

/** A token on its way. It holds the token and the document in clear: it is never logged or stored. */
export interface TokenMessage {
  /** The same for every attempt: the receiver drops repeats by it. */
  readonly id: string
  readonly clientId: string
  readonly appKey: string
  readonly document: { readonly type: string; readonly number: string }
  readonly token: string
  /** Unix milliseconds. */
  readonly expiresAt: number
  /** What the token is bound to. Card numbers in texts are masked. */
  readonly amountMinor?: number
  readonly accountType?: AccountType
  readonly metadata?: string
  readonly tags?: Tags
}

export interface DeliveryChannel {
  readonly key: string
  /** For people, Spanish. */
  readonly name: string
  /** False: it may not have arrived. Ends within the channel's own deadline, and never rejects. */
  deliver(message: TokenMessage): Promise<boolean>
  close(): void
}
