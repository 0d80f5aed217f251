// Calls to the authorizer of cards, outside of the rounds: a slow one holds up nothing but the transactions that ask it.

import type { CallOperation } from '../../protocol/operations.ts'
import type { Answered, CardAuthorizer } from '../../ports/card-authorizer.ts'

/** Transactions that may be open at the other authorizer at one time, if nothing else is configured. */
export const DEFAULT_MAX_OPEN = 256

/** What an authorizer that is not there answers: nothing is ever asked of it. */
export const NO_AUTHORIZER: CardAuthorizer = {
  authorize: async () => ({ kind: 'not-done' }),
  inquire: async () => ({ kind: 'not-done' }),
  reverse: async () => true,
  refund: async () => ({ kind: 'not-done' }),
}

/** Bounded: beyond `maxOpen` transactions a new one is surely not asked for, and is declined. */
export class RemoteCalls {
  readonly #authorizer: CardAuthorizer
  readonly #maxOpen: number
  /** Transactions with a first call and without an end. */
  readonly #open = new Set<object>()

  constructor(authorizer: CardAuthorizer, maxOpen: number) {
    this.#authorizer = authorizer
    this.#maxOpen = maxOpen
  }

  /** @param transaction whose call it is, until `close`. Never rejects for what the authorizer does. */
  async run(transaction: object, operation: CallOperation): Promise<Answered> {
    const full = this.#open.size >= this.#maxOpen && !this.#open.has(transaction)
    if (full && operation.call === 'authorize') return { kind: 'not-done' }
    this.#open.add(transaction)
    switch (operation.call) {
      case 'authorize':
        return this.#authorizer.authorize(operation.request)
      case 'refund':
        return this.#authorizer.refund(operation.request)
      case 'inquire':
        return this.#authorizer.inquire(operation.key)
      case 'reverse':
        return (await this.#authorizer.reverse(operation.key)) ? { kind: 'not-done' } : { kind: 'unknown' }
    }
  }

  close(transaction: object): void {
    this.#open.delete(transaction)
  }
}
