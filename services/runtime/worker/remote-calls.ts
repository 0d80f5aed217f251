// Calls to the authorizer of cards, outside of the rounds: a slow one holds up nothing but the transactions that ask it.
// Transactions that have called are away until they end: they are bounded of their own, and leave room for all others.

import type { NotAsked } from '../../core/transaction/authorizer-answer.ts'
import type { CallOperation } from '../../protocol/operations.ts'
import type { Answered, CardAuthorizer } from '../../ports/card-authorizer.ts'

/** Transactions that may be open at the other authorizer at one time, if nothing else is configured. */
export const DEFAULT_MAX_OPEN = 256
/** Inquiries, reversals and refunds at one time: what has to be settled must not take all of a troubled authorizer. */
const MAX_SETTLING = 64
/** Of `maxOpen`: transactions away at most. More than may be opened, since others are taken over, undone or refunded. */
const AWAY_FACTOR = 16

export interface CallsObserver {
  /** A call has ended. @param answer its kind. */
  called(call: CallOperation['call'], answer: Answered['kind'], seconds: number): void
  /** Transactions that have called and are not at their end. */
  away(count: number): void
}

export interface CallsDeps {
  /** Absent: nobody is asked. What an earlier one was asked stays unknown until there is one again. */
  readonly authorizer?: CardAuthorizer
  readonly maxOpen?: number
  readonly observer: Partial<CallsObserver>
}

export class RemoteCalls {
  readonly #authorizer: CardAuthorizer | undefined
  readonly #maxOpen: number
  readonly #observer: Partial<CallsObserver>
  /** Transactions with a first call and without an end. */
  readonly #away = new Set<object>()
  readonly #queue: (() => void)[] = []
  #settling = 0

  constructor({ authorizer, maxOpen = DEFAULT_MAX_OPEN, observer }: CallsDeps) {
    this.#authorizer = authorizer
    this.#maxOpen = maxOpen
    this.#observer = observer
  }

  get away(): number {
    return this.#away.size
  }

  /** Nothing that may call should be taken up now. */
  get full(): boolean {
    return this.#away.size >= this.#maxOpen * AWAY_FACTOR
  }

  /** Why nothing new can be asked. */
  unaskable(): NotAsked | undefined {
    if (!this.#authorizer) return 'no-authorizer'
    return this.#away.size >= this.#maxOpen ? 'too-many-open' : undefined
  }

  /**
   * @param transaction whose call it is, until `close`. The first `authorize` of one is refused as 'not-done' where too
   * many are open, however many of one round thought that there was room.
   */
  async run(transaction: object, operation: CallOperation): Promise<Answered> {
    const refused = this.unaskable() !== undefined && !this.isAway(transaction)
    if (refused && operation.call === 'authorize') return { kind: 'not-done' }
    this.follow(transaction)
    const settles = operation.call !== 'authorize'
    if (settles) await this.#turn()
    const started = performance.now()
    try {
      const answer = await this.#ask(operation)
      this.#observer.called?.(operation.call, answer.kind, (performance.now() - started) / 1_000)
      return answer
    } finally {
      if (settles) this.#next()
    }
  }

  /** It waits for a call, its own or another's for the same transaction: away, until `close`. */
  follow(transaction: object): void {
    this.#away.add(transaction)
    this.#observer.away?.(this.#away.size)
  }

  isAway(transaction: object): boolean {
    return this.#away.has(transaction)
  }

  close(transaction: object): void {
    if (this.#away.delete(transaction)) this.#observer.away?.(this.#away.size)
  }

  async #ask(operation: CallOperation): Promise<Answered> {
    if (!this.#authorizer) return operation.call === 'authorize' ? { kind: 'not-done' } : { kind: 'unknown' }
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

  /** The queue is bounded by the transactions away, of which each has one call at a time. */
  async #turn(): Promise<void> {
    if (this.#settling >= MAX_SETTLING) await new Promise<void>((resolve) => this.#queue.push(resolve))
    else this.#settling++
  }

  #next(): void {
    const next = this.#queue.shift()
    if (next) next()
    else this.#settling--
  }
}
