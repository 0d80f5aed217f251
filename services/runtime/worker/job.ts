// One request on its way: its generator, what it waits for, and how it begins again.

import type { Request } from '../../core/transaction/command.ts'
import { scopeKey } from '../../core/transaction/scope.ts'
import type { Operation, Protocol, ReplyBody, Resumed } from '../../protocol/operations.ts'
import type { Term } from '../recovery/recovery.ts'

export class Job {
  readonly request: Request
  /** Needs no redelivery any more. */
  readonly finish: () => void
  /** Publishes the request once more, behind all others of its partition; then this one can be finished. */
  readonly putBack: (() => Promise<void>) | undefined
  readonly #begin: () => Protocol
  #protocol: Protocol
  #pending: Operation | null = null
  #reply: ReplyBody | null = null
  restarts = 0
  /** The term under which it has loaded; null before its first round. */
  #term: Term | null = null
  /** Times in a row that another authorizer did not answer, and since when, by `performance.now()`. */
  unanswered = 0
  unansweredSince: number | null = null

  /** @throws what `begin` throws: then the request cannot be taken up at all. */
  constructor(request: Request, begin: () => Protocol, finish: () => void, putBack?: () => Promise<void>) {
    this.request = request
    this.finish = finish
    this.putBack = putBack
    this.#begin = begin
    this.#protocol = begin()
    this.#take(this.#protocol.next())
  }

  /** What it waits for; null when there is a reply. */
  get pending(): Operation | null {
    return this.#pending
  }

  get reply(): ReplyBody | null {
    return this.#reply
  }

  resume(answer: Resumed): void {
    this.#take(this.#protocol.next(answer))
  }

  get term(): Term | null {
    return this.#term
  }

  /** Takes part in a round of this term. What it has loaded under another is dropped. */
  enter(term: Term): void {
    if (this.#term !== null && this.#term !== term) this.restart()
    this.#term = term
  }

  /** Drop everything it has loaded and decided, and begin again with fresh draws. */
  restart(): void {
    this.restarts++
    this.#term = null
    this.#reply = null
    this.#protocol = this.#begin()
    this.#take(this.#protocol.next())
  }

  #take(step: IteratorResult<Operation, ReplyBody>): void {
    this.#pending = step.done ? null : step.value
    this.#reply = step.done ? step.value : null
  }
}

/** Whether they are one request, repeated or delivered again. */
export function isSameRequest({ request: { body } }: Job, { request: { body: other } }: Job): boolean {
  if (body.kind === 'INQUIRY' || other.kind === 'INQUIRY') return false
  return body.fingerprint === other.fingerprint && scopeKey(body.scope) === scopeKey(other.scope)
}
